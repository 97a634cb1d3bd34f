/*
 * entry_base.h - ENTRY_BASE (41): a part of a base, which restates what batches say that the host
 * will drop (kms.journal(5), RETENTION). It has the form of entry_blobs.h, without a text. A blob
 * begins with its part and the version, one byte each.
 *
 * The subject is the host id, or in RELAYED and CLIENT the key of the row. The digest is zero, or
 * in END the root. The parts of a base follow one another in this order. Behind part and version:
 *
 *	HEAD     batch 8 that goes last, its hash 32, its time 8, highest counter 8, and 8 for each
 *	         floor: refusals, forgotten, relayed, names, clock
 *	KEPT     batch 8, index 4: where the entry was. batch 8, index 4: where this host found it,
 *	         which is in an older base if that restated it. Then the entry, as it was
 *	RELAYED  time of the names 8, 3 commitments 16, row 207 (observed.h)
 *	CLIENT   time of the names 8, 3 commitments 16, product 16, publisher 8, pool 2, class 2,
 *	         rows 68 and 83 (row.h)
 *	SUMS     nothing: the sums of each pool and day follow
 *	USAGE    one or more rows with their keys (usage_rows.h)
 *	END      batch 8 that goes last, last day of the sums 4
 *
 * Rows are without names and addresses, which are in the asides of RELAYED and CLIENT. A commitment
 * of zeros: none. The root is that of a Merkle tree over the first 16 bytes of the hash of each
 * batch from 1 to the last that goes.
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_BASE_H
#define KMS_LIBKMS_CORE_ENTRY_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/aside.h"
#include "libkms/core/limits.h"

enum entry_base_part {
	BASE_NONE,
	BASE_HEAD,
	BASE_KEPT,
	BASE_RELAYED,
	BASE_CLIENT,
	BASE_SUMS,
	BASE_USAGE,
	BASE_END,
};
#define BASE_PREFIX 2 /* part and version */
#define BASE_VERSION 1
#define BASE_NAMES (8 + 3 * COMMITMENT)
#define BASE_BLOB_MAX (ENTRY_MAX - 68)
#define BASE_KEPT_HEAD 24
#define BASE_KEPT_MAX (BASE_BLOB_MAX - BASE_PREFIX - BASE_KEPT_HEAD) /* bytes of an entry */

/* Of the batches that a base lets go. */
struct entry_base_head {
	uint64_t through, time;
	uint8_t hash[32];
	uint64_t counter;
	uint64_t refusals, forgotten, relayed, names, clock; /* floors */
};
struct entry_base_kept {
	uint64_t batch, found;
	uint32_t leaf, found_leaf;
	const uint8_t *entry; /* borrowed */
	size_t entry_len;
};
struct entry_base_names {
	uint64_t time;
	struct commitments commitments;
};
struct entry_base_end {
	uint64_t through;
	uint32_t day;
};

/*
 * KMS_OK; KMS_E_SCHEMA: of another version; KMS_E_FORMAT: a length that the part does not have.
 * The entry in BASE_KEPT is not looked at: entry_admin_decode does.
 */
int entry_base_check(const uint8_t *blob, size_t len);
/* The part of a blob that was checked. */
enum entry_base_part entry_base_part(const uint8_t *blob);

/* Blobs; each returns its size, 0: it does not fit. */
size_t entry_base_put_head(uint8_t *out, size_t size, const struct entry_base_head *h);
size_t entry_base_put_kept(uint8_t *out, size_t size, const struct entry_base_kept *k);
size_t entry_base_put_end(uint8_t *out, size_t size, const struct entry_base_end *e);
/* Of a blob of that part that was checked. */
void entry_base_get_head(struct entry_base_head *h, const uint8_t *blob);
void entry_base_get_kept(struct entry_base_kept *k, const uint8_t *blob, size_t len);
void entry_base_get_end(struct entry_base_end *e, const uint8_t *blob);

/* Behind prefix, or nothing: the beginning of the parts that have names. */
size_t entry_base_put_names(
    uint8_t *out, size_t size, enum entry_base_part part, const struct entry_base_names *n);
/* Of a blob that was checked; false: the part has no names. */
bool entry_base_get_names(struct entry_base_names *n, const uint8_t *blob);

/* Is an entry of that kind restated as it was? */
bool entry_base_keeps(int kind);

#endif
