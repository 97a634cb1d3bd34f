/*
 * base_rows.c - see base_rows.h.
 */
#include "kmsdb/base_rows.h"

#include <sodium.h>
#include <string.h>

#include "kmsdb/apply.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define COLD_BLANK (ROW_COLD_FIXED + 2)

_Static_assert(COLD_BLANK == 83 && ROW_HOT == 68 && ROW_OBSERVED_FIXED == 207, "entry_base.h");

void
base_entry_make(struct base_entry *out, uint64_t time, const uint8_t subject[16],
    const uint8_t digest[32], const uint8_t *blob, size_t len)
{
	struct entry_admin e = {
		.kind = ENTRY_BASE, .time = time, .text = "", .blob = blob, .blob_len = len
	};

	memcpy(e.subject, subject, sizeof(e.subject));
	if (digest != NULL)
		memcpy(e.digest, digest, sizeof(e.digest));
	out->item = (struct item){ .entry = out->entry, .aside = out->aside };
	out->item.entry_len = entry_admin_encode(out->entry, sizeof(out->entry), &e);
}

/* Names to be put beside the entry, and the commitments to them. */
struct beside {
	struct entry_base_names names;
	uint8_t aside[ASIDE_MAX];
	size_t len;
};

static void
make_beside(struct beside *out, uint64_t time, const uint8_t address[16], const char *name,
    const char *user)
{
	struct aside a = { .name = "" };

	memset(out, 0, sizeof(*out));
	out->names.time = time;
	if (sodium_is_zero(address, 16) && name[0] == '\0' && user[0] == '\0')
		return;
	randombytes_buf(a.salt, sizeof(a.salt));
	memcpy(a.address, address, sizeof(a.address));
	memcpy(a.name, name, strnlen(name, MESSAGE_NAME));
	memcpy(a.user, user, strnlen(user, MESSAGE_NAME));
	aside_commit(&out->names.commitments, &a);
	out->len = aside_encode(out->aside, sizeof(out->aside), &a);
}

/* The row behind the names. */
static void
make_named(struct base_entry *out, uint64_t time, enum entry_base_part part,
    const uint8_t subject[16], const struct beside *b, const uint8_t *row, size_t len)
{
	uint8_t blob[BASE_PREFIX + BASE_NAMES + 512];
	size_t n = entry_base_put_names(blob, sizeof(blob), part, &b->names);

	memcpy(blob + n, row, len);
	base_entry_make(out, time, subject, NULL, blob, n + len);
	memcpy(out->aside, b->aside, b->len);
	out->item.aside_len = b->len;
}

void
base_entry_client(struct base_entry *out, uint64_t time, const struct client_row *row,
    const struct kmsdb_cold *cold)
{
	uint8_t octets[28 + ROW_HOT + ROW_COLD];
	struct client_row hot = *row;
	struct kmsdb_cold blank = *cold;
	struct wire_writer w;
	struct beside b;
	size_t n;

	make_beside(&b, row->c.last_seen, cold->address, cold->name, cold->user);
	hot.seat = row->c.seated ? 0 : ROW_NO_SEAT;
	hot.shown = 0;
	hot.holder = ROW_HOLDER_NONE;
	apply_blank(&blank);
	wire_writer_init(&w, octets, sizeof(octets));
	wire_put(&w, row->c.product, 16);
	wire_put(&w, row->c.publisher, 8);
	wire_put_u16(&w, row->c.pool);
	wire_put_u16(&w, row->c.class);
	n = wire_written(&w);
	row_hot_encode(octets + n, &hot);
	n += ROW_HOT;
	n += row_cold_encode(octets + n, &blank);
	make_named(out, time, BASE_CLIENT, row->c.cmid, &b, octets, n);
}

void
base_entry_observed(struct base_entry *out, uint64_t time, const struct observed_row *row)
{
	uint64_t newest =
	    row->r.address_time > row->r.name_time ? row->r.address_time : row->r.name_time;
	uint8_t octets[ROW_OBSERVED];
	struct observed_row blank = *row;
	struct beside b;

	make_beside(&b, newest, row->r.address, row->r.name, "");
	memset(blank.r.address, 0, sizeof(blank.r.address));
	memset(blank.r.name, 0, sizeof(blank.r.name));
	make_named(
	    out, time, BASE_RELAYED, row->r.subject, &b, octets, observed_encode(octets, &blank));
}

int
base_client(struct client_row *row, struct kmsdb_cold *cold, const struct entry_admin *e,
    const struct item *item)
{
	const uint8_t *at = e->blob + BASE_PREFIX + BASE_NAMES;
	struct kmsdb_client *c = &row->c;
	struct wire_reader r;
	struct aside a;

	if (row_hot_decode(row, e->subject, at + 28, ROW_HOT) != KMS_OK ||
	    row_cold_decode(cold, e->subject, at + 28 + ROW_HOT, COLD_BLANK) != KMS_OK)
		return KMS_E_FORMAT;
	wire_reader_init(&r, at, 28);
	wire_get(&r, c->product, 16);
	wire_get(&r, c->publisher, 8);
	c->pool = wire_get_u16(&r);
	c->class = wire_get_u16(&r);
	c->seated = row->seat != ROW_NO_SEAT;
	row->shown = 0;
	/* Names that an ERASE means are gone, also while their bytes are there. */
	if (c->last_seen <= cold->erased || c->last_seen < cold->forgotten ||
	    aside_decode(&a, item->aside, item->aside_len) != KMS_OK)
		return KMS_OK;
	memcpy(cold->address, a.address, sizeof(cold->address));
	memcpy(cold->name, a.name, sizeof(cold->name));
	memcpy(cold->user, a.user, sizeof(cold->user));
	return KMS_OK;
}

int
base_observed(struct observed_row *row, const struct entry_admin *e, const struct item *item)
{
	struct aside a;

	if (observed_decode(
		row, e->subject, e->blob + BASE_PREFIX + BASE_NAMES, ROW_OBSERVED_FIXED) != KMS_OK)
		return KMS_E_FORMAT;
	if (aside_decode(&a, item->aside, item->aside_len) != KMS_OK)
		return KMS_OK;
	memcpy(row->r.address, a.address, sizeof(row->r.address));
	memcpy(row->r.name, a.name, sizeof(row->r.name));
	return KMS_OK;
}

int
base_usage(struct usage_row *row, const struct entry_admin *e, size_t *at)
{
	const uint8_t *key = e->blob + *at;
	size_t len, left = e->blob_len - *at;

	if (left == 0)
		return KMS_E_NOT_FOUND;
	if (left < ROW_USAGE_KEY || left < ROW_USAGE_KEY + (len = usage_row_size(key)))
		return KMS_E_FORMAT;
	*at += ROW_USAGE_KEY + len;
	return usage_row_decode(row, key, ROW_USAGE_KEY, key + ROW_USAGE_KEY, len) == KMS_OK
		   ? KMS_OK
		   : KMS_E_FORMAT;
}
