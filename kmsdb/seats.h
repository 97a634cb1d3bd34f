/*
 * seats.h - two small tables held in memory: the seats (product, publisher, pool and class as one
 * number) and the tallies (how many clients of a publisher, pool and class count until when,
 * borrowed or not, and by whose right).
 *
 * Seats are only ever added, in an array that never moves, so that the writer thread may read those
 * it knows of while the main thread adds more. Tallies are the main thread's alone.
 */
#ifndef KMSDB_SEATS_H
#define KMSDB_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/row.h"

#define SEATS_MAX 65535
#define TALLIES_MAX 8192

struct seat {
	uint8_t product[16];
	uint8_t publisher[8];
	uint16_t pool, class;
};
struct tally_slot {
	uint32_t until; /* minutes */
	uint32_t count;
};
struct tally {
	uint8_t publisher[8];
	uint16_t pool, class;
	bool borrowed;
	uint8_t holder;           /* enum row_holder */
	struct tally_slot *slots; /* ascending */
	size_t slot_count, slot_room;
	/* The sum of the slots from `first` on, those later than minute `at`: it moves with the
	 * clock. */
	uint32_t at, sum;
	size_t first;
};
struct seats {
	struct seat *seats; /* SEATS_MAX; untouched pages cost nothing */
	size_t count;
	struct tally *tallies; /* TALLIES_MAX */
	size_t tally_count;
	size_t last; /* seat found last */
	size_t last_tally;
};

struct index;

int seats_init(struct seats *s);
/* Seats and counts from the index, into fresh tables. */
int seats_load(struct seats *s, struct index *index);
void seats_free(struct seats *s);
/* The seat's number, made when absent; KMS_E_LIMIT. Only product, publisher, pool, class of c. */
int seats_find(struct seats *s, const struct kmsdb_client *c, uint16_t *seat);
/* row_hot_decode, and what the seat says. KMS_E_ALTERED too for a seat that does not exist. */
int seats_row_decode(const struct seats *s, struct client_row *r, const uint8_t cmid[ROW_CMID],
    const uint8_t *in, size_t len);
/*
 * Counts clients of a seat more or fewer (by +1, -1, or a number read from the index). Nothing for
 * until 0. KMS_E_LIMIT, KMS_E_NO_MEMORY.
 */
int seats_count(
    struct seats *s, uint16_t seat, bool borrowed, uint8_t holder, uint32_t until, int64_t by);
/* What of the pool counts at that minute. */
void seats_sum(struct seats *s, const uint8_t publisher[8], uint16_t pool, uint32_t minute,
    struct kmsdb_pool *out);
/* The same of these classes of it. */
void seats_classes(struct seats *s, const uint8_t publisher[8], uint16_t pool, uint32_t minute,
    struct kmsdb_class *classes, unsigned count);
/* How many of the pool count later than that minute by that holder's rights. */
uint64_t seats_held(const struct seats *s, const uint8_t publisher[8], uint16_t pool,
    uint32_t minute, uint8_t holder);
const struct tally *seats_tally(const struct seats *s, const struct tally *like); /* or NULL */

/* Key of a count row: row.h has its layout. */
void seats_count_key(
    uint8_t key[18], const struct seat *seat, bool borrowed, uint8_t holder, uint32_t until);

#endif
