/*
 * scan.h - walking through the journal: segment after segment, batch after batch, root and chain
 * checked. The one reader of segments, which replay, check, rebuild, audit, backup and
 * kmsdb_bundle_read share.
 */
#ifndef KMSDB_SCAN_H
#define KMSDB_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/segment_list.h"
#include "libkms/base/fault.h"

/* A place in the journal: batch `number` is at offset of segment `first`. */
struct scan_place {
	uint64_t first;
	uint64_t offset;
	uint64_t number;
	uint8_t previous[32]; /* hash of the batch before */
};

struct scan {
	struct record record;       /* the batch just read */
	uint8_t hash[32];           /* its hash */
	char segment[SEGMENT_NAME]; /* and where it is */
	uint64_t offset;
	uint64_t
	    begins; /* batch that the journal begins with: 1, unless those before were dropped */
	/* After the end (KMS_E_NOT_FOUND): */
	struct scan_place end; /* where the next batch goes */
	bool empty;            /* there is no segment */
	bool torn;             /* there is a part of a batch at the end */
	/* the last but one segment lacks its footer: write it at footer_at */
	bool unfooted;
	uint64_t footer_first, footer_at;
	struct fault fault; /* of torn, or of an error: file, offset, what */
	struct scan_state *state;
};

/*
 * From a place, or (place NULL) from the first batch of the segment that holds batch
 * `from`; from the first there is, if that one was dropped, or from is 0 or 1. The first must be
 * batch 1, or continue the batches that were dropped (dropped.h).
 */
int scan_open(struct scan **out, int journalfd, const struct scan_place *place, uint64_t from,
    struct fault *fault);
/*
 * Is the newest segment of a version that is known here? KMS_E_SCHEMA with fault, otherwise KMS_OK:
 * whatever else is wrong with it, the scan finds. Before anything is written.
 */
int scan_version(int journalfd, struct fault *fault);
/*
 * KMS_OK: the next batch. KMS_E_NOT_FOUND: the end. KMS_E_ALTERED, KMS_E_CHAIN,
 * KMS_E_MISSING, KMS_E_SCHEMA, KMS_E_IO: see fault.
 */
int scan_next(struct scan *s);
/*
 * Is each entry of the batch just read known here? KMS_OK, KMS_E_SCHEMA, KMS_E_ALTERED: see fault.
 */
int scan_check_entries(struct scan *s);
/* After the end: is everything behind it zero? KMS_OK, KMS_E_ALTERED. */
int scan_rest(struct scan *s);
void scan_close(struct scan *s);
/*
 * One batch alone, at offset of segment `first`: bytes has room for RECORD_MAX, hash gets that of
 * its header. KMS_E_NOT_FOUND: there is no such segment. KMS_E_ALTERED, KMS_E_IO.
 */
int scan_one(int journalfd, uint64_t first, uint64_t offset, uint8_t *octets, struct record *record,
    struct merkle_tree *tree, uint8_t hash[32]);

#endif
