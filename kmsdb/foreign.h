/*
 * foreign.h - the chain of another host, kept beside this host's own: foreign/HOST below the state
 * directory, HOST the id in hexadecimal digits, is a directory with a journal of the same format as
 * its own (kms.journal(5)). So a chain survives the host that wrote it, and whatever reads a
 * journal reads this one.
 *
 * Who hands a batch over is not trusted: it can hold batches back, and nothing else. Each batch is
 * verified with the key that the host's certificate has, and must continue what is there.
 */
#ifndef KMSDB_FOREIGN_H
#define KMSDB_FOREIGN_H

#include <stdint.h>

#include "libkms/base/fault.h"
#include "libkms/core/batch.h"
#include "libkms/core/item.h"

struct foreign;

/* A batch as it arrives; borrowed. items: header.size of them, at most RECORD_ENTRIES. */
struct foreign_batch {
	const uint8_t *header;    /* BATCH_HEADER bytes */
	const uint8_t *signature; /* BATCH_SIGNATURE bytes */
	const struct item *items;
	uint32_t count;
};

/*
 * Opens the chain of the host with that signing key, made when it is not there, and reads it to its
 * end: each batch is verified, and what an unfinished append left is cleared. statefd is borrowed.
 * KMS_E_SIGNATURE, KMS_E_UNKNOWN_HOST, KMS_E_ALTERED, KMS_E_CHAIN, KMS_E_MISSING: what is there is
 * not the host's chain; KMS_E_SCHEMA: of another version; KMS_E_IO, KMS_E_FULL, KMS_E_NO_MEMORY.
 */
int foreign_open(struct foreign **out, int statefd, const uint8_t sign_pk[32],
    uint64_t segment_size, struct fault *fault);
void foreign_close(struct foreign *f);

/*
 * Takes the next batch: it is on disk when this returns KMS_OK. Otherwise nothing changed:
 * KMS_E_FORMAT       no header, or items that are too many, too long or not as many as it says
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
int foreign_take(struct foreign *f, const struct foreign_batch *b, struct fault *fault);

const uint8_t *foreign_host(const struct foreign *f); /* 16 bytes */
uint64_t foreign_last(const struct foreign *f);       /* number of the last batch; 0: none */
const uint8_t *foreign_last_hash(const struct foreign *f);
/* The directory of the chain, to read it with kmsdb_journal_each; borrowed. */
int foreign_directory(const struct foreign *f);

#endif
