/*
 * bulk.h - clients by where they came from and when: what one machine made, chosen to be forgotten
 * together; and which sources have a large share of a pool.
 */
#ifndef KMSCTL_LEDGER_BULK_H
#define KMSCTL_LEDGER_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/kmsctl.h"
#include "kmsd/common/network.h"
#include "kmsdb/kmsdb.h"

/* Clients that count now, of a network, first seen from since to until (seconds). */
struct bulk_wanted {
	bool any; /* of any address */
	struct network network;
	uint64_t since, until;
	const char *name; /* NULL: of any name; else as client_name_is */
	bool whole_name;
};
struct bulk {
	struct bulk_client {
		struct kmsdb_client client;
		struct kmsdb_cold cold;
	} * at;
	size_t count, room;
};
/* KMS_OK, KMS_E_NO_MEMORY or what the ledger says; the caller frees what was chosen. */
int bulk_choose(struct ctl *ctl, const struct bulk_wanted *wanted, uint64_t now, struct bulk *out,
    struct fault *fault);
void bulk_free(struct bulk *b);

/* A source whose part of a pool is worth a look (policy.h). */
struct share {
	uint8_t address[16]; /* one of the source */
	uint8_t publisher[8];
	uint16_t pool;
	uint64_t clients, counted; /* of the source; of the pool */
};
/*
 * The largest share of each pool at which it is that large, but for sources of the networks in
 * exempt. *count: how many were found, at most max. As bulk_choose.
 */
int shares_find(struct kmsdb *db, const struct config_networks *exempt, uint64_t now,
    struct share *out, size_t max, size_t *count);

#endif
