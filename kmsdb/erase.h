/*
 * erase.h - names that an ERASE entry names leave the disk: in the journal their asides are
 * overwritten with zeros in place, in the index cold rows become blank. What is left of an entry,
 * a batch and its signature is untouched.
 *
 * A job is an ERASE entry that is not carried out yet. The index says up to which batch all of them
 * are (index_meta.erased), so that a crash only repeats: zeros over zeros.
 */
#ifndef KMSDB_ERASE_H
#define KMSDB_ERASE_H

#include "kmsdb/ledger.h"

/* The main thread's: takes the item if it is an ERASE. KMS_OK, KMS_E_NO_MEMORY. */
int erase_note(struct kmsdb *db, const struct item *item, uint64_t batch);
/* The same for all batches after from, up to and including to, of which the index knows. */
int erase_find(struct kmsdb *db, uint64_t from, uint64_t to, struct fault *fault);
/* Up to this batch, at most last, every ERASE is carried out. */
uint64_t erase_through(const struct kmsdb *db, uint64_t last);
/* The index has the batches of all jobs. */
bool erase_known(const struct kmsdb *db);

/* One way through journal and index, for all jobs that there are when it begins. */
struct erase_pass;
struct erase_pass *erase_begin(const struct kmsdb *db); /* NULL: memory */
/*
 * A part of it, in the writer thread: nothing else writes the index meanwhile. KMS_OK: done;
 * ERASE_AGAIN: there is more; or the error that ends the pass.
 */
#define ERASE_AGAIN KMS_E_EXISTS
int erase_step(struct erase_pass *p);
/* Ends it; the main thread's. Returns how many asides became zeros. */
uint64_t erase_end(struct kmsdb *db, struct erase_pass *p, bool done);

#endif
