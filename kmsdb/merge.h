/*
 * merge.h - the order between entries of several chains, where nothing in the entries decides: the
 * ids of the hosts do (kms.journal(5), COUNTING). So the rows do not depend on the order in which
 * chains, or their batches, arrive, nor on the numbers that the index gave the chains.
 */
#ifndef KMSDB_MERGE_H
#define KMSDB_MERGE_H

#include <stdint.h>

/* Ids of the hosts by the number of the chain in the index; 0 is this host's own. */
struct merge_chains {
	const uint8_t (*hosts)[16];
	unsigned count;
};

/*
 * <0, 0, >0: the host of chain a is before that of chain b. chains NULL: there is the own chain
 * alone. Chains that are not in the list are before all others, by number.
 */
int merge_order(const struct merge_chains *chains, uint16_t a, uint16_t b);

#endif
