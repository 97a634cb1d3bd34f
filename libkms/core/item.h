/*
 * item.h - an entry with the aside beside it, as journal records, audit files and (in another
 * order) leases carry it:
 *
 *   0   2  length e of the entry
 *   2   e  entry (entry.h, entry_about.h, entry_blobs.h)
 *       1  length a of the aside, 0: there is none
 *       a  aside (aside.h)
 */
#ifndef KMS_LIBKMS_CORE_ITEM_H
#define KMS_LIBKMS_CORE_ITEM_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/base/wire.h"
#include "libkms/core/limits.h"

struct item {
	const uint8_t *entry; /* borrowed, both */
	size_t entry_len;
	const uint8_t *aside;
	size_t aside_len;
};

size_t item_size(const struct item *i);
/* Size; 0: does not fit, or a part is too long. */
size_t item_encode(uint8_t *out, size_t size, const struct item *i);
/*
 * The next item. Does not look into the aside, which may be erased or spoilt, nor far into the
 * entry. KMS_OK, KMS_E_TRUNCATED, KMS_E_FORMAT: a part is too long, or an aside is beside an entry
 * of a kind that has none.
 */
int item_read(struct wire_reader *r, struct item *out);
/*
 * Do the names beside the entry give the commitments in it? KMS_OK, also for an entry that has
 * none; KMS_E_NOT_FOUND: erased, left out or spoilt; KMS_E_ALTERED: other names.
 */
int item_names(const struct item *item);

#endif
