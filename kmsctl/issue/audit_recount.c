/*
 * audit_recount.c - see audit_recount.h. A client that counts from minute a until b (exclusive) is
 * counted at the end of day d, its minute 1439, if a / 1440 <= d < b / 1440. So a span is two
 * changes of a figure, and the figures are sums over the days.
 */
#include "kmsctl/issue/audit_recount.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

/* Seats that ended so long ago are no longer asked for, unless the clock goes back farther. */
#define PASSED (2 * AUDIT_DAY)
/* Slots that may be kept: more than those of which AUDIT_SLOTS are later, and those PASSED. */
#define MOST_ROOM 16384

_Static_assert(MOST_ROOM >= AUDIT_SLOTS + PASSED, "room for what counts");

struct day_row {
	uint8_t key[6]; /* pool 2, day 4: big-endian */
	int64_t counted, holding;
};

void
audit_recount_init(struct audit_recount *r)
{
	memset(r, 0, sizeof(*r));
	audit_table_init(&r->days, sizeof(struct day_row), sizeof(((struct day_row *)0)->key));
}

void
audit_recount_free(struct audit_recount *r)
{
	for (unsigned i = 0; i < r->pool_count; i++)
		free(r->pools[i].slots);
	audit_table_free(&r->days);
	r->pool_count = 0;
}

/* -- days -- */

static int
change(struct audit_recount *r, uint16_t pool, uint32_t day, int counted, int holding)
{
	const uint8_t key[6] = { (uint8_t)(pool >> 8), (uint8_t)pool, (uint8_t)(day >> 24),
		(uint8_t)(day >> 16), (uint8_t)(day >> 8), (uint8_t)day };
	struct day_row *row = audit_table_at(&r->days, key);

	if (row == NULL)
		return KMS_E_NO_MEMORY;
	row->counted += counted;
	row->holding += holding;
	return KMS_OK;
}

int
audit_recount_span(struct audit_recount *r, uint16_t pool, uint32_t from, uint32_t end, bool seat)
{
	uint32_t first = from / AUDIT_DAY, last = end / AUDIT_DAY;
	int rc;

	if (first >= last)
		return KMS_OK;
	rc = change(r, pool, first, seat, !seat);
	return rc == KMS_OK ? change(r, pool, last, -(int)seat, -(int)!seat) : rc;
}

/* The span is over at that minute. */
static int
close_span(struct audit_recount *r, struct audit_span *s, uint32_t minute, bool seat)
{
	uint32_t end = s->until < minute ? s->until : minute;
	int rc;

	if (!s->open)
		return KMS_OK;
	s->open = false;
	if (r->spans != NULL &&
	    (rc = audit_spans_add(r->spans, r->client,
		 &(struct audit_span_row){
		     .pool = s->pool, .seat = seat, .from = s->from, .end = end },
		 &s->kept)) != KMS_OK)
		return rc;
	return audit_recount_span(r, s->pool, s->from, end, seat);
}

static int
by_pool_and_day(const void *x, const void *y)
{
	const struct audit_day *a = x, *b = y;

	if (a->pool != b->pool)
		return a->pool < b->pool ? -1 : 1;
	return a->day < b->day ? -1 : a->day > b->day;
}

/* Changes become figures. A day on which as many left as came is no change. */
static size_t
sum_up(struct audit_day *days, size_t count)
{
	struct audit_day sum = { 0 };
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (i == 0 || days[i].pool != sum.pool)
			sum = (struct audit_day){ .pool = days[i].pool };
		if (days[i].counted == 0 && days[i].holding == 0)
			continue;
		sum.day = days[i].day;
		sum.counted += days[i].counted;
		sum.holding += days[i].holding;
		days[kept++] = sum;
	}
	return kept;
}

int
audit_recount_days(struct audit_recount *r, struct audit_day **out, size_t *count)
{
	struct audit_day *days = calloc(r->days.count + 1, sizeof(*days));

	*out = days;
	*count = 0;
	if (days == NULL)
		return KMS_E_NO_MEMORY;
	for (size_t i = 0; i < r->days.count; i++) {
		const struct day_row *row = audit_table_row(&r->days, i);
		const uint8_t *k = row->key;

		days[i] = (struct audit_day){ .pool = (uint16_t)(k[0] << 8 | k[1]),
			.day = (uint32_t)k[2] << 24 | (uint32_t)k[3] << 16 | (uint32_t)k[4] << 8 |
			       k[5],
			.counted = row->counted,
			.holding = row->holding };
	}
	qsort(days, r->days.count, sizeof(*days), by_pool_and_day);
	*count = sum_up(days, r->days.count);
	return KMS_OK;
}

/* -- seats of a pool -- */

static struct audit_pool *
pool_of(struct audit_recount *r, uint16_t number)
{
	for (unsigned i = 0; i < r->pool_count; i++)
		if (r->pools[i].number == number)
			return &r->pools[i];
	return NULL;
}

/* Index of the first slot that is later than the minute. */
static size_t
later(const struct audit_pool *p, uint32_t minute)
{
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->slots[middle].until > minute)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Those that are over. */
static void
drop_passed(struct audit_pool *p)
{
	size_t first = p->latest > PASSED ? later(p, p->latest - PASSED) : 0;

	memmove(p->slots, p->slots + first, (p->count - first) * sizeof(*p->slots));
	p->count -= first;
}

static int
make_room(struct audit_pool *p)
{
	struct audit_slot *grown;
	size_t room = p->room != 0 ? 2 * p->room : 64;

	if (p->count == p->room && p->count > 0)
		drop_passed(p);
	if (p->count < p->room)
		return KMS_OK;
	if (p->room >= MOST_ROOM)
		return KMS_E_FULL;
	if ((grown = realloc(p->slots, room * sizeof(*grown))) == NULL)
		return KMS_E_NO_MEMORY;
	p->slots = grown;
	p->room = room;
	return KMS_OK;
}

/* KMS_E_FULL: it has no place. */
static int
seat_add(struct audit_pool *p, uint32_t minute, uint32_t until)
{
	size_t at = later(p, until);
	int rc;

	if (at > 0 && p->slots[at - 1].until == until) {
		p->slots[at - 1].count++;
		return KMS_OK;
	}
	if (p->count - later(p, minute) >= AUDIT_SLOTS)
		return KMS_E_FULL;
	if ((rc = make_room(p)) != KMS_OK)
		return rc;
	at = later(p, until);
	memmove(p->slots + at + 1, p->slots + at, (p->count - at) * sizeof(*p->slots));
	p->slots[at] = (struct audit_slot){ until, 1 };
	p->count++;
	return KMS_OK;
}

/* Its slot may have been dropped. */
static void
seat_remove(struct audit_pool *p, uint32_t until)
{
	size_t at = later(p, until);

	if (at == 0 || p->slots[at - 1].until != until || --p->slots[at - 1].count > 0)
		return;
	memmove(p->slots + at - 1, p->slots + at, (p->count - at) * sizeof(*p->slots));
	p->count--;
}

static int
take_pool(struct audit_recount *r, uint16_t number, struct audit_pool **out)
{
	if ((*out = pool_of(r, number)) != NULL)
		return KMS_OK;
	if (r->pool_count == AUDIT_POOLS)
		return KMS_E_TOO_LARGE;
	*out = &r->pools[r->pool_count++];
	**out = (struct audit_pool){ .number = number };
	return KMS_OK;
}

int
audit_recount_leave(struct audit_recount *r, struct audit_span *seat, uint32_t minute)
{
	struct audit_pool *p = seat->open && seat->listed ? pool_of(r, seat->pool) : NULL;

	if (p != NULL)
		seat_remove(p, seat->until);
	return close_span(r, seat, minute, true);
}

int
audit_recount_sit(struct audit_recount *r, struct audit_span *seat, uint16_t pool, uint32_t minute,
    uint32_t until, enum audit_join *joins)
{
	struct audit_pool *p;
	bool more = !seat->open || !seat->listed || seat->pool != pool || seat->until <= minute;
	int rc;

	*joins = more ? JOIN_MORE : JOIN_NONE;
	if ((rc = take_pool(r, pool, &p)) != KMS_OK ||
	    (rc = audit_recount_leave(r, seat, minute)) != KMS_OK)
		return rc;
	if (minute > p->latest)
		p->latest = minute;
	rc = seat_add(p, minute, until);
	*seat = (struct audit_span){ true, rc == KMS_OK, pool, minute, until, seat->kept };
	if (rc != KMS_E_FULL)
		return rc;
	*joins = JOIN_TOO_MANY;
	return KMS_OK;
}

int
audit_recount_let_go(struct audit_recount *r, struct audit_span *lease, uint32_t minute)
{
	return close_span(r, lease, minute, false);
}

int
audit_recount_hold(struct audit_recount *r, struct audit_span *lease, uint16_t pool,
    uint32_t minute, uint32_t until)
{
	int rc = audit_recount_let_go(r, lease, minute);

	*lease = (struct audit_span){ true, false, pool, minute, until, lease->kept };
	return rc;
}

uint64_t
audit_recount_at(const struct audit_recount *r, uint16_t pool, uint32_t minute)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < r->pool_count; i++) {
		const struct audit_pool *p = &r->pools[i];

		if (p->number != pool)
			continue;
		for (size_t n = later(p, minute); n < p->count; n++)
			count += p->slots[n].count;
	}
	return count;
}
