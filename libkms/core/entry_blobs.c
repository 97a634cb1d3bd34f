/*
 * entry_blobs.c - codec of the entries with subject, digest, text and blob (entry_blobs.h).
 */
#include "libkms/core/entry_blobs.h"

#include <string.h>

#include "libkms/base/octets.h"
#include "libkms/base/wire.h"
#include "libkms/core/batch.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_codec.h"
#include "libkms/core/entry_counters.h"
#include "libkms/core/entry_share.h"
#include "libkms/core/rotation.h"
#include "libkms/kms_error.h"

static const struct {
	uint8_t kind;
	size_t least, most; /* length of the blob */
} kinds[] = {
	{ ENTRY_START, 32, 32 },
	{ ENTRY_KEY, 0, 0 },
	{ ENTRY_CERTIFICATE, 1, CERTIFICATE_MAX },
	{ ENTRY_POLICY, 0, 0 },
	{ ENTRY_KEY_REMOVE, 0, 0 },
	{ ENTRY_RELAYED, ENTRY_RELAYED_BLOB, ENTRY_RELAYED_BLOB },
	{ ENTRY_ROTATION, ROTATION_SIZE, ROTATION_SIZE },
	{ ENTRY_REVOCATIONS, 4, 4 },
	{ ENTRY_RELAYED_NAME, ENTRY_RELAYED_NAME_BLOB, ENTRY_RELAYED_NAME_BLOB },
	{ ENTRY_WITNESS, BATCH_HEADER + BATCH_SIGNATURE, BATCH_HEADER + BATCH_SIGNATURE },
	{ ENTRY_RESTORED, 17, 17 },
	{ ENTRY_CLOCK, 16, 16 },
	{ ENTRY_COUNTERS, ENTRY_COUNTERS_HEAD + ENTRY_COUNTER, ENTRY_COUNTERS_BLOB },
	{ ENTRY_BASE, BASE_PREFIX, BASE_BLOB_MAX },
	{ ENTRY_SHARE, ENTRY_SHARE_BLOB, ENTRY_SHARE_BLOB },
	{ ENTRY_HEARD, ENTRY_HEARD_ONE, ENTRY_HEARD_BLOB },
	{ ENTRY_GIVE, ENTRY_GIVE_BLOB, ENTRY_GIVE_BLOB },
	{ ENTRY_ALONE, ENTRY_ALONE_BLOB, ENTRY_ALONE_BLOB },
	{ ENTRY_HELD, ENTRY_HELD_BLOB, ENTRY_HELD_BLOB },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t
find(int kind)
{
	size_t i = 0;

	while (i < KINDS && kinds[i].kind != kind)
		i++;
	return i;
}

bool
entry_blobs_kind(int kind)
{
	return find(kind) < KINDS;
}

/* The entry in an entry. No kind that is kept has one itself, so this ends. */
static bool
kept_ok(const uint8_t *blob, size_t len)
{
	struct entry_base_kept k;
	struct entry_admin admin;
	struct entry_about about;
	int kind;

	entry_base_get_kept(&k, blob, len);
	if (k.entry_len < ENTRY_HEAD || !entry_base_keeps(kind = k.entry[1]))
		return false;
	return (entry_kind_is_about(kind)
		       ? entry_about_decode(&about, k.entry, k.entry_len)
		       : entry_admin_decode(&admin, k.entry, k.entry_len)) == KMS_OK;
}

static bool
base_ok(const struct entry_admin *e)
{
	return e->text_len == 0 && entry_base_check(e->blob, e->blob_len) == KMS_OK &&
	       (entry_base_part(e->blob) != BASE_KEPT || kept_ok(e->blob, e->blob_len));
}

static bool
share_ok(const struct entry_admin *e)
{
	const struct entry_share_parts p = { e->kind, e->time, e->subject, e->text, e->text_len,
		e->blob, e->blob_len };

	return octets_zero(e->digest, sizeof(e->digest)) && entry_share_ok(&p);
}

static bool
in_range(const struct entry_admin *e)
{
	size_t i = find(e->kind);

	if (i == KINDS || e->blob_len < kinds[i].least || e->blob_len > kinds[i].most)
		return false;
	if (e->kind == ENTRY_RESTORED &&
	    (e->blob[16] < RESTORED_BACKUP || e->blob[16] > RESTORED_NOTHING))
		return false;
	if (e->kind == ENTRY_COUNTERS && !entry_counters_ok(e->blob, e->blob_len))
		return false;
	if (e->kind == ENTRY_BASE && !base_ok(e))
		return false;
	if (entry_kind_is_share(e->kind) && !share_ok(e))
		return false;
	return wire_text_ok(e->text, e->text_len);
}

size_t
entry_admin_encode(uint8_t *out, size_t size, const struct entry_admin *e)
{
	struct wire_writer w;

	if (e->text_len > ENTRY_MAX || !in_range(e))
		return 0;
	wire_writer_init(&w, out, size < ENTRY_MAX ? size : ENTRY_MAX);
	entry_head_put(&w, e->kind, 0, KMS_OK, e->time);
	wire_put(&w, e->subject, sizeof(e->subject));
	wire_put(&w, e->digest, sizeof(e->digest));
	wire_put_u16(&w, (uint16_t)e->text_len);
	wire_put(&w, e->text, e->text_len);
	wire_put_u16(&w, (uint16_t)e->blob_len);
	wire_put(&w, e->blob, e->blob_len);
	return wire_written(&w);
}

int
entry_admin_decode(struct entry_admin *e, const uint8_t *in, size_t len)
{
	struct entry_head h;
	struct wire_reader r;
	int rc;

	wire_reader_init(&r, in, len);
	entry_head_get(&r, &h);
	e->kind = h.kind;
	e->time = h.time;
	wire_get(&r, e->subject, sizeof(e->subject));
	wire_get(&r, e->digest, sizeof(e->digest));
	e->text_len = wire_get_u16(&r);
	e->text = (const char *)wire_view(&r, e->text_len);
	e->blob_len = wire_get_u16(&r);
	e->blob = wire_view(&r, e->blob_len);
	if (r.bad)
		return KMS_E_TRUNCATED;
	if (h.version != ENTRY_VERSION || !entry_blobs_kind(h.kind) || h.flags != 0 ||
	    (h.kind == ENTRY_BASE && entry_base_check(e->blob, e->blob_len) == KMS_E_SCHEMA))
		return KMS_E_SCHEMA;
	if ((rc = wire_tail_skip(&r, ENTRY_MAX)) != KMS_OK)
		return rc;
	return h.status == KMS_OK && len <= ENTRY_MAX && in_range(e) ? KMS_OK : KMS_E_FORMAT;
}
