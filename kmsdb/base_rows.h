/*
 * base_rows.h - rows of the index as entries BASE, and back (libkms/core/entry_base.h). Names go
 * beside the entry, with commitments of their own, so that they can be erased there too.
 */
#ifndef KMSDB_BASE_ROWS_H
#define KMSDB_BASE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "kmsdb/observed.h"
#include "kmsdb/row.h"
#include "kmsdb/usage_rows.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/item.h"

/* Of the time of the batch; item.entry_len 0: it does not fit. */
struct base_entry {
	struct item item;
	uint8_t entry[ENTRY_MAX], aside[ASIDE_MAX];
};
void base_entry_make(struct base_entry *out, uint64_t time, const uint8_t subject[16],
    const uint8_t digest[32], const uint8_t *blob, size_t len);
void base_entry_client(struct base_entry *out, uint64_t time, const struct client_row *row,
    const struct kmsdb_cold *cold);
void base_entry_observed(struct base_entry *out, uint64_t time, const struct observed_row *row);

/* Of a part that was checked. KMS_OK, KMS_E_FORMAT. */
int base_client(struct client_row *row, struct kmsdb_cold *cold, const struct entry_admin *e,
    const struct item *item);
int base_observed(struct observed_row *row, const struct entry_admin *e, const struct item *item);
/* Its rows, one after another: *at begins as BASE_PREFIX. KMS_E_NOT_FOUND: there is no more. */
int base_usage(struct usage_row *row, const struct entry_admin *e, size_t *at);

#endif
