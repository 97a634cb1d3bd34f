/*
 * base_state.h - how far the chain has come with bases (kms.journal(5), RETENTION). It follows from
 * the entries BASE alone, so that a base that was begun is always ended, by whichever run of kmsd.
 *
 * Row `base` of the table of single values: begun 8, through 8, dropped 8, ended 8, part 1, cursor
 * 16, loading 1.
 */
#ifndef KMSDB_BASE_STATE_H
#define KMSDB_BASE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#define BASE_CURSOR 16

struct base_state {
	uint64_t begun;   /* batch with the HEAD of a base that has no END yet; 0: none */
	uint64_t through; /* last batch that it lets go */
	uint64_t dropped; /* the same of the last base that is whole; 0: none */
	uint64_t ended;   /* batch with its END */
	uint8_t part;     /* of the entry written last */
	/* of that entry: KEPT: batch 8 and index 8 where it was found; RELAYED, CLIENT: the key;
	 * else zeros */
	uint8_t cursor[BASE_CURSOR];
	/*
	 * The index is being made from a journal that does not begin with batch 1: entries have no
	 * effect before the HEAD of the first base, and sums begin with its END.
	 */
	bool loading;
};

struct index;
/* KMS_OK, also when there is none; KMS_E_ALTERED. */
int base_state_read(struct base_state *out, struct index *index);
void base_state_put(struct index *index, const struct base_state *s); /* in a transaction */

#endif
