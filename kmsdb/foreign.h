/*
 * foreign.h - the chain of another host, kept beside this host's own: kmsdb/foreign/HOST, HOST the
 * id in hexadecimal digits, has a journal of the same format as its own (kms.journal(5)), in
 * kmsdb/journal below it, and the file "key", the 32 bytes of that host's signing key, of which the
 * id is a hash. So a chain survives the host that wrote it, and whatever reads a journal reads this
 * one.
 *
 * Who hands a batch over is not trusted: it can hold batches back, and nothing else. Each batch is
 * verified with the key, and must continue what is there.
 */
#ifndef KMSDB_FOREIGN_H
#define KMSDB_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsdb/scan.h"
#include "libkms/base/fault.h"
#include "libkms/core/batch.h"
#include "libkms/core/item.h"

#define FOREIGN_NAME "foreign"
/* Segments are made while others wait, so they are small. */
#define FOREIGN_SEGMENT(own) ((own) > (UINT64_C(8) << 20) ? UINT64_C(8) << 20 : (own))

struct foreign;
struct journal;

/* A batch as it arrives; borrowed. items: header.size of them, at most RECORD_ENTRIES. */
struct foreign_batch {
	const uint8_t *header;    /* BATCH_HEADER bytes */
	const uint8_t *signature; /* BATCH_SIGNATURE bytes */
	const struct item *items;
	uint32_t count;
};

/*
 * The folder of the host with that signing key, made when it is not there. kmsdbfd: the directory
 * kmsdb. host gets the id.
 */
int foreign_make(int kmsdbfd, const uint8_t sign_pk[32], uint8_t host[16], struct fault *fault);
/* The hosts that have one, ascending. KMS_E_LIMIT: more than max. */
int foreign_list(
    int kmsdbfd, uint8_t (*hosts)[16], unsigned max, unsigned *count, struct fault *fault);

/*
 * To read. KMS_E_NOT_FOUND: there is no folder. KMS_E_UNKNOWN_HOST: the key is another host's.
 */
int foreign_open(struct foreign **out, int kmsdbfd, const uint8_t host[16], struct fault *fault);
void foreign_close(struct foreign *f);

/*
 * A scan of it (scan.h); foreign_next is scan_next, and verifies the batch. fault: of any error but
 * the end. KMS_E_SIGNATURE, KMS_E_UNKNOWN_HOST, KMS_E_ALTERED, KMS_E_CHAIN, KMS_E_MISSING: what is
 * there is not the host's chain from batch 1 on; KMS_E_SCHEMA: of another version; KMS_E_IO,
 * KMS_E_NO_MEMORY.
 */
int foreign_scan(
    struct foreign *f, const struct scan_place *from, struct scan **out, struct fault *fault);
int foreign_next(struct foreign *f, struct scan *s, struct fault *fault);

/*
 * To write, too: s is a scan of it that is at its end (KMS_E_NOT_FOUND). Clears what an unfinished
 * append left. KMS_E_ALTERED, KMS_E_IO, KMS_E_FULL, KMS_E_NO_MEMORY.
 */
int foreign_write(struct foreign *f, struct scan *s, uint64_t segment_size, struct fault *fault);

/* Are the names beside that entry erased? */
typedef bool (*foreign_erased_fn)(const struct item *item, void *arg);
struct foreign_taken {
	const struct record *record; /* borrowed, until the next call */
	struct scan_place at;
	uint8_t hash[32];
};
/*
 * Takes the next batch: it is on disk when this returns KMS_OK. Names that do not match their entry
 * are left out, and those of which erased, when not NULL, says so. taken, when not NULL: what was
 * written. After any error, nothing has changed:
 * KMS_E_FORMAT       the header is malformed; the items are too many, too long, or not as many as
 *                    the header says; or the time of an entry is not near that of the batch
 * KMS_E_UNKNOWN_HOST another host's
 * KMS_E_SIGNATURE    not signed by the host
 * KMS_E_EXISTS       it is there already
 * KMS_E_CHAIN        the host signed another batch of this number, or another one before it: its
 *                    chain is forked, and header and signature prove it
 * KMS_E_MISSING      batches before it are not there: ask for foreign_last + 1
 * KMS_E_ALTERED      its entries are not those that were signed
 * KMS_E_SCHEMA       it has an entry of a version or kind that is not known here
 * KMS_E_FULL, KMS_E_IO
 */
int foreign_take(struct foreign *f, const struct foreign_batch *b, foreign_erased_fn erased,
    void *arg, struct foreign_taken *taken, struct fault *fault);

const uint8_t *foreign_host(const struct foreign *f); /* 16 bytes */
/* Puts the folder of the chain before the text of a fault. Returns rc; KMS_OK: nothing to do. */
int foreign_name_fault(const struct foreign *f, struct fault *fault, int rc);
/* Of one that is open to write: number of the last batch, 0: none; its hash; the journal. */
uint64_t foreign_last(const struct foreign *f);
const uint8_t *foreign_last_hash(const struct foreign *f);
struct journal *foreign_journal(const struct foreign *f);
/* The directory of the chain, to read it with kmsdb_journal_each; borrowed. */
int foreign_directory(const struct foreign *f);
const uint8_t *foreign_key(const struct foreign *f); /* 32 bytes */
int foreign_segments(const struct foreign *f);       /* the directory of its segments */

#endif
