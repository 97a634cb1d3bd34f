/*
 * client_sums.h - how many clients of each state, product and pool a list has.
 */
#ifndef KMSCTL_LEDGER_CLIENT_SUMS_H
#define KMSCTL_LEDGER_CLIENT_SUMS_H

#include "kmsctl/ledger/clients.h"

#define SUMS_MOST 64 /* of a kind; the others are in one sum */

struct client_sum {
	char name[65];
	uint64_t clients, counted; /* counted: have a seat that counts now */
};
struct client_sums {
	uint64_t clients, counted;
	struct client_sum states[SUMS_MOST], products[SUMS_MOST], pools[SUMS_MOST];
	unsigned state_count, product_count, pool_count;
};

void client_sums_add(struct client_sums *s, const struct kmsdb_client *c,
    const struct products *products, uint64_t now);
/* Some lines for a person, the list "sums" for a program. more: there are other clients. */
void client_sums_print(struct ctl *ctl, const struct client_sums *s, bool more);

#endif
