/*
 * entry_base.c - see entry_base.h.
 */
#include "libkms/core/entry_base.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/entry_kind.h"
#include "libkms/kms_error.h"

#define HEAD_SIZE (8 + 32 + 8 + 8 + 5 * 8)
#define RELAYED_SIZE (BASE_NAMES + 207)
#define CLIENT_SIZE (BASE_NAMES + 16 + 8 + 2 + 2 + 68 + 83)
#define USAGE_LEAST (16 + 8)
#define END_SIZE (8 + 4)

static const struct {
	size_t least, most; /* bytes behind the prefix */
} parts[] = {
	[BASE_HEAD] = { HEAD_SIZE, HEAD_SIZE },
	[BASE_KEPT] = { BASE_KEPT_HEAD + ENTRY_HEAD, BASE_KEPT_HEAD + BASE_KEPT_MAX },
	[BASE_RELAYED] = { RELAYED_SIZE, RELAYED_SIZE },
	[BASE_CLIENT] = { CLIENT_SIZE, CLIENT_SIZE },
	[BASE_SUMS] = { 0, 0 },
	[BASE_USAGE] = { USAGE_LEAST, BASE_BLOB_MAX - BASE_PREFIX },
	[BASE_END] = { END_SIZE, END_SIZE },
};

int
entry_base_check(const uint8_t *blob, size_t len)
{
	if (len < BASE_PREFIX)
		return KMS_E_FORMAT;
	if (blob[0] == BASE_NONE || blob[0] > BASE_END || blob[1] != BASE_VERSION)
		return KMS_E_SCHEMA;
	len -= BASE_PREFIX;
	return len >= parts[blob[0]].least && len <= parts[blob[0]].most ? KMS_OK : KMS_E_FORMAT;
}

enum entry_base_part
entry_base_part(const uint8_t *blob)
{
	return (enum entry_base_part)blob[0];
}

static void
begin(struct wire_writer *w, uint8_t *out, size_t size, enum entry_base_part part)
{
	wire_writer_init(w, out, size);
	wire_put_u8(w, (uint8_t)part);
	wire_put_u8(w, BASE_VERSION);
}

size_t
entry_base_put_head(uint8_t *out, size_t size, const struct entry_base_head *h)
{
	struct wire_writer w;

	begin(&w, out, size, BASE_HEAD);
	wire_put_u64(&w, h->through);
	wire_put(&w, h->hash, sizeof(h->hash));
	wire_put_u64(&w, h->time);
	wire_put_u64(&w, h->counter);
	wire_put_u64(&w, h->refusals);
	wire_put_u64(&w, h->forgotten);
	wire_put_u64(&w, h->relayed);
	wire_put_u64(&w, h->names);
	wire_put_u64(&w, h->clock);
	return wire_written(&w);
}

void
entry_base_get_head(struct entry_base_head *h, const uint8_t *blob)
{
	struct wire_reader r;

	wire_reader_init(&r, blob + BASE_PREFIX, HEAD_SIZE);
	h->through = wire_get_u64(&r);
	wire_get(&r, h->hash, sizeof(h->hash));
	h->time = wire_get_u64(&r);
	h->counter = wire_get_u64(&r);
	h->refusals = wire_get_u64(&r);
	h->forgotten = wire_get_u64(&r);
	h->relayed = wire_get_u64(&r);
	h->names = wire_get_u64(&r);
	h->clock = wire_get_u64(&r);
}

size_t
entry_base_put_kept(uint8_t *out, size_t size, const struct entry_base_kept *k)
{
	struct wire_writer w;

	if (k->entry_len > BASE_KEPT_MAX)
		return 0;
	begin(&w, out, size, BASE_KEPT);
	wire_put_u64(&w, k->batch);
	wire_put_u32(&w, k->leaf);
	wire_put_u64(&w, k->found);
	wire_put_u32(&w, k->found_leaf);
	wire_put(&w, k->entry, k->entry_len);
	return wire_written(&w);
}

void
entry_base_get_kept(struct entry_base_kept *k, const uint8_t *blob, size_t len)
{
	struct wire_reader r;

	wire_reader_init(&r, blob + BASE_PREFIX, len - BASE_PREFIX);
	k->batch = wire_get_u64(&r);
	k->leaf = wire_get_u32(&r);
	k->found = wire_get_u64(&r);
	k->found_leaf = wire_get_u32(&r);
	k->entry_len = len - BASE_PREFIX - BASE_KEPT_HEAD;
	k->entry = wire_view(&r, k->entry_len);
}

size_t
entry_base_put_end(uint8_t *out, size_t size, const struct entry_base_end *e)
{
	struct wire_writer w;

	begin(&w, out, size, BASE_END);
	wire_put_u64(&w, e->through);
	wire_put_u32(&w, e->day);
	return wire_written(&w);
}

void
entry_base_get_end(struct entry_base_end *e, const uint8_t *blob)
{
	struct wire_reader r;

	wire_reader_init(&r, blob + BASE_PREFIX, END_SIZE);
	e->through = wire_get_u64(&r);
	e->day = wire_get_u32(&r);
}

size_t
entry_base_put_names(
    uint8_t *out, size_t size, enum entry_base_part part, const struct entry_base_names *n)
{
	struct wire_writer w;

	begin(&w, out, size, part);
	wire_put_u64(&w, n->time);
	wire_put(&w, n->commitments.name, COMMITMENT);
	wire_put(&w, n->commitments.user, COMMITMENT);
	wire_put(&w, n->commitments.address, COMMITMENT);
	return wire_written(&w);
}

bool
entry_base_get_names(struct entry_base_names *n, const uint8_t *blob)
{
	struct wire_reader r;

	if (blob[0] != BASE_RELAYED && blob[0] != BASE_CLIENT)
		return false;
	wire_reader_init(&r, blob + BASE_PREFIX, BASE_NAMES);
	n->time = wire_get_u64(&r);
	wire_get(&r, n->commitments.name, COMMITMENT);
	wire_get(&r, n->commitments.user, COMMITMENT);
	wire_get(&r, n->commitments.address, COMMITMENT);
	return true;
}

/*
 * What a publisher installed, the runs of the host, and what convicts: the documents of an audit,
 * headers that clients brought, restores, steps of the clock, and holds of clones.
 */
bool
entry_base_keeps(int kind)
{
	switch (kind) {
	case ENTRY_START:
	case ENTRY_KEY:
	case ENTRY_CERTIFICATE:
	case ENTRY_POLICY:
	case ENTRY_KEY_REMOVE:
	case ENTRY_ROTATION:
	case ENTRY_REVOCATIONS:
	case ENTRY_WITNESS:
	case ENTRY_RESTORED:
	case ENTRY_CLOCK:
	case ENTRY_HOLD:
		return true;
	default:
		return false;
	}
}
