/*
 * own_rights.c - see own_rights.h.
 */
#include "kmsd/activate/share/own_rights.h"

#include <string.h>

#include "kmsd/activate/activate.h"

/* Up to which batch all have that host's chain. here: up to which this one has it. */
static uint64_t
heard_by_all(const struct members *m, const uint8_t host[16], uint64_t here)
{
	uint64_t others = members_heard(m, host);

	return others < here ? others : here;
}

void
own_rights_told(struct own_rights *r, const struct members *m, const uint8_t own[16], uint64_t head,
    uint64_t told)
{
	struct rights_member beats[SHARE_MEMBERS + 1] = { { .beat = told } };
	unsigned count = 1;

	memcpy(r->heard[0].host, own, 16);
	r->heard[0].number = heard_by_all(m, own, head);
	for (unsigned i = 0; i < m->count; i++) {
		const struct member *member = &m->at[i];

		if (!member->chain)
			continue;
		beats[count].beat = member->beats ? member->beat.time : 0;
		memcpy(r->heard[count].host, member->host, 16);
		r->heard[count++].number = heard_by_all(m, member->host, member->last);
	}
	r->count = count;
	r->since = rights_since(beats, count);
}

bool
own_rights_purse(const struct activate *a, const struct own_rights *r, const struct publisher *p,
    const struct policy_pool *pool, struct rights_purse *out)
{
	uint32_t capacity = publisher_capacity(p, pool);
	const struct kmsdb_beats beats = {
		.since = r->since, .now = a->now, .heard = r->heard, .count = r->count
	};

	if (capacity == 0)
		return false;
	if (kmsdb_rights(a->db, p->public.key.id, pool->number, &beats,
		(uint64_t)capacity + policy_overdraft(pool, capacity), out) != KMS_OK)
		memset(out, 0, sizeof(*out));
	return true;
}

void
own_rights_each(const struct activate *a, const struct own_rights *r,
    void (*fn)(const struct own_pool *pool, void *arg), void *arg)
{
	for (unsigned i = 0; i < a->publishers.count; i++) {
		const struct publisher *p = &a->publishers.list[i];

		for (unsigned n = 0; p->confirmed && p->pack != NULL && n < p->pack->pool_count;
		     n++) {
			struct own_pool pool = { .publisher = p, .pool = &p->pack->pools[n] };

			if (!own_rights_purse(a, r, p, pool.pool, &pool.purse))
				continue;
			pool.left = rights_left(&pool.purse);
			fn(&pool, arg);
		}
	}
}

uint32_t
own_rights_to_give(uint64_t left, uint64_t reserve, uint32_t wanted)
{
	uint64_t free = left > reserve ? left - reserve : 0, half = free - free / 2;

	return half < wanted ? (uint32_t)half : wanted;
}
