/*
 * row.c - the codec of client and host rows. Widths narrower than a field of struct kmsdb_client
 * are enough for what can occur: times up to the year 36812, 2^48 batches.
 */
#include "kmsdb/row.h"

#include <string.h>

#include "kmsdb/seats.h"
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

void
row_client_encode(uint8_t out[ROW_CLIENT], const struct client_row *r)
{
	const struct kmsdb_client *c = &r->c;

	put(out, 2, r->seat);
	out[2] = c->kind;
	out[3] = c->flags;
	put(out + 4, 2, c->clones);
	put(out + 6, 2, at_most(c->status, 16));
	put(out + 8, 4, c->entries);
	put(out + 12, 3, at_most(c->seen_day, 24));
	put(out + 15, 5, at_most(c->last_seen, 40));
	put(out + 20, 5, at_most(c->expires, 40));
	put(out + 25, 8, c->sequence);
	memcpy(out + 33, c->request_id, 16);
	put(out + 49, 6, c->batch);
	put(out + 55, 2, c->leaf);
	put(out + 57, 6, r->changed);
	put(out + 63, 4, r->host_hash);
}

int
row_client_decode(struct client_row *r, const uint8_t cmid[ROW_CMID], const uint8_t *in, size_t len,
    const struct seats *seats)
{
	struct kmsdb_client *c = &r->c;

	if (len != ROW_CLIENT)
		return KMS_E_ALTERED;
	memset(r, 0, sizeof(*r));
	memcpy(c->cmid, cmid, ROW_CMID);
	r->seat = (uint16_t)get(in, 2);
	c->kind = in[2];
	c->flags = in[3];
	c->clones = (uint16_t)get(in + 4, 2);
	c->status = (uint32_t)get(in + 6, 2);
	c->entries = (uint32_t)get(in + 8, 4);
	c->seen_day = (uint32_t)get(in + 12, 3);
	c->last_seen = get(in + 15, 5);
	c->expires = get(in + 20, 5);
	c->sequence = get(in + 25, 8);
	memcpy(c->request_id, in + 33, 16);
	c->batch = get(in + 49, 6);
	c->leaf = (uint32_t)get(in + 55, 2);
	r->changed = get(in + 57, 6);
	r->host_hash = (uint32_t)get(in + 63, 4);
	return seats_fill(seats, r->seat, c) ? KMS_OK : KMS_E_ALTERED;
}

size_t
row_host_encode(uint8_t out[ROW_HOST], const struct kmsdb_host *h)
{
	size_t n = strnlen(h->name, MESSAGE_NAME);

	put(out, 8, h->first_seen);
	memcpy(out + 8, h->address, 16);
	out[24] = (uint8_t)n;
	memcpy(out + ROW_HOST_FIXED, h->name, n);
	return ROW_HOST_FIXED + n;
}

int
row_host_decode(struct kmsdb_host *h, const uint8_t cmid[ROW_CMID], const uint8_t *in, size_t len)
{
	memset(h, 0, sizeof(*h));
	if (len < ROW_HOST_FIXED || in[24] > MESSAGE_NAME || len != ROW_HOST_FIXED + (size_t)in[24])
		return KMS_E_ALTERED;
	memcpy(h->cmid, cmid, ROW_CMID);
	h->first_seen = get(in, 8);
	memcpy(h->address, in + 8, 16);
	memcpy(h->name, in + ROW_HOST_FIXED, in[24]);
	return KMS_OK;
}

uint32_t
row_host_hash(const char *name, const uint8_t address[16])
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	for (int i = 0; i < 16; i++)
		hash = (hash ^ address[i]) * 16777619u;
	return hash;
}
