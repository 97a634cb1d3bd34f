/*
 * usage_rows.c - rows of usage.h: found, encoded, carried to the index, and shown.
 */
#include "kmsdb/usage_rows.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

static const char SINGLE_KEY[] = "usage";

void
usage_key(uint8_t key[ROW_USAGE_KEY], const uint8_t publisher[8], uint16_t pool, uint32_t day,
    uint16_t status)
{
	struct wire_writer w;

	wire_writer_init(&w, key, ROW_USAGE_KEY);
	wire_put(&w, publisher, 8);
	wire_put_u16(&w, pool);
	wire_put_u32(&w, day);
	wire_put_u16(&w, status);
}

uint32_t
usage_key_day(const uint8_t key[ROW_USAGE_KEY])
{
	struct wire_reader r;

	wire_reader_init(&r, key + 10, 4);
	return wire_get_u32(&r);
}

uint16_t
usage_key_status(const uint8_t key[ROW_USAGE_KEY])
{
	struct wire_reader r;

	wire_reader_init(&r, key + 14, 2);
	return wire_get_u16(&r);
}

bool
usage_old(const uint8_t key[ROW_USAGE_KEY], uint32_t day)
{
	return usage_key_day(key) < day && day - usage_key_day(key) >= USAGE_DAYS;
}

bool
usage_pool_at(const struct seats *seats, size_t *i, struct usage_pool *out)
{
	for (; *i < seats->tally_count; ++*i) {
		const struct tally *t = &seats->tallies[*i];
		size_t k = 0;

		while (k < *i && (seats->tallies[k].pool != t->pool ||
				     memcmp(seats->tallies[k].publisher, t->publisher, 8) != 0))
			k++;
		if (k < *i)
			continue;
		memcpy(out->publisher, t->publisher, 8);
		out->pool = t->pool;
		return true;
	}
	return false;
}

uint32_t
usage_counted(struct seats *seats, const struct usage_pool *pool, uint32_t minute)
{
	struct kmsdb_pool out;

	seats_sum(seats, pool->publisher, pool->pool, minute, &out);
	return out.counted;
}

/* -- one row -- */

size_t
usage_row_size(const uint8_t key[ROW_USAGE_KEY])
{
	return usage_key_status(key) != 0 ? 8 : ROW_USAGE;
}

size_t
usage_row_encode(uint8_t out[ROW_USAGE], const struct usage_row *row)
{
	struct wire_writer w;

	wire_writer_init(&w, out, ROW_USAGE);
	if (usage_key_status(row->key) != 0) {
		wire_put_u64(&w, row->refusals);
		return wire_written(&w);
	}
	wire_put_u32(&w, row->peak);
	wire_put_u32(&w, row->end);
	wire_put_u64(&w, row->first);
	wire_put_u64(&w, row->renewals);
	wire_put_u64(&w, row->releases);
	wire_put_u64(&w, row->clients);
	wire_put_u64(&w, row->batch);
	return wire_written(&w);
}

int
usage_row_decode(
    struct usage_row *row, const uint8_t *key, size_t key_len, const uint8_t *in, size_t len)
{
	struct wire_reader r;

	if (key_len != ROW_USAGE_KEY)
		return KMS_E_ALTERED;
	memset(row, 0, sizeof(*row));
	memcpy(row->key, key, ROW_USAGE_KEY);
	row->stored = true;
	wire_reader_init(&r, in, len);
	if (usage_key_status(key) != 0) {
		row->refusals = wire_get_u64(&r);
	} else {
		row->peak = wire_get_u32(&r);
		row->end = wire_get_u32(&r);
		row->first = wire_get_u64(&r);
		row->renewals = wire_get_u64(&r);
		row->releases = wire_get_u64(&r);
		row->clients = wire_get_u64(&r);
		row->batch = wire_get_u64(&r);
	}
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}

/* -- rows in memory -- */

/* The place of the key, or where it would be. */
static size_t
place(const struct usage *s, const uint8_t key[ROW_USAGE_KEY])
{
	size_t from = 0, to = s->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(s->rows[middle].key, key, ROW_USAGE_KEY) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct usage_row *
usage_rows_held(struct usage *s, const uint8_t key[ROW_USAGE_KEY])
{
	if (s->last >= s->count || memcmp(s->rows[s->last].key, key, ROW_USAGE_KEY) != 0)
		s->last = place(s, key);
	if (s->last >= s->count || memcmp(s->rows[s->last].key, key, ROW_USAGE_KEY) != 0)
		return NULL;
	return &s->rows[s->last];
}

static int
insert(struct usage *s, const struct usage_row *row, struct usage_row **out)
{
	size_t at = place(s, row->key);

	if (s->count == s->room) {
		size_t room = s->room == 0 ? 64 : s->room * 2;
		struct usage_row *more = realloc(s->rows, room * sizeof(*more));

		if (more == NULL)
			return KMS_E_NO_MEMORY;
		s->rows = more;
		s->room = room;
	}
	memmove(&s->rows[at + 1], &s->rows[at], (s->count - at) * sizeof(*s->rows));
	s->rows[at] = *row;
	s->count++;
	s->last = at;
	*out = &s->rows[at];
	return KMS_OK;
}

int
usage_rows_find(
    struct usage *s, const uint8_t key[ROW_USAGE_KEY], bool make, struct usage_row **row)
{
	struct usage_row fresh = { .changed = false };
	const uint8_t *octets;
	size_t len;
	int rc;

	if ((*row = usage_rows_held(s, key)) != NULL)
		return KMS_OK;
	rc = index_get(s->index, INDEX_USAGE, key, ROW_USAGE_KEY, &octets, &len);
	if (rc == KMS_OK)
		rc = usage_row_decode(&fresh, key, ROW_USAGE_KEY, octets, len);
	if (rc == KMS_E_NOT_FOUND) {
		if (!make)
			return KMS_OK;
		memcpy(fresh.key, key, ROW_USAGE_KEY);
		rc = KMS_OK;
	}
	return rc != KMS_OK ? rc : insert(s, &fresh, row);
}

int
usage_rows_put(struct usage *s, const struct usage_row *row)
{
	struct usage_row *held;
	bool stored;
	int rc = usage_rows_find(s, row->key, true, &held);

	if (rc != KMS_OK)
		return rc;
	stored = held->stored;
	*held = *row;
	held->stored = stored;
	held->changed = true;
	return KMS_OK;
}

void
usage_rows_remove(struct usage *s, struct usage_row *row)
{
	size_t at = (size_t)(row - s->rows);

	s->count--;
	memmove(row, row + 1, (s->count - at) * sizeof(*row));
}

/* -- the index -- */

int
usage_load(struct usage *s, struct index *index)
{
	const uint8_t *octets;
	struct wire_reader r;
	size_t len;
	int rc = index_get(index, INDEX_META, SINGLE_KEY, sizeof(SINGLE_KEY) - 1, &octets, &len);

	s->index = index;
	s->count = 0;
	s->day = 0;
	s->through = 0;
	if (rc == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc != KMS_OK)
		return rc;
	wire_reader_init(&r, octets, len);
	s->through = wire_get_u64(&r);
	s->day = wire_get_u32(&r);
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}

static bool
too_old(const uint8_t *key, size_t key_len, const void *day)
{
	return key_len == ROW_USAGE_KEY && usage_old(key, *(const uint32_t *)day);
}

int
usage_carry(struct index *index, struct usage_part *p)
{
	uint8_t row[ROW_USAGE];
	struct wire_writer w;
	int rc;

	if (p->carried)
		return KMS_OK;
	if ((rc = index_begin(index)) != KMS_OK)
		return rc;
	for (size_t i = 0; i < p->count; i++)
		index_put(index, INDEX_USAGE, p->rows[i].key, ROW_USAGE_KEY, row,
		    usage_row_encode(row, &p->rows[i]));
	if (p->drops)
		index_drop(index, INDEX_USAGE, too_old, &p->day);
	wire_writer_init(&w, row, sizeof(row));
	wire_put_u64(&w, p->through);
	wire_put_u32(&w, p->day);
	index_put(index, INDEX_META, SINGLE_KEY, sizeof(SINGLE_KEY) - 1, row, wire_written(&w));
	rc = index_commit(index);
	p->carried = rc == KMS_OK;
	return rc;
}

void
usage_part_clear(struct usage_part *p)
{
	free(p->rows);
	memset(p, 0, sizeof(*p));
}

/* -- shown -- */

struct each {
	struct usage *s;
	struct seats *seats;
	uint64_t now;
	size_t next; /* row of s */
	int (*fn)(const struct kmsdb_usage *row, void *arg);
	int (*raw)(const struct usage_row *row, void *arg); /* instead of fn */
	void *arg;
};

static int
show(struct each *e, const struct usage_row *row)
{
	struct kmsdb_usage out = { .peak = row->peak,
		.end = row->end,
		.first = row->first,
		.renewals = row->renewals,
		.releases = row->releases,
		.clients = row->clients,
		.refusals = row->refusals };

	memcpy(out.publisher, row->key, 8);
	out.pool = (uint16_t)(row->key[8] << 8 | row->key[9]);
	out.day = usage_key_day(row->key);
	out.status = usage_key_status(row->key);
	if (usage_old(row->key, e->s->day))
		return 0;
	if (e->raw != NULL)
		return e->raw(row, e->arg);
	if (out.status == 0 && out.day == e->s->day) {
		struct usage_pool pool = { .pool = out.pool };

		memcpy(pool.publisher, out.publisher, 8);
		out.end = usage_counted(e->seats, &pool, (uint32_t)(e->now / 60));
	}
	return e->fn(&out, e->arg);
}

/* The rows of memory that come before the key; NULL: all. */
static int
show_held(struct each *e, const uint8_t *key)
{
	int rc = 0;

	while (rc == 0 && e->next < e->s->count &&
	       (key == NULL || memcmp(e->s->rows[e->next].key, key, ROW_USAGE_KEY) < 0))
		rc = show(e, &e->s->rows[e->next++]);
	return rc;
}

static int
show_stored(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct each *e = arg;
	struct usage_row row;
	int rc = usage_row_decode(&row, key, key_len, octets, len);

	if (rc != KMS_OK || (rc = show_held(e, key)) != 0)
		return rc;
	if (e->next < e->s->count && memcmp(e->s->rows[e->next].key, key, ROW_USAGE_KEY) == 0)
		row = e->s->rows[e->next++];
	return show(e, &row);
}

int
usage_show(struct usage *s, struct seats *seats, const uint8_t *from, uint64_t now,
    int (*fn)(const struct kmsdb_usage *row, void *arg), void *arg)
{
	struct each e = { .s = s, .seats = seats, .now = now, .fn = fn, .arg = arg };
	int rc;

	if (from != NULL)
		e.next = place(s, from);
	rc = index_each_from(s->index, INDEX_USAGE, from, ROW_USAGE_KEY, show_stored, &e);
	return rc != 0 ? rc : show_held(&e, NULL);
}

int
usage_rows_each(struct usage *s, int (*fn)(const struct usage_row *row, void *arg), void *arg)
{
	struct each e = { .s = s, .raw = fn, .arg = arg };
	int rc = index_each(s->index, INDEX_USAGE, show_stored, &e);

	return rc != 0 ? rc : show_held(&e, NULL);
}
