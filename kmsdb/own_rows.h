/*
 * own_rows.h - rows of three small tables that the host's own entries make, each written once: the
 * headers that clients brought and the journal lacks, restores and starts, and what was installed.
 * All begin with the number of the batch of their first entry, so that entries give the same rows
 * in any order, and applied twice they change nothing.
 *
 * Witness row, key number 8, first bytes of the header's hash 8: batch 8, time of the header 8,
 *                                                                 time of the entry 8
 * Restored row, key batch 8, leaf 8: batch 8, number that was left 8, time of the entry 8, cause 1;
 *                                    a START has one too, cause 0: the ledger may have gone back
 * Installed row, key first 16 bytes of the digest (of the file; of a certificate or rotation
 * itself): batch 8, kind of the entry 1
 */
#ifndef KMSDB_OWN_ROWS_H
#define KMSDB_OWN_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/kmsdb.h"
#include "libkms/core/entry_blobs.h"

#define ROW_WITNESS 24
#define ROW_RESTORED 33
#define ROW_INSTALLED 9
#define ROW_OWN_KEY 16
#define ROW_RESTORED_START 0 /* in the place of a cause: it is a START */

enum own_table { OWN_NONE, OWN_WITNESS, OWN_RESTORED, OWN_INSTALLED };

/* The row that an entry makes. */
struct own_row {
	enum own_table table;
	uint8_t key[ROW_OWN_KEY];
	uint8_t row[ROW_RESTORED];
	size_t len;
};
/* table OWN_NONE: none, as for a WITNESS of something that is no header. */
void own_row(struct own_row *out, const struct entry_admin *e, uint64_t batch, uint32_t leaf);
void own_witness_key(uint8_t key[ROW_OWN_KEY], uint64_t number, const uint8_t hash[8]);
/* The batch of any of the rows; 0: malformed. */
uint64_t own_batch(const uint8_t *row, size_t len);
/* KMS_OK, KMS_E_ALTERED. */
int own_witness_decode(
    struct kmsdb_witness *out, const uint8_t key[ROW_OWN_KEY], const uint8_t *row, size_t len);
int own_restored_decode(struct kmsdb_restored *out, const uint8_t *row, size_t len);

#endif
