/*
 * audit_clients.h - the clients of an audit file: who was activated in the period, whose seats
 * count, and what their entries tell about copies and changes. One row for each client, whatever
 * the length of the file.
 */
#ifndef KMSCTL_ISSUE_AUDIT_CLIENTS_H
#define KMSCTL_ISSUE_AUDIT_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/issue/audit_findings.h"
#include "kmsctl/issue/audit_recount.h"
#include "kmsctl/issue/audit_table.h"
#include "libkms/core/entry.h"
#include "libkms/core/entry_about.h"

#define AUDIT_PRODUCTS 1024

struct audit_product {
	uint8_t id[16];
	uint64_t clients; /* distinct */
	uint64_t leases;
};

/* What is told of one client that is a finding: how often, and of how many clients. */
enum audit_mark {
	MARK_CLONE,
	MARK_CAUGHT_UP,
	MARK_HELD,
	MARK_BOUND_OTHER,
	MARK_NAME,
	MARK_ADDRESS,
	AUDIT_MARKS
};
struct audit_marked {
	uint64_t first; /* batch */
	uint64_t entries, clients;
};

/* Does the client's seat follow from this entry? */
enum audit_counts {
	COUNTS,
	COUNTS_EARLIER, /* no: from an earlier entry of a higher number, or through it */
	COUNTS_REVOKED, /* the client is revoked */
};
/* What an entry is to the count of its pool. */
struct audit_act {
	enum audit_join joins;
	enum audit_counts counts;
};

struct audit_clients {
	struct audit_table rows;  /* by CMID */
	struct audit_table seats; /* by product and CMID: leases of the period */
	struct audit_marked marks[AUDIT_MARKS];
	struct audit_recount recount;
};

void audit_clients_init(struct audit_clients *c);
void audit_clients_free(struct audit_clients *c);
/*
 * An entry of a client. ours: of this publisher; in_period: a lease of it is to be counted.
 * KMS_E_TOO_LARGE: too many pools; KMS_E_NO_MEMORY.
 */
int audit_clients_act(struct audit_clients *c, const struct entry_client *e, uint64_t batch,
    bool ours, bool in_period, struct audit_act *out);
/*
 * The host's entry about a client. *late: the client is the publisher's, and its seat would end,
 * but for an earlier act of a higher number. KMS_E_TOO_LARGE, KMS_E_NO_MEMORY.
 */
int audit_clients_about(
    struct audit_clients *c, const struct entry_about *e, uint64_t batch, bool *late);
/*
 * After the last: distinct clients, and the products by ascending id. KMS_E_TOO_LARGE: more than
 * AUDIT_PRODUCTS.
 */
int audit_clients_count(const struct audit_clients *c, uint64_t *clients,
    struct audit_product products[AUDIT_PRODUCTS], unsigned *product_count);
/*
 * Adds the clients and leases of a chain to those of several chains, as of the host of that number:
 * all is asked with audit_clients_count and audit_clients_several alone. KMS_E_NO_MEMORY.
 */
int audit_clients_into(struct audit_clients *all, const struct audit_clients *c, uint32_t host);
/* Is the client one to which several hosts gave a lease, or a seat? */
bool audit_clients_several(const struct audit_clients *all, const uint8_t cmid[16]);
uint64_t audit_clients_several_count(const struct audit_clients *all);
/* Ends every seat and lease where it ends by itself, before audit_recount_days. */
int audit_clients_close(struct audit_clients *c);
void audit_clients_findings(struct audit_clients *c, struct audit_findings *f);

#endif
