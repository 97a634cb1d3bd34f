/*
 * lingering.h - clients that some member may see as counted in a pool for longer than their row
 * says, in memory: an act that lost, and the act that all members must have heard before it is over
 * (rights_lingers). Made again from the index when the ledger is opened, where the row's own act
 * takes the place of the one to be heard: it is not before it.
 */
#ifndef KMSDB_LINGERING_H
#define KMSDB_LINGERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/cmid_hash.h"

#define LINGERING_NEVER UINT64_MAX /* a batch that nobody will have heard */

struct linger {
	uint8_t key[16]; /* right_row_key */
	uint8_t publisher[8];
	uint16_t pool;
	uint8_t holder; /* enum row_holder: whose right it is */
	uint32_t until; /* minute, of the loser */
	uint32_t shown; /* minute until which the row counts there; 0: it does not */
	uint16_t chain; /* of what must be heard, */
	uint64_t batch; /* and its batch there */
};
struct lingering {
	struct linger *list; /* a table by key; until 0: the place is free */
	size_t count, places;
	struct cmid_hash hash; /* keys are CMIDs, with a few bytes changed */
};

void lingering_free(struct lingering *l);
/* NULL: it does not linger. Until the next change. */
struct linger *lingering_find(const struct lingering *l, const uint8_t key[16]);
/* In the place of what its key has. KMS_E_NO_MEMORY. */
int lingering_put(struct lingering *l, const struct linger *one);
/* Another one may take its place in the table: a walk looks there again. */
void lingering_drop(struct lingering *l, const uint8_t key[16]);

#endif
