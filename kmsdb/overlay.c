/*
 * overlay.c - records are stored in the order in which they came; a hash table of 32-bit record
 * numbers finds them. So it needs little more memory than the records, clearing is one memset, and
 * the newest record can be undone.
 */
#include "kmsdb/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "kmsdb/cmid_hash.h"
#include "libkms/kms_error.h"

#define KEY 16
#define HEAD (KEY + 3)

struct overlay {
	size_t max, row_size, stride;
	size_t count;
	size_t mask;
	uint32_t *slots;  /* record number + 1, 0 empty */
	uint8_t *records; /* CMID, found, length of two bytes, row */
	struct cmid_hash hash;
};

struct overlay *
overlay_new(size_t records, size_t row_size)
{
	struct overlay *o = calloc(1, sizeof(*o));
	size_t slots = 64;

	if (o == NULL)
		return NULL;
	while (slots < records + records / 2)
		slots *= 2;
	o->max = records;
	o->row_size = row_size;
	o->stride = HEAD + row_size;
	o->mask = slots - 1;
	o->slots = calloc(slots, sizeof(*o->slots));
	o->records = malloc(records * o->stride);
	cmid_hash_init(&o->hash);
	if (o->slots == NULL || o->records == NULL) {
		overlay_free(o);
		return NULL;
	}
	return o;
}

void
overlay_free(struct overlay *o)
{
	if (o == NULL)
		return;
	free(o->slots);
	free(o->records);
	free(o);
}

void
overlay_clear(struct overlay *o)
{
	if (o->count == 0)
		return;
	memset(o->slots, 0, (o->mask + 1) * sizeof(*o->slots));
	o->count = 0;
}

size_t
overlay_count(const struct overlay *o)
{
	return o->count;
}

static uint8_t *
record(const struct overlay *o, size_t i)
{
	return o->records + i * o->stride;
}

static uint16_t
length(const uint8_t *r)
{
	return (uint16_t)(r[KEY + 1] << 8 | r[KEY + 2]);
}

static size_t
hash(const struct overlay *o, const uint8_t *cmid)
{
	return (size_t)cmid_hash(&o->hash, cmid);
}

/* Slot of the key, or the empty one where it would go. */
static size_t
place(const struct overlay *o, const uint8_t *cmid)
{
	size_t i = hash(o, cmid) & o->mask;

	while (o->slots[i] != 0 && memcmp(record(o, o->slots[i] - 1), cmid, KEY) != 0)
		i = (i + 1) & o->mask;
	return i;
}

void
overlay_prefetch(const struct overlay *o, uint32_t n)
{
	__builtin_prefetch(record(o, n));
	__builtin_prefetch(record(o, n) + o->stride - 1);
}

void
overlay_announce(const struct overlay *o, const uint8_t cmid[16])
{
	__builtin_prefetch(&o->slots[hash(o, cmid) & o->mask]);
}

void
overlay_expect(const struct overlay *o, const uint8_t cmid[16])
{
	uint32_t n = o->slots[hash(o, cmid) & o->mask];

	if (n != 0)
		overlay_prefetch(o, n - 1);
}

enum overlay_found
overlay_at(
    const struct overlay *o, uint32_t n, const uint8_t **cmid, const uint8_t **row, size_t *len)
{
	const uint8_t *r = record(o, n);

	if (cmid != NULL)
		*cmid = r;
	*row = r + HEAD;
	*len = length(r);
	return (enum overlay_found)r[KEY];
}

enum overlay_found
overlay_get(const struct overlay *o, const uint8_t cmid[16], const uint8_t **row, size_t *len)
{
	size_t i = place(o, cmid);

	return o->slots[i] == 0 ? OVERLAY_NO : overlay_at(o, o->slots[i] - 1, NULL, row, len);
}

static void
fill(uint8_t *r, enum overlay_found found, const uint8_t *row, size_t len)
{
	r[KEY] = (uint8_t)found;
	r[KEY + 1] = (uint8_t)(len >> 8);
	r[KEY + 2] = (uint8_t)len;
	if (len > 0)
		memcpy(r + HEAD, row, len);
}

uint8_t *
overlay_row(struct overlay *o, const uint8_t cmid[16])
{
	size_t i = place(o, cmid);
	uint8_t *r = o->slots[i] == 0 ? NULL : record(o, o->slots[i] - 1);

	return r != NULL && r[KEY] == OVERLAY_ROW ? r + HEAD : NULL;
}

int
overlay_put(struct overlay *o, const uint8_t cmid[16], const uint8_t *row, size_t len,
    struct overlay_old *old, uint8_t *old_row)
{
	size_t i = place(o, cmid);
	uint8_t *r;

	if (row == NULL)
		len = 0;
	if (len > o->row_size || len > UINT16_MAX)
		return KMS_E_ARGUMENT;
	old->found = OVERLAY_NO;
	old->len = 0;
	if (o->slots[i] == 0) {
		if (o->count == o->max)
			return KMS_E_FULL;
		r = record(o, o->count);
		memcpy(r, cmid, KEY);
		o->slots[i] = (uint32_t)++o->count;
	} else {
		r = record(o, o->slots[i] - 1);
		old->found = (enum overlay_found)r[KEY];
		old->len = length(r);
		memcpy(old_row, r + HEAD, old->len);
	}
	fill(r, row != NULL ? OVERLAY_ROW : OVERLAY_GONE, row, len);
	return KMS_OK;
}

void
overlay_undo(struct overlay *o, const uint8_t cmid[16], const struct overlay_old *old,
    const uint8_t *old_row)
{
	size_t i = place(o, cmid);

	if (o->slots[i] == 0)
		return;
	if (old->found != OVERLAY_NO) {
		fill(record(o, o->slots[i] - 1), old->found, old_row, old->len);
		return;
	}
	/*
	 * The newest record: no other was placed after its slot since, so the slot is simply
	 * emptied.
	 */
	o->slots[i] = 0;
	o->count--;
}

static int
by_key(const void *a, const void *b, void *arg)
{
	return memcmp(record(arg, *(const uint32_t *)a), record(arg, *(const uint32_t *)b), KEY);
}

static size_t
bucket(const struct overlay *o, size_t i)
{
	const uint8_t *cmid = record(o, i);

	return (size_t)cmid[0] << 8 | cmid[1];
}

/* Buckets by the first 16 bits spread CMIDs, which are hashes, evenly; each is then short. */
void
overlay_sort(const struct overlay *o, uint32_t *order)
{
	size_t *ends = calloc(65537, sizeof(*ends));

	for (uint32_t i = 0; i < o->count; i++)
		order[i] = i;
	if (ends == NULL) {
		qsort_r(order, o->count, sizeof(*order), by_key, (void *)(uintptr_t)o);
		return;
	}
	for (size_t i = 0; i < o->count; i++)
		ends[bucket(o, i) + 1]++;
	for (size_t b = 0; b < 65536; b++)
		ends[b + 1] += ends[b];
	for (uint32_t i = 0; i < o->count; i++)
		order[ends[bucket(o, i)]++] = i;
	for (size_t b = 0, from = 0; b < 65536; from = ends[b++]) {
		if (ends[b] - from > 1)
			qsort_r(order + from, ends[b] - from, sizeof(*order), by_key,
			    (void *)(uintptr_t)o);
	}
	free(ends);
}
