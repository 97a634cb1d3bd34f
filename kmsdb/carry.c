/*
 * carry.c - slices of a generation, each with its rows, hosts and counters.
 */
#include "kmsdb/carry.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

/* Rows of a transaction: at worst each dirties a page of its own, which LMDB keeps: 12 MiB. */
#define SLICE 3072
#define DELTAS 1024 /* power of two */

/* The change of the count of (pool, day). */
struct delta {
	bool used;
	uint16_t pool;
	uint32_t day;
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
		const struct delta *d = &s->deltas[i];
		uint8_t key[ROW_DAY_KEY];
		struct wire_writer w;
		if (!d->used || d->by == 0)
			continue;
		wire_writer_init(&w, key, sizeof(key));
		wire_put(&w, s->seats->pools[d->pool].publisher, 8);
		wire_put_u16(&w, s->seats->pools[d->pool].number);
		wire_put_u32(&w, d->day);
		index_count_day(s->index, key, d->by);
	}
	memset(s->deltas, 0, sizeof(s->deltas));
	s->delta_count = 0;
}

/* What a row counts: row.h has the places of seat and day. */
static void
move(struct slice *s, const uint8_t *row, int by)
{
	uint16_t seat = (uint16_t)(row[0] << 8 | row[1]);
	uint32_t day = (uint32_t)row[12] << 16 | (uint32_t)row[13] << 8 | row[14];
	uint16_t pool = s->seats->seats[seat].pool;
	size_t i = (day * 31 + pool * 977u) % DELTAS;

	if (day == 0)
		return;
	while (s->deltas[i].used && (s->deltas[i].day != day || s->deltas[i].pool != pool))
		i = (i + 1) % DELTAS;
	if (!s->deltas[i].used) {
		s->deltas[i] = (struct delta){ .used = true, .pool = pool, .day = day };
		s->delta_count++;
	}
	s->deltas[i].by += by;
	if (s->delta_count > DELTAS / 2)
		flush_deltas(s);
}

/* Rows written: 0 or 1. */
static size_t
carry_host(struct slice *s, const uint8_t *cmid)
{
	const uint8_t *row;
	size_t len;

	if (overlay_count(s->g->rows[GENERATION_HOSTS]) == 0)
		return 0;
	switch (overlay_get(s->g->rows[GENERATION_HOSTS], cmid, &row, &len)) {
	case OVERLAY_ROW:
		index_put(s->index, INDEX_HOSTS, cmid, ROW_CMID, row, len);
		return 1;
	case OVERLAY_GONE:
		index_delete(s->index, INDEX_HOSTS, cmid, ROW_CMID);
		return 1;
	case OVERLAY_NO:
		break;
	}
	return 0;
}

/* One slice, beginning where the last one ended; returns its end. */
static size_t
carry_rows(struct slice *s, size_t count)
{
	size_t i = s->g->carried;

	for (size_t rows = 0; i < count && rows < SLICE; i++) {
		const uint8_t *cmid, *row;
		uint8_t old[ROW_CLIENT];
		size_t len;
		bool had;
		/*
		 * Records are in the order in which they came, so each one is far from the one
		 * before.
		 */
		if (i + 8 < count)
			overlay_prefetch(s->g->rows[GENERATION_CLIENTS], s->g->order[i + 8]);
		bool gone = overlay_at(s->g->rows[GENERATION_CLIENTS], s->g->order[i], &cmid, &row,
				&len) == OVERLAY_GONE;
		index_swap_client(s->index, cmid, gone ? NULL : row, old, &had);
		if (had)
			move(s, old, -1);
		if (!gone)
			move(s, row, 1);
		rows += 1 + carry_host(s, cmid);
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
		wire_put(&w, s->seats->pools[seat->pool].publisher, 8);
		wire_put_u16(&w, s->seats->pools[seat->pool].number);
		index_put(s->index, INDEX_SEATS, key, sizeof(key), row, sizeof(row));
	}
}

static void
carry_batches(struct slice *s)
{
	struct index_meta meta = { .schema = INDEX_SCHEMA, .last = s->g->last };

	for (size_t i = 0; i < s->g->batch_count; i++) {
		const struct batch_ref *b = &s->g->batches[i];
		uint8_t key[8], row[ROW_BATCH];
		struct wire_writer w;
		wire_writer_init(&w, key, sizeof(key));
		wire_put_u64(&w, b->number);
		wire_writer_init(&w, row, sizeof(row));
		wire_put_u64(&w, b->first);
		wire_put_u64(&w, b->offset);
		wire_put(&w, b->hash, 32);
		index_put(s->index, INDEX_BATCHES, key, sizeof(key), row, sizeof(row));
	}
	memcpy(meta.hash, s->g->hash, 32);
	index_put_meta(s->index, &meta);
}

/*
 * These rows are few and refer to no other table: they get transactions of their own, before the
 * clients.
 */
static int
carry_observed(struct index *index, struct generation *g)
{
	size_t count = overlay_count(g->rows[GENERATION_OBSERVED]);
	int status = KMS_OK;

	for (size_t from = 0; from < count && !g->observed_carried && status == KMS_OK;
	     from += SLICE) {
		size_t to = count - from < SLICE ? count : from + SLICE;

		if ((status = index_begin(index)) != KMS_OK)
			return status;
		for (size_t i = from; i < to; i++) {
			const uint8_t *address, *row;
			size_t len;

			if (overlay_at(g->rows[GENERATION_OBSERVED], (uint32_t)i, &address, &row,
				&len) == OVERLAY_ROW)
				index_put(index, INDEX_RELAYED, address, 16, row, len);
		}
		status = index_commit(index);
	}
	g->observed_carried = status == KMS_OK;
	return status;
}

int
carry(struct index *index, const struct seats *seats, struct generation *g)
{
	struct slice s = { .index = index, .seats = seats, .g = g };
	size_t count = overlay_count(g->rows[GENERATION_CLIENTS]), to;
	int status;

	if ((status = carry_observed(index, g)) != KMS_OK)
		return status;
	if (g->order == NULL) {
		g->order = malloc((count + 1) * sizeof(*g->order));
		if (g->order == NULL)
			return KMS_E_NO_MEMORY;
		overlay_sort(g->rows[GENERATION_CLIENTS], g->order);
	}
	do {
		if ((status = index_begin(index)) != KMS_OK)
			return status;
		if (g->carried == 0)
			carry_seats(&s);
		to = carry_rows(&s, count);
		if (to == count)
			carry_batches(&s);
		if ((status = index_commit(index)) != KMS_OK)
			return status;
		g->carried = to;
	} while (to < count);
	return KMS_OK;
}
