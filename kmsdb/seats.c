/*
 * seats.c - seats and pools, found by a walk from the seat found last: there are
 * as many as there are products, a few dozen.
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
	s->pools = calloc(POOLS_MAX, sizeof(*s->pools));
	return s->seats != NULL && s->pools != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

void
seats_free(struct seats *s)
{
	for (size_t i = 0; i < s->pool_count; i++)
		free(s->pools[i].days);
	free(s->pools);
	free(s->seats);
	memset(s, 0, sizeof(*s));
}

const struct pool *
seats_pool_find(const struct seats *s, const uint8_t publisher[8], uint16_t number)
{
	for (size_t i = 0; i < s->pool_count; i++) {
		const struct pool *p = &s->pools[i];
		if (p->number == number && memcmp(p->publisher, publisher, 8) == 0)
			return p;
	}
	return NULL;
}

int
seats_pool(struct seats *s, const uint8_t publisher[8], uint16_t number, uint16_t *index)
{
	const struct pool *found = seats_pool_find(s, publisher, number);
	struct pool *p;

	if (found != NULL) {
		*index = (uint16_t)(found - s->pools);
		return KMS_OK;
	}
	if (s->pool_count == POOLS_MAX)
		return KMS_E_LIMIT;
	p = &s->pools[s->pool_count];
	memcpy(p->publisher, publisher, 8);
	p->number = number;
	*index = (uint16_t)s->pool_count++;
	return KMS_OK;
}

static bool
seat_is(const struct seats *s, size_t i, const uint8_t product[16], const uint8_t publisher[8],
    uint16_t pool)
{
	const struct seat *seat = &s->seats[i];
	const struct pool *p = &s->pools[seat->pool];

	return memcmp(seat->product, product, 16) == 0 && p->number == pool &&
	       memcmp(p->publisher, publisher, 8) == 0;
}

int
seats_find(struct seats *s, const uint8_t product[16], const uint8_t publisher[8], uint16_t pool,
    uint16_t *seat)
{
	uint16_t index;
	int status;

	if (s->last < s->count && seat_is(s, s->last, product, publisher, pool)) {
		*seat = (uint16_t)s->last;
		return KMS_OK;
	}
	for (size_t i = 0; i < s->count; i++) {
		if (seat_is(s, i, product, publisher, pool)) {
			*seat = (uint16_t)(s->last = i);
			return KMS_OK;
		}
	}
	if (s->count == SEATS_MAX)
		return KMS_E_LIMIT;
	if ((status = seats_pool(s, publisher, pool, &index)) != KMS_OK)
		return status;
	memcpy(s->seats[s->count].product, product, 16);
	s->seats[s->count].pool = index;
	*seat = (uint16_t)(s->last = s->count++);
	return KMS_OK;
}

bool
seats_fill(const struct seats *s, uint16_t seat, struct kmsdb_client *c)
{
	const struct pool *p;

	if (seat >= s->count)
		return false;
	p = &s->pools[s->seats[seat].pool];
	memcpy(c->product, s->seats[seat].product, 16);
	memcpy(c->publisher, p->publisher, 8);
	c->pool = p->number;
	return true;
}

/* The place of day, or where it would be; changes are near the end, so search from there. */
static size_t
day_place(const struct pool *p, uint32_t day)
{
	size_t i = p->day_count;

	while (i > 0 && p->days[i - 1].day >= day)
		i--;
	return i;
}

int
pool_count(struct pool *p, uint32_t day, int64_t by)
{
	size_t i = day_place(p, day);

	if (i == p->day_count || p->days[i].day != day) {
		if (p->day_count == p->day_room) {
			size_t room = p->day_room == 0 ? 64 : p->day_room * 2;
			struct pool_day *more = realloc(p->days, room * sizeof(*more));
			if (more == NULL)
				return KMS_E_NO_MEMORY;
			p->days = more;
			p->day_room = room;
		}
		memmove(&p->days[i + 1], &p->days[i], (p->day_count - i) * sizeof(*p->days));
		p->days[i] = (struct pool_day){ .day = day };
		p->day_count++;
	}
	p->days[i].count = (uint32_t)((int64_t)p->days[i].count + by);
	if (p->days[i].count == 0) {
		p->day_count--;
		memmove(&p->days[i], &p->days[i + 1], (p->day_count - i) * sizeof(*p->days));
	}
	return KMS_OK;
}

uint32_t
pool_sum(const struct pool *p, uint32_t from)
{
	uint32_t sum = 0;

	for (size_t i = p->day_count; i > 0 && p->days[i - 1].day >= from; i--)
		sum += p->days[i - 1].count;
	return sum;
}

static int
load_seat(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct seats *seats = arg;
	uint16_t seat;
	int status;

	if (key_len != 2 || len != ROW_SEAT || (size_t)(key[0] << 8 | key[1]) != seats->count)
		return KMS_E_ALTERED;
	status = seats_find(seats, row, row + 16, (uint16_t)(row[24] << 8 | row[25]), &seat);
	return status == KMS_OK && seat + (size_t)1 != seats->count ? KMS_E_ALTERED : status;
}

static int
load_day(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct seats *seats = arg;
	struct wire_reader k, v;
	uint32_t day, count;
	uint16_t number, index;
	int status;

	if (key_len != ROW_DAY_KEY || len != 4)
		return KMS_E_ALTERED;
	wire_reader_init(&k, key + 8, 6);
	number = wire_get_u16(&k);
	day = wire_get_u32(&k);
	wire_reader_init(&v, row, 4);
	count = wire_get_u32(&v);
	if ((status = seats_pool(seats, key, number, &index)) != KMS_OK)
		return status;
	return count == 0 ? KMS_OK : pool_count(&seats->pools[index], day, count);
}

int
seats_load(struct seats *seats, struct index *ix)
{
	int status = index_each(ix, INDEX_SEATS, load_seat, seats);

	return status != KMS_OK ? status : index_each(ix, INDEX_DAYS, load_day, seats);
}
