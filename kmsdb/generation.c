/*
 * generation.c - overlays, one for each table, and the batches that filled them.
 */
#include "kmsdb/generation.h"

#include <stdlib.h>
#include <string.h>

#include "kmsdb/own_rows.h"
#include "kmsdb/right_rows.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

/*
 * Cold rows change seldom, and few sources are relayed: their tables are smaller, since a
 * generation is carried when one of its tables is full. Those of own_rows.h have room for a batch.
 */
#define NO_PART UINT32_MAX
static const struct {
	enum index_table index;
	size_t row;
	unsigned part; /* one record for so many of the clients */
} tables[GENERATION_TABLES] = {
	[GENERATION_HOT] = { INDEX_HOT, ROW_HOT, 1 },
	[GENERATION_COLD] = { INDEX_COLD, ROW_COLD, 8 },
	[GENERATION_OBSERVED] = { INDEX_RELAYED, ROW_OBSERVED, 16 },
	[GENERATION_WITNESSES] = { INDEX_WITNESSES, ROW_WITNESS, NO_PART },
	[GENERATION_RESTORED] = { INDEX_RESTORED, ROW_RESTORED, NO_PART },
	[GENERATION_INSTALLED] = { INDEX_INSTALLED, ROW_INSTALLED, NO_PART },
	[GENERATION_RIGHTS] = { INDEX_RIGHTS, ROW_RIGHT, 8 },
	[GENERATION_SHARE] = { INDEX_SHARE, ROW_SHARE, NO_PART },
};

enum index_table
generation_index(enum generation_table table)
{
	return tables[table].index;
}

static size_t
limit(int table, size_t records)
{
	return records / tables[table].part + (table == GENERATION_HOT ? 0 : KMSDB_BATCH_MAX);
}

/* Rows that one batch may add: an entry changes the rights of two pools at most. */
static size_t
one_batch(int table)
{
	return table == GENERATION_RIGHTS ? 2 * KMSDB_BATCH_MAX : KMSDB_BATCH_MAX;
}

int
generation_init(struct generation *g, size_t records)
{
	for (int t = 0; t < GENERATION_TABLES; t++) {
		/* One batch may be staged before generation_full is asked again. */
		g->rows[t] = overlay_new(limit(t, records) + one_batch(t), tables[t].row);
		if (g->rows[t] == NULL)
			return KMS_E_NO_MEMORY;
	}
	return KMS_OK;
}

void
generation_free(struct generation *g)
{
	for (int t = 0; t < GENERATION_TABLES; t++)
		overlay_free(g->rows[t]);
	free(g->batches);
	free(g->order);
	usage_part_clear(&g->usage);
	memset(g, 0, sizeof(*g));
}

void
generation_clear(struct generation *g)
{
	for (int t = 0; t < GENERATION_TABLES; t++)
		overlay_clear(g->rows[t]);
	g->small_carried = false;
	free(g->order);
	g->order = NULL;
	usage_part_clear(&g->usage);
	g->batch_count = 0;
	g->others = false;
	g->carried = 0;
}

bool
generation_empty(const struct generation *g)
{
	return g->batch_count == 0 && !g->others;
}

bool
generation_full(const struct generation *g, size_t records)
{
	for (int t = 0; t < GENERATION_TABLES; t++) {
		if (overlay_count(g->rows[t]) >= limit(t, records))
			return true;
	}
	return g->batch_count >= GENERATION_BATCHES;
}

int
generation_reserve(struct generation *g)
{
	size_t room = g->batch_room == 0 ? 256 : g->batch_room * 2;
	struct batch_ref *more;

	if (g->batch_count < g->batch_room)
		return KMS_OK;
	if ((more = realloc(g->batches, room * sizeof(*more))) == NULL)
		return KMS_E_NO_MEMORY;
	g->batches = more;
	g->batch_room = room;
	return KMS_OK;
}

void
generation_add_other(struct generation *g)
{
	if (generation_empty(g))
		g->since = clock_seconds();
	g->others = true;
}

void
generation_add_batch(struct generation *g, const struct batch_ref *b)
{
	if (generation_empty(g))
		g->since = clock_seconds();
	g->batches[g->batch_count++] = *b;
	g->last = b->number;
	memcpy(g->hash, b->hash, 32);
}

bool
generation_batch(const struct generation *g, uint64_t number, struct batch_ref *out)
{
	uint64_t first = g->batch_count > 0 ? g->batches[0].number : UINT64_MAX;

	if (number < first || number - first >= g->batch_count)
		return false;
	*out = g->batches[number - first];
	return true;
}
