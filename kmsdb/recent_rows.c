/*
 * recent_rows.c - sets of four rows, whose four CMIDs are one line of the processor's cache: a
 * look-up waits for that line and for the row.
 */
#include "kmsdb/recent_rows.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kmsdb/cmid_hash.h"

#define LINE 64
#define WAYS 4
#define LARGE_PAGE (2u << 20)

/* A row of zeros under the CMID of zeros: empty. */
struct set {
	uint8_t cmid[WAYS][ROW_CMID];
	uint8_t row[WAYS][ROW_HOT];
	uint32_t hand; /* the way that is taken next */
	uint8_t pad[44];
};
_Static_assert(sizeof(struct set) == 6 * (size_t)LINE, "whole lines");

struct recent {
	void *memory;
	size_t octets; /* of memory */
	struct set *sets;
	size_t count;
	struct cmid_hash hash;
};

struct recent *
recent_new(size_t rows)
{
	/* Clients fall into sets unevenly: with half as much again, one in 20 finds no place. */
	size_t count = (rows + rows / 2) / WAYS + 1;
	struct recent *r;
	uintptr_t at;

	if (count > UINT32_MAX / sizeof(struct set) || (r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	/* From the kernel: zeros, and none of it is memory before it is used. */
	r->octets = count * sizeof(struct set) + LARGE_PAGE;
	r->memory =
	    mmap(NULL, r->octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->memory == MAP_FAILED) {
		free(r);
		return NULL;
	}
	at = ((uintptr_t)r->memory + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
	r->sets = (struct set *)at;
	r->count = count;
#ifdef MADV_HUGEPAGE
	/* A small table of large pages would be a large table. */
	if (count * sizeof(struct set) > 4 * (size_t)LARGE_PAGE)
		madvise(r->sets, count * sizeof(struct set), MADV_HUGEPAGE);
#endif
	cmid_hash_init(&r->hash);
	return r;
}

void
recent_free(struct recent *r)
{
	if (r == NULL)
		return;
	munmap(r->memory, r->octets);
	free(r);
}

size_t
recent_octets(const struct recent *r)
{
	return r == NULL ? 0 : r->count * sizeof(struct set);
}

static struct set *
set_of(const struct recent *r, const uint8_t *cmid)
{
	return &r->sets[((cmid_hash(&r->hash, cmid) >> 32) * r->count) >> 32];
}

/* WAYS: it is in none, as the CMID of zeros always is. */
static unsigned
way_of(const struct set *s, const uint8_t *cmid)
{
	static const uint8_t empty[ROW_CMID];
	unsigned way = 0;

	while (way < WAYS && memcmp(s->cmid[way], cmid, ROW_CMID) != 0)
		way++;
	return way < WAYS && memcmp(cmid, empty, ROW_CMID) == 0 ? WAYS : way;
}

const uint8_t *
recent_get(const struct recent *r, const uint8_t cmid[ROW_CMID])
{
	const struct set *s = set_of(r, cmid);
	unsigned way = way_of(s, cmid);

	return way < WAYS ? s->row[way] : NULL;
}

static unsigned
choose(struct set *s)
{
	static const uint8_t empty[ROW_CMID];

	for (unsigned way = 0; way < WAYS; way++)
		if (memcmp(s->cmid[way], empty, ROW_CMID) == 0)
			return way;
	return s->hand++ % WAYS;
}

void
recent_put(struct recent *r, const uint8_t cmid[ROW_CMID], const uint8_t row[ROW_HOT])
{
	struct set *s = set_of(r, cmid);
	unsigned way = way_of(s, cmid);

	if (way == WAYS)
		way = choose(s);
	memcpy(s->cmid[way], cmid, ROW_CMID);
	memcpy(s->row[way], row, ROW_HOT);
}

void
recent_drop(struct recent *r, const uint8_t cmid[ROW_CMID])
{
	struct set *s = set_of(r, cmid);
	unsigned way = way_of(s, cmid);

	if (way < WAYS)
		memset(s->cmid[way], 0, ROW_CMID);
}

void
recent_announce(const struct recent *r, const uint8_t cmid[ROW_CMID])
{
	__builtin_prefetch(set_of(r, cmid));
}

bool
recent_expect(const struct recent *r, const uint8_t cmid[ROW_CMID])
{
	const struct set *s = set_of(r, cmid);
	unsigned way = way_of(s, cmid);

	if (way == WAYS)
		return false;
	__builtin_prefetch(s->row[way]);
	__builtin_prefetch(s->row[way] + ROW_HOT - 1);
	return true;
}
