/*
 * parcel.h - consecutive batches of one chain, as hosts hand them to each other.
 *
 *   0   8  "KMSPARC1"
 *   8   2  number of batches, 1 to 64
 *          of each: header 108 (batch.h), its signature 64, u32 length n of the items, n octets of
 *          items (item.h), as many as the header says
 *
 * At most PARCEL_MAX octets, unless it is a single batch, which may be PARCEL_ONE_MAX long. Nothing
 * in it is believed: foreign.h verifies each batch.
 */
#ifndef KMSDB_PARCEL_H
#define KMSDB_PARCEL_H

#include <stddef.h>
#include <stdint.h>

#include "kmsdb/foreign.h"
#include "libkms/base/wire.h"

#define PARCEL_BATCHES 64
#define PARCEL_MAX (512u * 1024)
#define PARCEL_BATCH_HEAD (BATCH_HEADER + BATCH_SIGNATURE + 4)
#define PARCEL_ONE_MAX (10 + PARCEL_BATCH_HEAD + RECORD_OCTETS)

/* Writing. KMS_E_TOO_LARGE: it has no room for this one; nothing was added. */
struct parcel_writer {
	uint8_t *out; /* the caller's, of PARCEL_ONE_MAX */
	size_t len;
	unsigned count;
};
void parcel_begin(struct parcel_writer *w, uint8_t out[PARCEL_ONE_MAX]);
int parcel_add(struct parcel_writer *w, const struct foreign_batch *b);
/* The size; 0: nothing was added. */
size_t parcel_end(struct parcel_writer *w);

/* Reading. items: the caller's, RECORD_ENTRIES of them; what is read borrows from in. */
struct parcel_reader {
	struct wire_reader r;
	struct item *items;
	unsigned left;
};
/* KMS_OK, KMS_E_FORMAT, KMS_E_SCHEMA, KMS_E_TOO_LARGE. */
int parcel_open(struct parcel_reader *p, const uint8_t *in, size_t len, struct item *items);
/* KMS_OK, KMS_E_NOT_FOUND: that was all; KMS_E_FORMAT. */
int parcel_next(struct parcel_reader *p, struct foreign_batch *b);

#endif
