/*
 * products.h - report clients: how many clients each product has, in what state, and how many of
 * them came in a time.
 */
#ifndef KMSCTL_REPORT_PRODUCTS_H
#define KMSCTL_REPORT_PRODUCTS_H

#include "kmsctl/report/period.h"
#include "kmsctl/report/pools.h"

/*
 * Came: first seen from one time to the other (seconds). With by, in a row for each period the
 * clients that were first seen and last seen in it. An enum ctl_exit.
 */
int report_clients(struct ctl *ctl, const struct report_pools *pools, uint64_t from, uint64_t to,
    const enum period_by *by);

#endif
