/*
 * buckets.c - see buckets.h.
 */
#include "kmsd/activate/buckets.h"

#include <string.h>

#include "libkms/base/address.h"

#define CLOCK_WRONG 3600 /* seconds */

void
bucket_fill(struct bucket *b, const struct rate *rate, uint64_t now)
{
	uint64_t gained = now > b->since ? (now - b->since) * rate->refill : 0;

	/* A limit that a reload sets finds it full. */
	if (rate->burst == 0) {
		b->since = 0;
		return;
	}
	b->left = b->since == 0 || b->left > rate->burst || gained >= rate->burst - b->left
		      ? rate->burst
		      : b->left + (uint32_t)gained;
	/*
	 * A clock that is set back a little refills nothing twice; a clock that was far ahead does
	 * not stop the bucket for ever.
	 */
	if (now > b->since || b->since - now > CLOCK_WRONG)
		b->since = now;
}

void
buckets_init(struct buckets *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->seed = seed;
}

struct bucket *
buckets_find(struct buckets *t, const struct rate *rate, uint64_t key, uint64_t now)
{
	struct bucket *set = t->at[address_hash(key, t->seed) % BUCKET_SETS], *fullest = set;

	for (unsigned i = 0; i < BUCKET_WAYS; i++) {
		bucket_fill(&set[i], rate, now);
		if (set[i].key == key)
			return &set[i];
		if (set[i].left > fullest->left)
			fullest = &set[i];
	}
	*fullest = (struct bucket){ key, now, rate->burst };
	return fullest;
}

bool
bucket_has(const struct bucket *b, const struct rate *rate)
{
	return rate->burst == 0 || b->left > 0;
}

void
bucket_take(struct bucket *b)
{
	if (b->left > 0)
		b->left--;
}
