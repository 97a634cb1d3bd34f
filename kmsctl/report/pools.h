/*
 * pools.h - the names of pools, their capacity and thresholds, as the running host says them: the
 * ledger knows numbers alone.
 */
#ifndef KMSCTL_REPORT_POOLS_H
#define KMSCTL_REPORT_POOLS_H

#include "kmsctl/host/reply.h"
#include "kmsctl/kmsctl.h"

#define POOL_TEXT 65

struct report_pool {
	uint8_t publisher[8];
	uint16_t number;
	char publisher_name[POOL_TEXT], name[POOL_TEXT];
	uint64_t capacity; /* 0: no limit */
	bool chosen;
};
struct report_pools {
	struct report_pool *list;
	unsigned count;
	bool running;        /* the host answered: else there are none */
	struct reply status; /* what it answered; empty: nothing */
	bool all;            /* no choice was made */
};

void report_pools_ask(struct ctl *ctl, struct report_pools *p);
void report_pools_free(struct report_pools *p);
/* NULL: no pack names it. */
const struct report_pool *report_pools_find(
    const struct report_pools *p, const uint8_t publisher[8], uint16_t number);
/*
 * Only the pools of that name ("NAME", or "PUBLISHER/NAME"), or of that product (name or UUID);
 * NULL: any. CTL_OK, or the exit code of the failure that was printed.
 */
int report_pools_choose(
    struct ctl *ctl, struct report_pools *p, const char *pool, const char *product);
/* Is a row of that pool wanted? */
bool report_pools_wanted(const struct report_pools *p, const uint8_t publisher[8], uint16_t number);
#define POOL_PRODUCTS 512
/* The products that it counts: "Desk, Desk Pro"; "" when none is known. Cut where it is too long.
 */
void report_pool_products(
    const struct report_pools *p, const struct report_pool *pool, char out[POOL_PRODUCTS]);
/* "Example", "desktop"; without a name the id, or the number. */
void report_pool_names(const struct report_pools *p, const uint8_t publisher[8], uint16_t number,
    char publisher_name[POOL_TEXT], char name[POOL_TEXT]);

#endif
