/*
 * row.c - the codec of hot and cold rows. Widths narrower than a field of the struct are enough
 * for what can occur: times up to the year 36812, 2^48 batches.
 */
#include "kmsdb/row.h"

#include <string.h>

#include "libkms/kms_error.h"

static void
put(uint8_t *out, unsigned octets, uint64_t v)
{
	for (unsigned i = octets; i-- > 0; v >>= 8)
		out[i] = (uint8_t)v;
}

static uint64_t
get(const uint8_t *in, unsigned octets)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | in[i];
	return v;
}

static uint64_t
at_most(uint64_t v, unsigned bits)
{
	uint64_t max = (UINT64_C(1) << bits) - 1;
	return v < max ? v : max;
}

static bool
below(uint64_t time, uint64_t floor)
{
	return floor != 0 && time <= floor;
}

/* Its key ended with the process that had it: nobody asks with it again. */
static bool
is_over(const struct kmsdb_client *c, uint64_t floor)
{
	return (c->flags & KMSDB_STATELESS) != 0 && c->until * UINT64_C(60) <= floor &&
	       c->expires <= floor;
}

bool
row_expired(const struct kmsdb_client *c, const struct index_floors *floors)
{
	if (c->flags & (KMSDB_REVOKED | KMSDB_HELD))
		return false;
	if (c->kind == 0)
		return below(c->last_seen, floors->refusals);
	return below(c->last_seen, floors->forgotten) &&
	       ((c->flags & KMSDB_FORGOTTEN) != 0 || is_over(c, floors->forgotten));
}

bool
row_hot_expired(const uint8_t row[ROW_HOT], const struct index_floors *floors)
{
	struct kmsdb_client c = { .flags = (uint16_t)get(row + 2, 2),
		.kind = row[6],
		.until = (uint32_t)get(row + 48, 4),
		.last_seen = row_hot_last_seen(row),
		.expires = get(row + 57, 5) };

	return row_expired(&c, floors);
}

void
row_hot_encode(uint8_t out[ROW_HOT], const struct client_row *r)
{
	const struct kmsdb_client *c = &r->c;

	put(out, 2, r->seat);
	put(out + 2, 2, c->flags);
	put(out + 4, 2, c->chain);
	out[6] = c->kind;
	out[7] = r->holder;
	put(out + 8, 8, c->sequence);
	memcpy(out + 16, c->request_id, 16);
	put(out + 32, 6, c->batch);
	put(out + 38, 2, c->leaf);
	memcpy(out + ROW_HOT_HEADER, c->header, sizeof(c->header));
	put(out + 48, 4, c->until);
	put(out + 52, 5, at_most(c->last_seen, 40));
	put(out + 57, 5, at_most(c->expires, 40));
	put(out + 62, 2, at_most(c->status, 16));
	put(out + 64, 4, r->shown);
}

int
row_hot_decode(struct client_row *r, const uint8_t cmid[ROW_CMID], const uint8_t *in, size_t len)
{
	struct kmsdb_client *c = &r->c;

	if (len != ROW_HOT || in[7] >= ROW_HOLDERS)
		return KMS_E_ALTERED;
	memset(r, 0, sizeof(*r));
	memcpy(c->cmid, cmid, ROW_CMID);
	r->seat = row_hot_seat(in);
	c->flags = (uint16_t)get(in + 2, 2);
	c->chain = (uint16_t)get(in + 4, 2);
	c->kind = in[6];
	c->sequence = get(in + 8, 8);
	memcpy(c->request_id, in + 16, 16);
	c->batch = get(in + 32, 6);
	c->leaf = (uint32_t)get(in + 38, 2);
	memcpy(c->header, in + ROW_HOT_HEADER, sizeof(c->header));
	c->until = (uint32_t)get(in + 48, 4);
	c->last_seen = get(in + 52, 5);
	c->expires = get(in + 57, 5);
	c->status = (uint32_t)get(in + 62, 2);
	r->shown = (uint32_t)get(in + 64, 4);
	r->holder = in[7];
	return KMS_OK;
}

uint16_t
row_hot_seat(const uint8_t row[ROW_HOT])
{
	return (uint16_t)get(row, 2);
}

uint16_t
row_hot_chain(const uint8_t row[ROW_HOT])
{
	return (uint16_t)get(row + 4, 2);
}

uint64_t
row_hot_batch(const uint8_t row[ROW_HOT])
{
	return get(row + 32, 6);
}

uint64_t
row_hot_last_seen(const uint8_t row[ROW_HOT])
{
	return get(row + 52, 5);
}

bool
row_hot_borrowed(const uint8_t row[ROW_HOT])
{
	return (get(row + 2, 2) & ENTRY_BORROWED) != 0;
}

uint8_t
row_hot_holder(const uint8_t row[ROW_HOT])
{
	return row[7];
}

uint32_t
row_hot_counts(const uint8_t row[ROW_HOT])
{
	return (get(row + 2, 2) & KMSDB_REVOKED) != 0 ? 0 : (uint32_t)get(row + 48, 4);
}

static size_t
put_text(uint8_t *out, const char *text)
{
	size_t n = strnlen(text, MESSAGE_NAME);

	out[0] = (uint8_t)n;
	memcpy(out + 1, text, n);
	return 1 + n;
}

size_t
row_cold_encode(uint8_t out[ROW_COLD], const struct kmsdb_cold *c)
{
	size_t n = ROW_COLD_FIXED;

	put(out, 5, at_most(c->first_seen, 40));
	put(out + 5, 5, at_most(c->last_clone, 40));
	put(out + 10, 4, c->caught_up);
	put(out + 14, 8, c->revocation.counter);
	put(out + 22, 2, c->revocation.chain);
	put(out + 24, 8, c->hold.counter);
	put(out + 32, 2, c->hold.chain);
	put(out + 34, 5, at_most(c->hold_end, 40));
	put(out + 39, 5, at_most(c->erased, 40));
	put(out + 44, 5, at_most(c->forgotten, 40));
	memcpy(out + 49, c->binding, 16);
	memcpy(out + 65, c->address, 16);
	n += put_text(out + n, c->name);
	n += put_text(out + n, c->user);
	return n;
}

/* Its end, or NULL when it does not fit. */
static const uint8_t *
get_text(char out[MESSAGE_NAME + 1], const uint8_t *in, const uint8_t *end)
{
	if (in == end || in[0] > MESSAGE_NAME || end - in < 1 + in[0])
		return NULL;
	memcpy(out, in + 1, in[0]);
	return in + 1 + in[0];
}

int
row_cold_decode(struct kmsdb_cold *c, const uint8_t cmid[ROW_CMID], const uint8_t *in, size_t len)
{
	static const uint8_t none[16];
	const uint8_t *at;

	memset(c, 0, sizeof(*c));
	if (len < ROW_COLD_FIXED)
		return KMS_E_ALTERED;
	memcpy(c->cmid, cmid, ROW_CMID);
	c->first_seen = get(in, 5);
	c->last_clone = get(in + 5, 5);
	c->caught_up = (uint32_t)get(in + 10, 4);
	c->revocation.counter = get(in + 14, 8);
	c->revocation.chain = (uint16_t)get(in + 22, 2);
	c->hold.counter = get(in + 24, 8);
	c->hold.chain = (uint16_t)get(in + 32, 2);
	c->hold_end = get(in + 34, 5);
	c->erased = get(in + 39, 5);
	c->forgotten = get(in + 44, 5);
	memcpy(c->binding, in + 49, 16);
	c->bound = memcmp(c->binding, none, 16) != 0;
	memcpy(c->address, in + 65, 16);
	at = get_text(c->name, in + ROW_COLD_FIXED, in + len);
	if (at != NULL)
		at = get_text(c->user, at, in + len);
	return at == in + len ? KMS_OK : KMS_E_ALTERED;
}

static uint32_t
fnv(uint32_t hash, const void *octets, size_t len)
{
	const uint8_t *at = octets;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 16777619u;
	return hash;
}

uint32_t
row_shown(const struct commitments *c, const uint8_t binding[16])
{
	static const uint8_t none[16];
	uint32_t hash = fnv(2166136261u, c, sizeof(*c));

	hash = fnv(hash, binding != NULL ? binding : none, 16);
	return hash != 0 ? hash : 1;
}
