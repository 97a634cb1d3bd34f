/*
 * usage_rows.h - the table of usage.h as such: rows by key, in memory and in the index.
 *
 * Usage row, key publisher 8, pool 2, day 4, status 2
 *   status 0    0  4  peak             4  4  count at the day's end, 0 until the day is over
 *               8  8  first activations: LEASE or SEEN of a client that did not count in the pool
 *              16  8  renewals: of one that did
 *              24  8  releases
 *              32  8  clients that have one of these; a client whose seat the host ended on that
 *                     day and that comes back is counted again
 *              40  8  batch of the first of these, 0: none
 *   else        0  8  refusals with that status (COUNTERS)
 * Row of the table of single values, key "usage": through 8, day 4
 */
#ifndef KMSDB_USAGE_ROWS_H
#define KMSDB_USAGE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/index.h"
#include "kmsdb/seats.h"

#define USAGE_DAYS 3653
#define ROW_USAGE_KEY 16
#define ROW_USAGE 48

struct usage_row {
	uint8_t key[ROW_USAGE_KEY];
	uint32_t peak, end;
	uint64_t first, renewals, releases, clients, batch;
	uint64_t refusals;
	bool changed; /* since the last freeze */
	bool stored;  /* the index has it, as it is or was */
};
/* The table as it was before an entry that changed much of it. */
struct usage_saved {
	struct usage_saved *before;
	size_t count;
	struct usage_row rows[];
};
struct usage {
	struct index *index;
	struct usage_row *rows; /* ascending by key */
	size_t count, room;
	size_t last;      /* row found last */
	uint32_t day;     /* the last that began; 0: none */
	uint64_t through; /* the index has these batches */
	uint32_t dropped; /* day of the last part */
	struct usage_saved *saved;
};
/* What a checkpoint writes. */
struct usage_part {
	struct usage_row *rows;
	size_t count;
	uint64_t through;
	uint32_t day;
	bool drops; /* rows that are too old */
	bool carried;
};

/* Its row behind the key. KMS_E_ALTERED. */
size_t usage_row_size(const uint8_t key[ROW_USAGE_KEY]);
size_t usage_row_encode(uint8_t out[ROW_USAGE], const struct usage_row *row);
int usage_row_decode(
    struct usage_row *row, const uint8_t *key, size_t key_len, const uint8_t *in, size_t len);
/* Empties the table, and reads what the index says of it. */
int usage_load(struct usage *s, struct index *index);
void usage_part_clear(struct usage_part *p);
/* A transaction of its own. */
int usage_carry(struct index *index, struct usage_part *p);
/* Is a row of that key too old to be kept, when the last day is day? */
bool usage_old(const uint8_t key[ROW_USAGE_KEY], uint32_t day);
void usage_key(uint8_t key[ROW_USAGE_KEY], const uint8_t publisher[8], uint16_t pool, uint32_t day,
    uint16_t status);

struct usage_pool {
	uint8_t publisher[8];
	uint16_t pool;
};
/* The next pool that has tallies, from *i on, each once; false: no more. */
bool usage_pool_at(const struct seats *seats, size_t *i, struct usage_pool *out);
/* Its clients that count at that minute. */
uint32_t usage_counted(struct seats *seats, const struct usage_pool *pool, uint32_t minute);

uint32_t usage_key_day(const uint8_t key[ROW_USAGE_KEY]);
uint16_t usage_key_status(const uint8_t key[ROW_USAGE_KEY]);

/* The row that memory has, or NULL. Pointers are valid until a row is added or removed. */
struct usage_row *usage_rows_held(struct usage *s, const uint8_t key[ROW_USAGE_KEY]);
/* The same, taken from the index if it is there; made if not. *row NULL: not there, not made. */
int usage_rows_find(
    struct usage *s, const uint8_t key[ROW_USAGE_KEY], bool make, struct usage_row **row);
/* In place of the one that there is. */
int usage_rows_put(struct usage *s, const struct usage_row *row);
void usage_rows_remove(struct usage *s, struct usage_row *row);
/* Each as it is, ascending; none that is too old. */
int usage_rows_each(struct usage *s, int (*fn)(const struct usage_row *row, void *arg), void *arg);
/* usage_each, when the last day is that of now. */
int usage_show(struct usage *s, struct seats *seats, const uint8_t *from, uint64_t now,
    int (*fn)(const struct kmsdb_usage *row, void *arg), void *arg);

#endif
