/*
 * erase.h - names that an ERASE entry names leave the disk, whichever chain it is of: in the
 * journals of this host, its own and those of others that it keeps, their asides are overwritten
 * with zeros in place; in the index cold rows become blank. What is left of an entry, a batch and
 * its signature is untouched.
 *
 * A job is an ERASE entry that is not carried out yet. The index says for each chain up to which
 * batch all of them are (chain.erased), so that a crash only repeats: zeros over zeros.
 *
 * Names that are erased already are not written: erase_reaches. So a pass need not look at what
 * came after it began.
 */
#ifndef KMSDB_ERASE_H
#define KMSDB_ERASE_H

#include "kmsdb/ledger.h"
#include "kmsdb/scan.h"

/*
 * Do the rows say that the names beside the entry are erased? They do so as soon as an ERASE is
 * applied. by, when not NULL, gets CMID and time of the job that means them.
 */
bool erase_reaches(struct kmsdb *db, const struct item *item, struct erase_job *by);

/* Room for so many jobs more: that many notes cannot fail then. KMS_OK, KMS_E_NO_MEMORY. */
int erase_reserve(struct kmsdb *db, size_t count);
/* The main thread's: takes the item if it is an ERASE. KMS_OK, KMS_E_NO_MEMORY. */
int erase_note(struct kmsdb *db, const struct item *item, unsigned chain, uint64_t batch);
/*
 * Jobs for names of a batch on disk that were erased before it came there, as when somebody puts
 * back an old copy of another host's folder; none for those that a job means already.
 */
int erase_missed(struct kmsdb *db, const struct record *r, unsigned chain);
/* After opening: both, for what the index has of the chain behind chain.erased. */
int erase_find(struct kmsdb *db, unsigned chain, struct fault *fault);
/* Sets chain.erased of each, of which last is what the index is about to have. */
void erase_through(const struct kmsdb *db, struct chains *chains);
/* The index has the batches of all jobs. */
bool erase_known(const struct kmsdb *db);

/* One way through journals and index, for all jobs that there are when it begins. */
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
