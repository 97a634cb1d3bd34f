/*
 * class_sums.h - report classes: what each class of kms.ini(5) had of its pool in a time, by the
 * journal. The usage that the ledger keeps for years is of whole pools.
 */
#ifndef KMSCTL_REPORT_CLASS_SUMS_H
#define KMSCTL_REPORT_CLASS_SUMS_H

#include "kmsctl/report/pools.h"

/* all: read the whole journal, and not its newest part. An enum ctl_exit. */
int report_classes(
    struct ctl *ctl, const struct report_pools *pools, uint64_t from, uint64_t to, bool all);

#endif
