/*
 * buckets.h - how much each of many may do: a bucket of tokens for each key, in a table of fixed
 * size. Pure; time is an argument, in seconds.
 *
 * A key without a bucket counts as one with a full bucket, so a new key takes the place of the
 * fullest bucket in its set: those that ask most stay. So a table forgets nobody who is limited,
 * unless more ask at once than it has places; then the limit of all together has to hold.
 */
#ifndef KMSD_ACTIVATE_BUCKETS_H
#define KMSD_ACTIVATE_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/common/rate.h"

#define BUCKET_SETS 512
#define BUCKET_WAYS 8

struct bucket {
	uint64_t key;
	uint64_t since; /* second of the last look; 0: never used */
	uint32_t left;
};

struct buckets {
	uint64_t seed; /* so that nobody can choose keys that share a set */
	struct bucket at[BUCKET_SETS][BUCKET_WAYS];
};

void buckets_init(struct buckets *t, uint64_t seed);
/* The bucket of key, filled up to now. It is valid until the next call. */
struct bucket *buckets_find(struct buckets *t, const struct rate *rate, uint64_t key, uint64_t now);
/* A bucket that is in no table: fills it up to now. */
void bucket_fill(struct bucket *b, const struct rate *rate, uint64_t now);
/* Has it a token? A rate with burst 0 is no limit. */
bool bucket_has(const struct bucket *b, const struct rate *rate);
/* Takes one; nothing happens when it has none. */
void bucket_take(struct bucket *b);

#endif
