/*
 * usage.c - the rows of usage.h in memory: what an entry does to them, and how that is undone. As
 * with seats, a row is found from the one found last: on a busy day that is nearly always it.
 */
#include "kmsdb/usage.h"

#include <stdlib.h>
#include <string.h>

#include "kmsdb/kmsdb.h"
#include "libkms/core/entry_counters.h"
#include "libkms/kms_error.h"

void
usage_settle(struct usage *s)
{
	while (s->saved != NULL) {
		struct usage_saved *next = s->saved->before;

		free(s->saved);
		s->saved = next;
	}
}

void
usage_free(struct usage *s)
{
	usage_settle(s);
	free(s->rows);
	memset(s, 0, sizeof(*s));
}

/* -- undo -- */

/* One copy undoes everything that the entry does. */
static int
save(struct usage *s, struct usage_undo *u)
{
	struct usage_saved *saved;

	if (u->what == USAGE_SAVED)
		return KMS_OK;
	saved = malloc(sizeof(*saved) + s->count * sizeof(*s->rows));
	if (saved == NULL)
		return KMS_E_NO_MEMORY;
	saved->before = s->saved;
	saved->count = s->count;
	if (s->count > 0)
		memcpy(saved->rows, s->rows, s->count * sizeof(*s->rows));
	s->saved = saved;
	u->what = USAGE_SAVED;
	return KMS_OK;
}

/* There is room: the table has not shrunk since. */
static void
restore(struct usage *s)
{
	struct usage_saved *saved = s->saved;

	s->count = saved->count;
	if (s->count > 0)
		memcpy(s->rows, saved->rows, s->count * sizeof(*s->rows));
	s->saved = saved->before;
	free(saved);
}

void
usage_undo(struct usage *s, const struct usage_undo *u)
{
	struct usage_row *row;

	s->day = u->day;
	if (u->what == USAGE_SAVED)
		restore(s);
	if (u->what != USAGE_ROW && u->what != USAGE_MADE)
		return;
	if ((row = usage_rows_held(s, u->row.key)) == NULL)
		return;
	*row = u->row;
	if (u->what == USAGE_MADE)
		usage_rows_remove(s, row);
}

/* -- days -- */

/* Its minutes must fit too. */
#define DAY_MAX (UINT32_MAX / 1440 - 1)

static uint32_t
day_of(uint64_t time)
{
	return time / 86400 < DAY_MAX ? (uint32_t)(time / 86400) : DAY_MAX;
}

/* The row of a pool and a day; *row NULL: there is none, and nobody counts. */
static int
quiet_row(struct usage *s, const struct usage_pool *pool, uint32_t day, uint32_t counted,
    struct usage_row **row)
{
	uint8_t key[ROW_USAGE_KEY];

	usage_key(key, pool->publisher, pool->pool, day, 0);
	return usage_rows_find(s, key, counted > 0, row);
}

/* From the last day to the new one: the end of each, and what a day without entries was like. */
static int
pass_days(struct usage *s, struct seats *seats, const struct usage_pool *pool, uint32_t to)
{
	uint32_t oldest = to > USAGE_DAYS ? to - USAGE_DAYS + 1 : 0;
	struct usage_row *row;
	int rc;

	for (uint32_t day = s->day > oldest ? s->day : oldest; day <= to; day++) {
		uint32_t begin = usage_counted(seats, pool, day * 1440);

		if (day > s->day && begin == 0)
			return KMS_OK;
		if ((rc = quiet_row(s, pool, day, day > s->day ? begin : 0, &row)) != KMS_OK)
			return rc;
		if (row == NULL)
			continue;
		row->changed = true;
		if (day > s->day && begin > row->peak)
			row->peak = begin;
		if (day < to)
			row->end = usage_counted(seats, pool, day * 1440 + 1439);
	}
	return KMS_OK;
}

static int
begin_day(struct usage *s, struct seats *seats, uint32_t day)
{
	struct usage_pool pool;
	int rc = KMS_OK;

	for (size_t i = 0; rc == KMS_OK && usage_pool_at(seats, &i, &pool); i++)
		rc = pass_days(s, seats, &pool, day);
	s->day = day;
	return rc;
}

int
usage_reach(struct usage *s, struct seats *seats, const struct apply_entry *e, struct usage_undo *u)
{
	uint32_t day = day_of(e->time);
	int rc;

	u->what = USAGE_SAME;
	u->day = s->day;
	if (e->place.batch <= s->through || day == s->day)
		return KMS_OK;
	/* A clock that went back a little, at midnight, changes no day that is over. */
	if (s->day == 0 || day + 1 < s->day)
		s->day = day;
	if (day <= s->day)
		return KMS_OK;
	if ((rc = save(s, u)) != KMS_OK)
		return rc;
	return begin_day(s, seats, day);
}

/* -- entries -- */

/* The row, to be changed. */
static int
take_row(
    struct usage *s, const uint8_t key[ROW_USAGE_KEY], struct usage_undo *u, struct usage_row **row)
{
	bool held = usage_rows_held(s, key) != NULL;
	int rc = usage_rows_find(s, key, true, row);

	if (rc == KMS_OK && u->what == USAGE_SAME) {
		/* One that was only read from the index may stay. */
		u->what = held || (*row)->stored ? USAGE_ROW : USAGE_MADE;
		u->row = **row;
	}
	if (rc == KMS_OK)
		(*row)->changed = true;
	return rc;
}

static bool
is_act(int kind)
{
	return kind == ENTRY_LEASE || kind == ENTRY_SEEN || kind == ENTRY_RELEASE;
}

/* Has the client an act in this pool on this day already? */
static bool
acted(const struct kmsdb_client *c, const struct usage_row *row, const struct entry_client *e)
{
	return c != NULL && is_act(c->kind) && row->batch != 0 && c->batch >= row->batch &&
	       c->pool == e->pool && memcmp(c->publisher, e->publisher, 8) == 0;
}

int
usage_act(struct usage *s, const struct kmsdb_client *before, const struct apply_entry *e,
    struct usage_undo *u)
{
	const struct entry_client *in = &e->client;
	uint8_t key[ROW_USAGE_KEY];
	struct usage_row *row;
	int rc;

	if (!is_act(e->kind) || e->place.batch <= s->through)
		return KMS_OK;
	usage_key(key, in->publisher, in->pool, day_of(e->time), 0);
	if ((rc = take_row(s, key, u, &row)) != KMS_OK)
		return rc;
	row->clients += !acted(before, row, in);
	if (row->batch == 0)
		row->batch = e->place.batch;
	if (e->kind == ENTRY_RELEASE) {
		row->releases++;
		return KMS_OK;
	}
	if (in->count > row->peak)
		row->peak = in->count;
	if (before != NULL &&
	    kmsdb_client_counts(before, in->publisher, in->pool, (uint32_t)(e->time / 60)))
		row->renewals++;
	else
		row->first++;
	return KMS_OK;
}

int
usage_counters(struct usage *s, const struct apply_entry *e, struct usage_undo *u)
{
	struct entry_counter c;
	uint8_t key[ROW_USAGE_KEY];
	struct usage_row *row;
	int rc = KMS_OK;

	if (e->place.batch <= s->through || (rc = save(s, u)) != KMS_OK)
		return rc;
	for (size_t i = 0; i < entry_counters_count(e->blob_len) && rc == KMS_OK; i++) {
		entry_counters_get(&c, e->blob, i);
		usage_key(key, c.publisher, c.pool, day_of(e->time), c.status);
		if ((rc = take_row(s, key, u, &row)) == KMS_OK)
			row->refusals += c.refusals;
	}
	return rc;
}

/* -- to be written -- */

int
usage_freeze(struct usage *s, struct usage_part *out, uint64_t last)
{
	size_t kept = 0, changed = 0;

	out->rows = malloc((s->count + 1) * sizeof(*out->rows));
	if (out->rows == NULL)
		return KMS_E_NO_MEMORY;
	for (size_t i = 0; i < s->count; i++) {
		struct usage_row *row = &s->rows[i];

		if (row->changed) {
			row->changed = false;
			row->stored = true;
			out->rows[changed++] = *row;
		} else if (usage_key_day(row->key) + 1 < s->day) {
			continue; /* the index has it, and it will hardly be asked for */
		}
		s->rows[kept++] = *row;
	}
	s->count = kept;
	out->count = changed;
	out->through = last > s->through ? last : s->through;
	out->day = s->day;
	out->drops = s->day != s->dropped;
	out->carried = false;
	s->dropped = s->day;
	return KMS_OK;
}

int
usage_each(const struct usage *s, struct seats *seats, const uint8_t *from, uint64_t now,
    int (*fn)(const struct kmsdb_usage *row, void *arg), void *arg)
{
	struct usage copy = { .index = s->index, .day = s->day, .count = s->count };
	int rc = KMS_OK;

	/* With the days that no entry has ended yet. */
	copy.room = s->count + 1;
	copy.rows = malloc(copy.room * sizeof(*copy.rows));
	if (copy.rows == NULL)
		return KMS_E_NO_MEMORY;
	if (s->count > 0)
		memcpy(copy.rows, s->rows, s->count * sizeof(*s->rows));
	if (copy.day != 0 && day_of(now) > copy.day)
		rc = begin_day(&copy, seats, day_of(now));
	if (rc == KMS_OK)
		rc = usage_show(&copy, seats, from, now, fn, arg);
	usage_free(&copy);
	return rc;
}
