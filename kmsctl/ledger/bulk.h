/*
 * bulk.h - clients that are chosen together, in memory: to be sorted, or to be forgotten.
 */
#ifndef KMSCTL_LEDGER_BULK_H
#define KMSCTL_LEDGER_BULK_H

#include <stddef.h>

#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/client_filter.h"
#include "kmsdb/kmsdb.h"

struct bulk {
	struct bulk_client {
		struct kmsdb_client client;
		struct kmsdb_cold cold;
	} * at;
	size_t count, room;
};
/* KMS_OK, KMS_E_NO_MEMORY or what the ledger says; the caller frees what was chosen. */
int bulk_choose(
    struct ctl *ctl, const struct client_filter *filter, struct bulk *out, struct fault *fault);
void bulk_free(struct bulk *b);

enum bulk_order { BULK_CMID, BULK_NAME, BULK_SEEN, BULK_FIRST, BULK_EXPIRES, BULK_STATE };
/* Ascending: what is oldest comes first; reverse: descending. Equal ones by their CMIDs. */
void bulk_sort(struct bulk *b, enum bulk_order order, bool reverse, uint64_t now);

#endif
