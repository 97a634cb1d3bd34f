/*
 * relayed_limit.c - buckets in a table of fixed size. A source without a bucket counts as one with
 * a full bucket, so the fullest bucket is replaced; the sources that ask most stay.
 */
#include "kmsd/activate/relayed_limit.h"

#include <string.h>

#include "libkms/base/address.h"

#define CLOCK_WRONG 3600 /* seconds */

static uint32_t
set_of(const struct relayed_limit *l, uint64_t key)
{
	/* splitmix64's finish over the seeded key */
	uint64_t x = key ^ l->seed;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(x ^ x >> 31) % RELAYED_SETS;
}

static void
refill(struct relayed_left *b, uint32_t burst, uint32_t rate, uint64_t now)
{
	uint64_t gained = now > b->since ? (now - b->since) * rate : 0;

	b->left = b->since == 0 || gained >= burst - b->left ? burst : b->left + (uint32_t)gained;
	/*
	 * A clock that is set back a little refills nothing twice; a clock that was far ahead does
	 * not stop the bucket for ever.
	 */
	if (now > b->since || b->since - now > CLOCK_WRONG)
		b->since = now;
}

static struct relayed_left *
bucket(struct relayed_limit *l, uint64_t key, uint64_t now)
{
	struct relayed_left *set = l->sources[set_of(l, key)], *fullest = set;

	for (unsigned i = 0; i < RELAYED_WAYS; i++) {
		refill(&set[i], RELAYED_SOURCE_BURST, RELAYED_SOURCE_RATE, now);
		if (set[i].key == key)
			return &set[i];
		if (set[i].left > fullest->left)
			fullest = &set[i];
	}
	*fullest = (struct relayed_left){ key, now, RELAYED_SOURCE_BURST };
	return fullest;
}

void
relayed_limit_init(struct relayed_limit *l, uint64_t seed)
{
	memset(l, 0, sizeof(*l));
	l->seed = seed;
}

bool
relayed_limit_take(struct relayed_limit *l, const uint8_t source[16], uint64_t now)
{
	struct relayed_left *b = bucket(l, address_source(source), now);

	refill(&l->all, RELAYED_ALL_BURST, RELAYED_ALL_RATE, now);
	if (b->left == 0 || l->all.left == 0)
		return false;
	b->left--;
	l->all.left--;
	return true;
}
