/*
 * refusal_counts.c - a short list, found by a walk from the counter found last.
 */
#include "kmsd/activate/refusal_counts.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

static bool
same(const struct entry_counter *a, const struct entry_counter *b)
{
	return a->status == b->status && a->pool == b->pool &&
	       memcmp(a->publisher, b->publisher, 8) == 0;
}

/* NULL: there is no place for it. */
static struct entry_counter *
find(struct refusal_counts *c, const struct entry_counter *like, size_t places)
{
	if (c->last < c->count && same(&c->list[c->last], like))
		return &c->list[c->last];
	for (c->last = 0; c->last < c->count; c->last++)
		if (same(&c->list[c->last], like))
			return &c->list[c->last];
	if (c->count >= places)
		return NULL;
	c->list[c->count] = *like;
	c->last = c->count++;
	return &c->list[c->last];
}

void
refusal_counts_add(struct refusal_counts *c, const uint8_t publisher[8], uint16_t pool,
    uint32_t status, uint64_t now)
{
	struct entry_counter like = { .status = (uint16_t)status }, *counter;

	if (status == KMS_OK || status > UINT16_MAX || status == KMS_E_SEQUENCE ||
	    status == KMS_E_UNKNOWN_CLIENT)
		return;
	if (c->count == 0 && c->since == 0)
		c->since = now;
	if (publisher != NULL) {
		memcpy(like.publisher, publisher, 8);
		like.pool = pool;
	}
	counter = find(c, &like, REFUSAL_COUNTS_POOLS);
	if (counter == NULL) {
		memset(like.publisher, 0, 8);
		like.pool = 0;
		counter = find(c, &like, ENTRY_COUNTERS_MAX);
	}
	if (counter != NULL && counter->refusals < UINT32_MAX)
		counter->refusals++;
}

bool
refusal_counts_due(const struct refusal_counts *c, uint64_t now)
{
	return c->count > 0 && (now < c->since || now - c->since >= REFUSAL_COUNTS_SECONDS);
}

static int
by_key(const void *a, const void *b)
{
	return entry_counter_compare(a, b);
}

size_t
refusal_counts_blob(struct refusal_counts *c, uint8_t *out, size_t size, uint64_t now)
{
	uint64_t seconds = now > c->since ? now - c->since : 0;

	qsort(c->list, c->count, sizeof(*c->list), by_key);
	return entry_counters_encode(
	    out, size, seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX, c->list, c->count);
}

void
refusal_counts_clear(struct refusal_counts *c, uint64_t now)
{
	c->count = 0;
	c->since = now;
}
