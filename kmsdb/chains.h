/*
 * chains.h - the chains that the index knows by number: 0 is this host's own, the others are those
 * of foreign.h. A number is given when a chain is met, and stays as long as the index does; nothing
 * that is compared depends on it (merge.h).
 *
 * Chain row, key chain 2
 *	 0 16  host id
 *	16  8  number of the last batch that the index contains, 0 none    24 32  its hash
 *	56  8  segment and   64  8  offset of that batch, and   72 32  hash of the batch before it;
 *	       zeros for chain 0, whose batches have rows of their own
 *     104  8  highest time of any batch so far: the chain was heard up to then
 *     112  8  batch up to which names that are erased are on no disk of this host (erase.h)
 */
#ifndef KMSDB_CHAINS_H
#define KMSDB_CHAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsdb/merge.h"
#include "kmsdb/scan.h"

#define CHAINS_MAX 64 /* with the own one */

struct foreign;

struct chain {
	uint64_t last; /* batch applied last, here and in memory; 0: none */
	uint8_t hash[32];
	struct scan_place at; /* of that batch; not of chain 0 */
	uint64_t heard;
	uint64_t carried; /* batch that the index on disk has, too */
	uint64_t erased;
	bool unsought; /* what is behind erased is not looked for yet: it stays */
};
struct chains {
	struct chain list[CHAINS_MAX];
	uint8_t hosts[CHAINS_MAX][16]; /* hosts[0] zeros: this host has no batch yet */
	unsigned count;                /* at least 1 */
	struct merge_chains order;     /* of the list above: the struct does not move */
};

void chains_init(struct chains *c);
/* The number of that host's chain; count when there is none. */
unsigned chains_find(const struct chains *c, const uint8_t host[16]);
/* One more. KMS_E_LIMIT. */
int chains_add(struct chains *c, const uint8_t host[16], unsigned *number);
void chains_own(struct chains *c, const uint8_t host[16]);

struct index;
/* Into a table that was initialised. KMS_OK, also when there is none; KMS_E_ALTERED. */
int chains_read(struct chains *c, struct index *index);
void chains_put(struct index *index, const struct chains *c); /* in a transaction */

#endif
