/*
 * usage_read.h - how much each pool was used, day by day, from the index; or from kmsd, for a user
 * who may not open the ledger's files (ledger_ask.h).
 */
#ifndef KMSCTL_LEDGER_USAGE_READ_H
#define KMSCTL_LEDGER_USAGE_READ_H

#include "kmsctl/kmsctl.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"

/*
 * The rows of the days from that of `from` to that of `to` (seconds), by publisher, pool, day and
 * status. fn not 0 stops and is returned. KMS_OK, or the status, fault set.
 */
int usage_read(struct ctl *ctl, uint64_t from, uint64_t to,
    int (*fn)(const struct kmsdb_usage *row, void *arg), void *arg, struct fault *fault);
/* The same, always as the running kmsd has it at this moment. */
int usage_ask(struct ctl *ctl, uint64_t from, uint64_t to,
    int (*fn)(const struct kmsdb_usage *row, void *arg), void *arg, struct fault *fault);

#endif
