/*
 * seats.c - seats and tallies, found by a walk from the one found last: there are as many as there
 * are products and pools, a few dozen.
 */
#include "kmsdb/seats.h"

#include <stdlib.h>
#include <string.h>

#include "kmsdb/index.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

int
seats_init(struct seats *s)
{
	memset(s, 0, sizeof(*s));
	s->seats = calloc(SEATS_MAX, sizeof(*s->seats));
	s->tallies = calloc(TALLIES_MAX, sizeof(*s->tallies));
	return s->seats != NULL && s->tallies != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

void
seats_free(struct seats *s)
{
	for (size_t i = 0; i < s->tally_count; i++)
		free(s->tallies[i].slots);
	free(s->tallies);
	free(s->seats);
	memset(s, 0, sizeof(*s));
}

static bool
seat_is(const struct seat *seat, const struct kmsdb_client *c)
{
	return memcmp(seat->product, c->product, 16) == 0 && seat->pool == c->pool &&
	       seat->class == c->class && memcmp(seat->publisher, c->publisher, 8) == 0;
}

int
seats_find(struct seats *s, const struct kmsdb_client *c, uint16_t *seat)
{
	struct seat *fresh;

	if (s->last < s->count && seat_is(&s->seats[s->last], c)) {
		*seat = (uint16_t)s->last;
		return KMS_OK;
	}
	for (size_t i = 0; i < s->count; i++) {
		if (seat_is(&s->seats[i], c)) {
			*seat = (uint16_t)(s->last = i);
			return KMS_OK;
		}
	}
	if (s->count == SEATS_MAX)
		return KMS_E_LIMIT;
	fresh = &s->seats[s->count];
	memcpy(fresh->product, c->product, 16);
	memcpy(fresh->publisher, c->publisher, 8);
	fresh->pool = c->pool;
	fresh->class = c->class;
	*seat = (uint16_t)(s->last = s->count++);
	return KMS_OK;
}

int
seats_row_decode(const struct seats *s, struct client_row *r, const uint8_t cmid[ROW_CMID],
    const uint8_t *in, size_t len)
{
	const struct seat *from;
	struct kmsdb_client *c = &r->c;
	int rc = row_hot_decode(r, cmid, in, len);

	if (rc != KMS_OK || r->seat == ROW_NO_SEAT)
		return rc;
	if (r->seat >= s->count)
		return KMS_E_ALTERED;
	from = &s->seats[r->seat];
	c->seated = true;
	memcpy(c->product, from->product, 16);
	memcpy(c->publisher, from->publisher, 8);
	c->pool = from->pool;
	c->class = from->class;
	return KMS_OK;
}

static bool
tally_is(const struct tally *t, const struct tally *like)
{
	return t->pool == like->pool && t->class == like->class && t->borrowed == like->borrowed &&
	       t->holder == like->holder && memcmp(t->publisher, like->publisher, 8) == 0;
}

const struct tally *
seats_tally(const struct seats *s, const struct tally *like)
{
	for (size_t i = 0; i < s->tally_count; i++) {
		if (tally_is(&s->tallies[i], like))
			return &s->tallies[i];
	}
	return NULL;
}

static struct tally *
tally_of(struct seats *s, const struct seat *seat, bool borrowed, uint8_t holder)
{
	struct tally like = {
		.pool = seat->pool, .class = seat->class, .borrowed = borrowed, .holder = holder
	};
	const struct tally *found;

	memcpy(like.publisher, seat->publisher, 8);
	if (s->last_tally < s->tally_count && tally_is(&s->tallies[s->last_tally], &like))
		return &s->tallies[s->last_tally];
	if ((found = seats_tally(s, &like)) != NULL) {
		s->last_tally = (size_t)(found - s->tallies);
	} else {
		if (s->tally_count == TALLIES_MAX)
			return NULL;
		s->last_tally = s->tally_count++;
		s->tallies[s->last_tally] = like;
	}
	return &s->tallies[s->last_tally];
}

/* The place of until, or where it would be. */
static size_t
slot_place(const struct tally *t, uint32_t until)
{
	size_t low = 0, i = t->slot_count;

	while (low < i) {
		size_t middle = low + (i - low) / 2;

		if (t->slots[middle].until >= until)
			i = middle;
		else
			low = middle + 1;
	}
	return i;
}

static void
move_to(struct tally *t, uint32_t minute)
{
	t->at = minute;
	while (t->first < t->slot_count && t->slots[t->first].until <= minute)
		t->sum -= t->slots[t->first++].count;
	while (t->first > 0 && t->slots[t->first - 1].until > minute)
		t->sum += t->slots[--t->first].count;
}

static int
tally_count(struct tally *t, uint32_t until, int64_t by)
{
	size_t i = slot_place(t, until);

	if (i == t->slot_count || t->slots[i].until != until) {
		if (t->slot_count == t->slot_room) {
			size_t room = t->slot_room == 0 ? 64 : t->slot_room * 2;
			struct tally_slot *more = realloc(t->slots, room * sizeof(*more));
			if (more == NULL)
				return KMS_E_NO_MEMORY;
			t->slots = more;
			t->slot_room = room;
		}
		memmove(&t->slots[i + 1], &t->slots[i], (t->slot_count - i) * sizeof(*t->slots));
		t->slots[i] = (struct tally_slot){ .until = until };
		t->slot_count++;
		t->first += until <= t->at;
	}
	t->slots[i].count = (uint32_t)((int64_t)t->slots[i].count + by);
	if (until > t->at)
		t->sum = (uint32_t)((int64_t)t->sum + by);
	if (t->slots[i].count == 0) {
		t->slot_count--;
		t->first -= until <= t->at;
		memmove(&t->slots[i], &t->slots[i + 1], (t->slot_count - i) * sizeof(*t->slots));
	}
	return KMS_OK;
}

int
seats_count(
    struct seats *s, uint16_t seat, bool borrowed, uint8_t holder, uint32_t until, int64_t by)
{
	struct tally *t;

	if (until == 0 || seat >= s->count)
		return KMS_OK;
	t = tally_of(s, &s->seats[seat], borrowed, holder);
	return t == NULL ? KMS_E_LIMIT : tally_count(t, until, by);
}

static void
sooner(uint32_t *next, uint32_t until)
{
	if (until != 0 && (*next == 0 || until < *next))
		*next = until;
}

/* The tally from place i on that is of the pool, moved to the minute; NULL: there is no more. */
static struct tally *
next_of_pool(struct seats *s, size_t *i, const uint8_t publisher[8], uint16_t pool, uint32_t minute)
{
	while (*i < s->tally_count) {
		struct tally *t = &s->tallies[(*i)++];

		if (t->pool != pool || memcmp(t->publisher, publisher, 8) != 0)
			continue;
		move_to(t, minute);
		return t;
	}
	return NULL;
}

/* When the first that it counts no longer counts; 0: none does. */
static uint32_t
next_until(const struct tally *t)
{
	return t->first < t->slot_count ? t->slots[t->first].until : 0;
}

void
seats_sum(struct seats *s, const uint8_t publisher[8], uint16_t pool, uint32_t minute,
    struct kmsdb_pool *out)
{
	struct tally *t;
	size_t i = 0;

	memset(out, 0, sizeof(*out));
	while ((t = next_of_pool(s, &i, publisher, pool, minute)) != NULL) {
		uint32_t next = next_until(t);

		out->counted += t->sum;
		sooner(&out->next, next);
		if (!t->borrowed)
			continue;
		out->borrowed += t->sum;
		sooner(&out->next_borrowed, next);
	}
}

uint64_t
seats_held(const struct seats *s, const uint8_t publisher[8], uint16_t pool, uint32_t minute,
    uint8_t holder)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->tally_count; i++) {
		const struct tally *t = &s->tallies[i];

		if (t->pool != pool || t->holder != holder ||
		    memcmp(t->publisher, publisher, 8) != 0)
			continue;
		for (size_t k = t->slot_count; k-- > 0 && t->slots[k].until > minute;)
			n += t->slots[k].count;
	}
	return n;
}

void
seats_classes(struct seats *s, const uint8_t publisher[8], uint16_t pool, uint32_t minute,
    struct kmsdb_class *classes, unsigned count)
{
	struct tally *t;
	size_t i = 0;

	for (unsigned k = 0; k < count; k++)
		classes[k].counted = classes[k].next = 0;
	while ((t = next_of_pool(s, &i, publisher, pool, minute)) != NULL) {
		for (unsigned k = 0; k < count; k++) {
			if (classes[k].class != t->class)
				continue;
			classes[k].counted += t->sum;
			sooner(&classes[k].next, next_until(t));
		}
	}
}

void
seats_count_key(uint8_t key[ROW_COUNT_KEY], const struct seat *seat, bool borrowed, uint8_t holder,
    uint32_t until)
{
	struct wire_writer w;

	wire_writer_init(&w, key, ROW_COUNT_KEY);
	wire_put(&w, seat->publisher, 8);
	wire_put_u16(&w, seat->pool);
	wire_put_u16(&w, seat->class);
	wire_put_u8(&w, borrowed);
	wire_put_u32(&w, until);
	wire_put_u8(&w, holder);
}

static int
load_seat(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct seats *seats = arg;
	struct kmsdb_client c;
	struct wire_reader r;
	uint16_t seat;
	int rc;

	if (key_len != 2 || len != ROW_SEAT || (size_t)(key[0] << 8 | key[1]) != seats->count)
		return KMS_E_ALTERED;
	wire_reader_init(&r, row, len);
	wire_get(&r, c.product, 16);
	wire_get(&r, c.publisher, 8);
	c.pool = wire_get_u16(&r);
	c.class = wire_get_u16(&r);
	rc = seats_find(seats, &c, &seat);
	return rc == KMS_OK && seat + (size_t)1 != seats->count ? KMS_E_ALTERED : rc;
}

static int
load_count(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct seats *seats = arg;
	struct seat seat = { { 0 }, { 0 }, 0, 0 };
	struct kmsdb_count c;
	struct tally *t;

	if (index_count_decode(&c, key, key_len, row, len) != KMS_OK)
		return KMS_E_ALTERED;
	memcpy(seat.publisher, c.publisher, 8);
	seat.pool = c.pool;
	seat.class = c.class;
	if ((t = tally_of(seats, &seat, c.borrowed, c.holder)) == NULL)
		return KMS_E_LIMIT;
	return c.clients == 0 ? KMS_OK : tally_count(t, c.until, c.clients);
}

int
seats_load(struct seats *seats, struct index *ix)
{
	int rc = index_each(ix, INDEX_SEATS, load_seat, seats);

	return rc != KMS_OK ? rc : index_each(ix, INDEX_COUNTS, load_count, seats);
}
