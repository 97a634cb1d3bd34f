/*
 * expiry.h - report expiry: what ends when: certificates and host keys of publishers, and how many
 * leases, by period.
 */
#ifndef KMSCTL_REPORT_EXPIRY_H
#define KMSCTL_REPORT_EXPIRY_H

#include "kmsctl/report/period.h"
#include "kmsctl/report/pools.h"

/* Prints what ends from one time to the other (seconds). An enum ctl_exit. */
int report_expiry(struct ctl *ctl, const struct report_pools *pools, uint64_t from, uint64_t to,
    enum period_by by);

#endif
