/*
 * refusals.h - report refusals: how often clients were refused and with what, from the usage; and
 * who they were, from the journal, which keeps a sample of a flood.
 */
#ifndef KMSCTL_REPORT_REFUSALS_H
#define KMSCTL_REPORT_REFUSALS_H

#include "kmsctl/report/period.h"
#include "kmsctl/report/pools.h"

struct refusals_wanted {
	uint64_t from, to;        /* seconds */
	const enum period_by *by; /* NULL: the whole time at once */
	uint64_t limit;           /* rows of clients */
	bool all;                 /* the whole journal */
};
/* Prints the report. An enum ctl_exit. */
int report_refusals(
    struct ctl *ctl, const struct report_pools *pools, const struct refusals_wanted *wanted);

#endif
