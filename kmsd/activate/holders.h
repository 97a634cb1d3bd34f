/*
 * holders.h - who holds a client's key: what the decision must know of it beyond the hot row, and
 * the hold that ends it. An ordinary renewal needs none of it, so nothing is looked up for one.
 */
#ifndef KMSD_ACTIVATE_HOLDERS_H
#define KMSD_ACTIVATE_HOLDERS_H

#include <stdbool.h>
#include <string.h>

#include "kmsdb/kmsdb.h"
#include "policy/policy.h"

struct activate;

/* Is the row's act about the product that is asked for? */
static inline bool
holders_same_product(const struct kmsdb_client *row, const struct message_request *request)
{
	return memcmp(row->product, request->product, sizeof(row->product)) == 0;
}

/*
 * Fills in echoed, after, held_until, caught_up, before, bound and binding of a client whose other
 * fields are there. product NULL: no pack names it. KMS_OK, or the ledger's error.
 */
int holders_look(struct activate *a, const struct kmsdb_client *row,
    const struct message_request *request, const struct policy_product *product,
    struct policy_client *client);
/* Stages ENTRY_HOLD, for which the caller has asked the budget. As kmsdb_stage. */
int holders_hold(struct activate *a, const uint8_t cmid[16], uint64_t end);

#endif
