/*
 * pool_words.h - the seats of a pool in words, from its row in the status of a running kmsd.
 */
#ifndef KMSCTL_HOST_POOL_WORDS_H
#define KMSCTL_HOST_POOL_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/host/reply.h"

#define POOL_WORDS 320

/* 0: the row does not say it, or there is none. */
struct pool_seats {
	const char *name; /* never NULL */
	uint64_t counted, capacity;
	uint64_t over, overdraft;        /* given beyond the capacity, and the most that are */
	uint64_t borrowed, borrow_seats; /* lent, and the most that are */
	uint64_t reclaim; /* minutes: a seat that was unseen for so long is taken when it is full */
	uint64_t next;    /* seconds: when the next seat comes back; of a full pool */
};
void pool_seats(struct pool_seats *out, const struct reply_row *row);
/* New clients are refused: neither the capacity nor the overdraft leaves a seat. */
bool pool_full(const struct pool_seats *s);
/* "all 3 seats are taken, and 1 of 1 beyond them; 1 is lent" */
void pool_words(char out[POOL_WORDS], const struct pool_seats *s);

/* Is the text, as a person types it, that pool: NAME, or PUBLISHER/NAME? */
bool pool_is_named(const char *text, const char *publisher, const char *name);

/* The row of that pool; NULL: there is none. */
const struct reply_row *pool_row(
    const struct reply *status, const uint8_t publisher[8], uint16_t number);

#endif
