/*
 * carry.c - slices of a generation, each with its rows and counts.
 */
#include "kmsdb/carry.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

/* Rows of a transaction: at worst each dirties a page of its own, which LMDB keeps: 12 MiB. */
#define SLICE 3072
#define DELTAS 1024 /* power of two */

/* The change of a count row. */
struct delta {
	bool used;
	uint8_t key[ROW_COUNT_KEY];
	int64_t by;
};

struct slice {
	struct index *index;
	const struct seats *seats;
	struct generation *g;
	struct delta deltas[DELTAS];
	size_t delta_count;
};

static void
flush_deltas(struct slice *s)
{
	for (size_t i = 0; i < DELTAS; i++) {
		if (s->deltas[i].used && s->deltas[i].by != 0)
			index_count(s->index, s->deltas[i].key, s->deltas[i].by);
	}
	memset(s->deltas, 0, sizeof(s->deltas));
	s->delta_count = 0;
}

/* What a row counts, if anything. */
static void
move(struct slice *s, const uint8_t row[ROW_HOT], int by)
{
	uint32_t until = row_hot_counts(row);
	uint16_t seat = row_hot_seat(row);
	uint8_t key[ROW_COUNT_KEY];
	size_t i;

	if (until == 0 || seat == ROW_NO_SEAT)
		return;
	seats_count_key(
	    key, &s->seats->seats[seat], row_hot_borrowed(row), row_hot_holder(row), until);
	i = (until / 60 * 31 + seat * 977u) % DELTAS;
	while (s->deltas[i].used && memcmp(s->deltas[i].key, key, sizeof(key)) != 0)
		i = (i + 1) % DELTAS;
	if (!s->deltas[i].used) {
		s->deltas[i].used = true;
		memcpy(s->deltas[i].key, key, sizeof(key));
		s->delta_count++;
	}
	s->deltas[i].by += by;
	if (s->delta_count > DELTAS / 2)
		flush_deltas(s);
}

/* Rows written: 0 or 1. */
static size_t
carry_cold(struct slice *s, const uint8_t *cmid, const uint8_t hot[ROW_HOT])
{
	uint8_t blank[ROW_COLD];
	struct kmsdb_cold cold;
	const uint8_t *row;
	size_t len;

	if (overlay_count(s->g->rows[GENERATION_COLD]) == 0 ||
	    overlay_get(s->g->rows[GENERATION_COLD], cmid, &row, &len) != OVERLAY_ROW)
		return 0;
	/* It may be from before the names of that time were erased. */
	if (row_hot_last_seen(hot) <= s->g->floors.names &&
	    row_cold_decode(&cold, cmid, row, len) == KMS_OK) {
		apply_blank(&cold);
		len = row_cold_encode(blank, &cold);
		row = blank;
	}
	index_put(s->index, INDEX_COLD, cmid, ROW_CMID, row, len);
	return 1;
}

/* One slice, beginning where the last one ended; returns its end. */
static size_t
carry_rows(struct slice *s, size_t count)
{
	size_t i = s->g->carried;

	for (size_t rows = 0; i < count && rows < SLICE; i++) {
		const uint8_t *cmid, *row;
		uint8_t old[ROW_HOT];
		size_t len;
		bool had;
		/*
		 * Records are in the order in which they came, so each one is far from the one
		 * before.
		 */
		if (i + 8 < count)
			overlay_prefetch(s->g->rows[GENERATION_HOT], s->g->order[i + 8]);
		overlay_at(s->g->rows[GENERATION_HOT], s->g->order[i], &cmid, &row, &len);
		index_swap_hot(s->index, cmid, row, old, &had);
		if (had)
			move(s, old, -1);
		move(s, row, 1);
		rows += 1 + carry_cold(s, cmid, row);
	}
	flush_deltas(s);
	return i;
}

/* Rows refer to seats, so seats are written first; they are few, so all of them are. */
static void
carry_seats(struct slice *s)
{
	for (size_t i = 0; i < s->g->seat_count; i++) {
		const struct seat *seat = &s->seats->seats[i];
		uint8_t key[2] = { (uint8_t)(i >> 8), (uint8_t)i }, row[ROW_SEAT];
		struct wire_writer w;
		wire_writer_init(&w, row, sizeof(row));
		wire_put(&w, seat->product, 16);
		wire_put(&w, seat->publisher, 8);
		wire_put_u16(&w, seat->pool);
		wire_put_u16(&w, seat->class);
		index_put(s->index, INDEX_SEATS, key, sizeof(key), row, sizeof(row));
	}
}

/* Batches of the own chain, 0; and how far each chain is applied. */
static void
carry_batches(struct slice *s)
{
	uint8_t key[ROW_BATCH_KEY] = { 0 }, row[ROW_BATCH];
	struct wire_writer w;

	for (size_t i = 0; i < s->g->batch_count; i++) {
		const struct batch_ref *b = &s->g->batches[i];
		wire_writer_init(&w, key, sizeof(key));
		wire_put_u16(&w, 0);
		wire_put_u64(&w, b->number);
		wire_writer_init(&w, row, sizeof(row));
		wire_put_u64(&w, b->first);
		wire_put_u64(&w, b->offset);
		wire_put(&w, b->hash, 32);
		index_put(s->index, INDEX_BATCHES, key, sizeof(key), row, sizeof(row));
	}
	chains_put(s->index, &s->g->chains);
}

static void
carry_meta(struct slice *s)
{
	struct index_meta meta = {
		.schema = INDEX_SCHEMA,
		.last = s->g->last,
		.counter = s->g->counter,
		.floors = s->g->floors,
	};

	memcpy(meta.hash, s->g->hash, 32);
	index_put_meta(s->index, &meta);
	base_state_put(s->index, &s->g->base);
}

static int
carry_table(struct index *index, const struct generation *g, enum generation_table table)
{
	size_t count = overlay_count(g->rows[table]);
	int rc = KMS_OK;

	for (size_t from = 0; from < count && rc == KMS_OK; from += SLICE) {
		size_t to = count - from < SLICE ? count : from + SLICE;

		if ((rc = index_begin(index)) != KMS_OK)
			return rc;
		for (size_t i = from; i < to; i++) {
			const uint8_t *key, *row;
			size_t len;

			if (overlay_at(g->rows[table], (uint32_t)i, &key, &row, &len) ==
			    OVERLAY_ROW)
				index_put(index, generation_index(table), key, 16, row, len);
		}
		rc = index_commit(index);
	}
	return rc;
}

/*
 * These rows are few and refer to no other table: they get transactions of their own, before the
 * clients.
 */
static int
carry_small(struct index *index, struct generation *g)
{
	int rc = KMS_OK;

	for (int t = GENERATION_OBSERVED; t < GENERATION_TABLES && !g->small_carried; t++)
		if ((rc = carry_table(index, g, t)) != KMS_OK)
			return rc;
	g->small_carried = true;
	return KMS_OK;
}

/* When this is cut short, the rows that are left are absent all the same. */
static int
carry_expiry(struct index *index, const struct generation *g)
{
	uint8_t next[ROW_CMID] = { 0 };
	bool more = true;
	int rc = KMS_OK;

	while (more && rc == KMS_OK)
		rc = index_expire(index, next, &g->floors, &more);
	return rc;
}

/* Batches that were dropped are found in journal/dropped. */
static int
carry_dropped(struct index *index, const struct generation *g)
{
	uint8_t before[ROW_BATCH_KEY];
	struct wire_writer w;
	bool more = g->first > 1;
	int rc = KMS_OK;

	wire_writer_init(&w, before, sizeof(before));
	wire_put_u16(&w, 0);
	wire_put_u64(&w, g->first);
	while (more && rc == KMS_OK)
		rc = index_drop_before(index, INDEX_BATCHES, before, sizeof(before), SLICE, &more);
	return rc;
}

int
carry(struct index *index, const struct seats *seats, struct generation *g)
{
	struct slice s = { .index = index, .seats = seats, .g = g };
	size_t count = overlay_count(g->rows[GENERATION_HOT]), to;
	int rc;

	/* First of all (usage.h). */
	if ((rc = usage_carry(index, &g->usage)) != KMS_OK ||
	    (rc = carry_small(index, g)) != KMS_OK)
		return rc;
	if (g->order == NULL) {
		g->order = malloc((count + 1) * sizeof(*g->order));
		if (g->order == NULL)
			return KMS_E_NO_MEMORY;
		overlay_sort(g->rows[GENERATION_HOT], g->order);
	}
	do {
		if ((rc = index_begin(index)) != KMS_OK)
			return rc;
		if (g->carried == 0)
			carry_seats(&s);
		to = carry_rows(&s, count);
		if (to == count) {
			carry_batches(&s);
			carry_meta(&s);
		}
		if ((rc = index_commit(index)) != KMS_OK)
			return rc;
		g->carried = to;
	} while (to < count);
	if (g->expires && (rc = carry_expiry(index, g)) != KMS_OK)
		return rc;
	return carry_dropped(index, g);
}
