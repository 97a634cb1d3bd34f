/*
 * segment.h - the bytes of a segment file, as kms.journal(5) documents them. Pure: works on
 * memory, uses no file. Everything begins on a 512-byte sector.
 *
 * Segment header        0   8  "KMSJSEG1"
 *                       8   4  schema, 2
 *                      12   4  512, bytes of this header
 *                      16   8  number of its first batch
 *                      24  32  hash of the batch before that, zero for batch 1
 *                      56  16  first bytes of SHA-256 of bytes 0..55
 *                      72  24  version of kmsd that made it, text
 *                      96      zeros up to 512
 * Batch record          0   8  "KMSJBAT1"
 *                       8   4  length L of the record, a multiple of 512
 *                      12   4  length n of the items
 *                      16 108  batch header (batch.h)
 *                     124  64  its signature
 *                     188  16  first bytes of SHA-256 of bytes 0..187
 *                     204   n  items (item.h); header.size of them
 *                              zeros up to L - 12
 *                   L - 12  4  L again
 *                    L - 8  8  "KMSJEND" and 0xa5
 * Segment footer        0   8  "KMSJNEXT"
 *                       8   8  number of the first batch of the next segment
 *                      16  32  hash of the batch before that
 *                      48  16  first bytes of SHA-256 of bytes 0..47
 *                      64      zeros up to 504
 *                     504   8  "KMSJEND" and 0xa5
 */
#ifndef KMSDB_SEGMENT_H
#define KMSDB_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/batch.h"
#include "libkms/core/item.h"

#define SEGMENT_SCHEMA 2
#define SEGMENT_SECTOR 512
#define SEGMENT_MAKER 24
#define SEGMENT_NAME 25 /* 20 digits, ".seg", NUL */
struct segment_header {
	uint64_t first;
	uint8_t previous[32];
	uint32_t schema;               /* read: also with KMS_E_SCHEMA */
	char maker[SEGMENT_MAKER + 1]; /* read: version of kmsd, "": not told */
};

void segment_name(char out[SEGMENT_NAME], uint64_t first);
bool segment_name_parse(const char *name, uint64_t *first);
/* By this version of kmsd. */
void segment_header_encode(uint8_t out[SEGMENT_SECTOR], const struct segment_header *h);
/* KMS_OK, KMS_E_ALTERED, KMS_E_SCHEMA. len < 512: the file is that short. */
int segment_header_decode(struct segment_header *h, const uint8_t *in, size_t len);
void segment_footer_encode(uint8_t out[SEGMENT_SECTOR], uint64_t next, const uint8_t previous[32]);

/* Bytes of a record whose items need n. */
size_t record_length(size_t n);
/*
 * Writes head and trailer around the n bytes of items that are already at record + RECORD_HEAD.
 */
size_t record_seal(uint8_t *record, size_t n, const uint8_t header[BATCH_HEADER],
    const uint8_t signature[BATCH_SIGNATURE]);

struct record {
	uint32_t length;       /* of the whole record */
	const uint8_t *octets; /* views into what was read */
	const uint8_t *header;
	const uint8_t *signature;
	struct batch_header batch;
	struct item items[RECORD_ENTRIES]; /* batch.size */
};

enum segment_item {
	SEGMENT_BATCH,  /* *r is a record, and its entries give its root */
	SEGMENT_FOOTER, /* r->batch.number, .previous: of the footer */
	SEGMENT_END,    /* nothing but zeros */
	SEGMENT_TORN,   /* the rest of an unfinished write */
	SEGMENT_ALTERED,
};
/*
 * What is at `at`? avail bytes are readable; unless eof, at least 2 * RECORD_MAX. Bytes after eof
 * count as zeros: a truncated file and one that is zero from there on are the same. why: a clause,
 * static.
 */
struct merkle_tree;
enum segment_item segment_item(struct record *r, const uint8_t *at, size_t avail,
    struct merkle_tree *scratch, const char **why);

#endif
