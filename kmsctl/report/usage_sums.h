/*
 * usage_sums.h - the days of the ledger's usage, summed by pool and period.
 */
#ifndef KMSCTL_REPORT_USAGE_SUMS_H
#define KMSCTL_REPORT_USAGE_SUMS_H

#include "kmsctl/report/period.h"
#include "kmsctl/report/pools.h"
#include "libkms/base/fault.h"

struct usage_sum {
	uint8_t publisher[8];
	uint16_t pool;
	uint32_t begin; /* day on which the period begins */
	uint32_t peak;
	uint32_t end; /* at the end of the last day that it has */
	uint64_t first, renewals, releases, refusals;
	uint64_t clients; /* on the day that had most */
};
struct usage_sums {
	struct usage_sum *list; /* by publisher, pool and period */
	size_t count, room;
};

/* KMS_OK, or the status, fault set. */
int usage_sums_read(struct ctl *ctl, const struct report_pools *pools, uint64_t from, uint64_t to,
    enum period_by by, struct usage_sums *out, struct fault *fault);
/* Today's, as the running kmsd has them at this moment. */
int usage_sums_today(struct ctl *ctl, const struct report_pools *pools, uint64_t now,
    struct usage_sums *out, struct fault *fault);
void usage_sums_free(struct usage_sums *s);
/* The list "usage" of an answer, a row for each sum. */
void usage_sums_print(struct ctl *ctl, const struct usage_sums *s, const struct report_pools *pools,
    enum period_by by);

#endif
