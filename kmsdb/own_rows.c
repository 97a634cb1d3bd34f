/*
 * own_rows.c - see own_rows.h.
 */
#include "kmsdb/own_rows.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/batch.h"

void
own_witness_key(uint8_t key[ROW_OWN_KEY], uint64_t number, const uint8_t hash[8])
{
	struct wire_writer w;

	wire_writer_init(&w, key, ROW_OWN_KEY);
	wire_put_u64(&w, number);
	wire_put(&w, hash, 8);
}

/* The hash is computed here: the entry's digest is only what the host says. */
static void
witness(struct own_row *out, const struct entry_admin *e, uint64_t batch)
{
	struct batch_header h;
	struct wire_writer w;
	uint8_t hash[32];

	if (batch_header_decode(&h, e->blob) != KMS_OK)
		return;
	out->table = OWN_WITNESS;
	batch_header_hash(hash, e->blob);
	own_witness_key(out->key, h.number, hash);
	wire_writer_init(&w, out->row, ROW_WITNESS);
	wire_put_u64(&w, batch);
	wire_put_u64(&w, h.time);
	wire_put_u64(&w, e->time);
	out->len = wire_written(&w);
}

static void
restored(struct own_row *out, const struct entry_admin *e, uint64_t batch, uint32_t leaf)
{
	bool start = e->kind == ENTRY_START;
	struct wire_writer w;

	out->table = OWN_RESTORED;
	wire_writer_init(&w, out->key, ROW_OWN_KEY);
	wire_put_u64(&w, batch);
	wire_put_u64(&w, leaf);
	wire_writer_init(&w, out->row, ROW_RESTORED);
	wire_put_u64(&w, batch);
	if (start)
		wire_put_u64(&w, batch - 1);
	else
		wire_put(&w, e->blob, 8);
	wire_put_u64(&w, e->time);
	wire_put_u8(&w, start ? ROW_RESTORED_START : e->blob[16]);
	if (start)
		wire_put_u64(&w, 0);
	else
		wire_put(&w, e->blob + 8, 8);
	out->len = wire_written(&w);
}

/* Of the file; of a certificate or a rotation itself, which is in the entry. */
void
kmsdb_installed_digest(uint8_t out[32], const struct entry_admin *e)
{
	if (e->kind == ENTRY_CERTIFICATE || e->kind == ENTRY_ROTATION)
		crypto_hash_sha256(out, e->blob, e->blob_len);
	else
		memcpy(out, e->digest, 32);
}

static void
installed(struct own_row *out, const struct entry_admin *e, uint64_t batch)
{
	struct wire_writer w;
	uint8_t digest[32];

	kmsdb_installed_digest(digest, e);
	out->table = OWN_INSTALLED;
	memcpy(out->key, digest, ROW_OWN_KEY);
	wire_writer_init(&w, out->row, ROW_INSTALLED);
	wire_put_u64(&w, batch);
	wire_put_u8(&w, e->kind);
	out->len = wire_written(&w);
}

void
own_row(struct own_row *out, const struct entry_admin *e, uint64_t batch, uint32_t leaf)
{
	out->table = OWN_NONE;
	switch (e->kind) {
	case ENTRY_WITNESS:
		witness(out, e, batch);
		break;
	case ENTRY_START:
	case ENTRY_RESTORED:
		restored(out, e, batch, leaf);
		break;
	case ENTRY_KEY:
	case ENTRY_CERTIFICATE:
	case ENTRY_POLICY:
	case ENTRY_ROTATION:
	case ENTRY_REVOCATIONS:
		installed(out, e, batch);
		break;
	}
}

uint64_t
own_batch(const uint8_t *row, size_t len)
{
	struct wire_reader r;

	wire_reader_init(&r, row, len);
	return len < ROW_INSTALLED ? 0 : wire_get_u64(&r);
}

int
own_witness_decode(
    struct kmsdb_witness *out, const uint8_t key[ROW_OWN_KEY], const uint8_t *row, size_t len)
{
	struct wire_reader k, r;

	wire_reader_init(&k, key, ROW_OWN_KEY);
	out->number = wire_get_u64(&k);
	wire_get(&k, out->hash, sizeof(out->hash));
	wire_reader_init(&r, row, len);
	out->batch = wire_get_u64(&r);
	out->time = wire_get_u64(&r);
	out->told = wire_get_u64(&r);
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}

int
own_restored_decode(struct kmsdb_restored *out, const uint8_t *row, size_t len)
{
	struct wire_reader r;

	memset(out, 0, sizeof(*out));
	wire_reader_init(&r, row, len);
	out->batch = wire_get_u64(&r);
	out->number = wire_get_u64(&r);
	out->time = wire_get_u64(&r);
	out->cause = wire_get_u8(&r);
	out->since = wire_get_u64(&r);
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}
