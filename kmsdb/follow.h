/*
 * follow.h - the chains of other hosts as a part of the ledger: a batch is verified and on disk in
 * its folder (foreign.h) before it changes a row, and the index says how far each chain is in it
 * (chains.h). So what a crash leaves is only ever a chain that is ahead of the index, and opening
 * applies the rest. The rows are those that any other order of the same batches gives (merge.h).
 *
 * Between own batches only: an entry that is staged can be undone, and only as the newest.
 */
#ifndef KMSDB_FOLLOW_H
#define KMSDB_FOLLOW_H

#include "kmsdb/foreign.h"
#include "kmsdb/ledger.h"

/*
 * After chains_read: the folders that there are. KMS_E_MISSING: the index contains batches of a
 * chain whose folder is not there.
 */
int follow_open(struct kmsdb *db, struct fault *fault);
void follow_close(struct kmsdb *db);
/* KMS_E_INDEX: rows have expired that another chain may add to. */
int follow_needs_rows(const struct kmsdb *db, struct fault *fault);
/* One more, whose folder is there. */
int follow_add(struct kmsdb *db, const uint8_t host[16], unsigned *number, struct fault *fault);

/*
 * Applies what a chain has behind the batch applied last, up to and including that one; seen, when
 * not NULL, is told of each. write: it can be written afterwards.
 */
typedef void (*follow_seen_fn)(struct kmsdb *db, struct scan *s, void *arg);
int follow_chain(struct kmsdb *db, unsigned number, uint64_t upto, bool write, follow_seen_fn seen,
    void *arg, struct fault *fault);
/* All of each. */
int follow_all(struct kmsdb *db, bool write, struct fault *fault);

/*
 * A batch that is on disk: rows change, or (on failure) nothing does. KMS_E_NO_MEMORY, KMS_E_FULL,
 * KMS_E_LIMIT, KMS_E_IO, KMS_E_SCHEMA.
 */
int follow_apply(struct kmsdb *db, unsigned number, const struct record *r,
    const struct scan_place *at, const uint8_t hash[32]);

#endif
