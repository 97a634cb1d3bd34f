/*
 * seats.h - two small tables held in memory: the seats (product, publisher and pool
 * as one number) and the pools (publisher and pool number, with their clients counted by day).
 *
 * Seats and pools are only ever added, in arrays that never move, so that the writer
 * thread may read those it knows of while the main thread adds more.
 */
#ifndef KMSDB_SEATS_H
#define KMSDB_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/kmsdb.h"

#define SEATS_MAX 65536
#define POOLS_MAX 4096

struct seat {
	uint8_t product[16];
	uint16_t pool; /* index into pools */
};
struct pool_day {
	uint32_t day;
	uint32_t count;
};
struct pool {
	uint8_t publisher[8];
	uint16_t number;
	struct pool_day *days; /* ascending; main thread only */
	size_t day_count, day_room;
};
struct seats {
	struct seat *seats; /* SEATS_MAX; untouched pages cost nothing */
	size_t count;
	struct pool *pools; /* POOLS_MAX */
	size_t pool_count;
	size_t last; /* seat found last */
};

struct index;

int seats_init(struct seats *s);
/* Seats, pools and their days from the index, into fresh tables. */
int seats_load(struct seats *s, struct index *index);
void seats_free(struct seats *s);
/* Index of the pool, made when absent; KMS_E_LIMIT, KMS_E_NO_MEMORY. */
int seats_pool(struct seats *s, const uint8_t publisher[8], uint16_t number, uint16_t *index);
const struct pool *seats_pool_find(
    const struct seats *s, const uint8_t publisher[8], uint16_t number);
/* The seat's number, made when absent; KMS_E_LIMIT. */
int seats_find(struct seats *s, const uint8_t product[16], const uint8_t publisher[8],
    uint16_t pool, uint16_t *seat);
/* product, publisher and pool of c; false: no such seat. */
bool seats_fill(const struct seats *s, uint16_t seat, struct kmsdb_client *c);
/* Counts clients more or fewer (by +1, -1, or a number read from the index). */
int pool_count(struct pool *p, uint32_t day, int64_t by);
uint32_t pool_sum(const struct pool *p, uint32_t from);

#endif
