/*
 * carry.h - a generation's rows into the index, in order of CMID, a slice at a
 * time.
 *
 * Each slice is one transaction, and after each one the index is consistent with itself: the
 * counts move by exactly what the rows of the slice changed. So a transaction dirties
 * few pages, which LMDB keeps in memory, however large the generation is. The number of the last
 * batch moves with the last slice; a replay from before that changes nothing in rows that are
 * ahead (apply.h).
 */
#ifndef KMSDB_CARRY_H
#define KMSDB_CARRY_H

#include "kmsdb/ledger.h"

/*
 * Begins at g->carried. KMS_OK: everything is in the index. INDEX_MAP_FULL: grow and call again.
 * KMS_E_FULL, KMS_E_IO, KMS_E_NO_MEMORY: call again later. Uses nothing in db that the main thread
 * changes.
 */
int carry(struct index *index, const struct seats *seats, struct generation *g);

#endif
