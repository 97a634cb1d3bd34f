/*
 * simulate.h - what a policy pack would change: a request of every client in the ledger is decided
 * twice, under the pack in force and under the new one, and policy_decide answers. Nothing is
 * written, and memory does not grow with the number of clients: they are read twice, first to
 * count, then to decide.
 *
 * Under the pack in force the counts are those of the ledger. Under the new one they are the final
 * counts, after all clients that count today have asked once more. A client with a seat in a pool
 * keeps it; the others follow in the order of their CMIDs.
 */
#ifndef KMSCTL_LEDGER_SIMULATE_H
#define KMSCTL_LEDGER_SIMULATE_H

#include "kmsdb/kmsdb.h"
#include "policy/files/publisher_list.h"

/* One product, of either pack. */
struct simulate_product {
	const struct policy_product *before, *after; /* NULL: not in that pack */
	bool covered;
	uint64_t clients;                           /* seen lately, or with a lease */
	uint64_t activated_before, activated_after; /* would be activated if it asked now */
	uint64_t gain, lose;
};
/* One pool number. */
struct simulate_pool {
	const struct policy_pool *before, *after;
	uint32_t counted_before; /* in the ledger now */
	uint32_t counted_after;  /* after all clients have asked again */
	/* for the second pass */
	uint32_t seated, coming, running;
};
struct simulate_change {
	bool gain;
	const struct kmsdb_client *client;
	const struct kmsdb_cold *host; /* NULL: unknown */
	const struct policy_product *product;
	/* of the refusal: before a gain, after a loss */
	enum kms_status status;
	uint64_t from; /* seconds: the lease's end, or when it is expected to ask next */
	bool lease;    /* from is a lease's end */
};
typedef int (*simulate_change_fn)(const struct simulate_change *c, void *arg);

struct simulation {
	const struct publisher *in;
	const struct policy_pack *next;
	uint64_t now;
	struct simulate_product products[2 * POLICY_PRODUCTS];
	struct simulate_pool pools[2 * POLICY_POOLS];
	unsigned product_count, pool_count;
	uint64_t clients; /* judged */
	/* not judged: not seen lately and without a lease, released, or revoked */
	uint64_t away;
	/* refused for products in no pack; the ledger does not say which products */
	uint64_t nameless;
	uint64_t gain, lose;
	simulate_change_fn change;
	void *arg;
};

/* Both packs side by side; everything else zero. in->pack may be NULL. */
void simulate_init(
    struct simulation *s, const struct publisher *in, const struct policy_pack *next, uint64_t now);
/*
 * Calls change for each client that gains or loses; a non-zero result stops and is returned.
 * Otherwise KMS_OK or the ledger's error.
 */
int simulate_run(struct simulation *s, struct kmsdb *db, simulate_change_fn change, void *arg);

#endif
