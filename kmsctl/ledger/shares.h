/*
 * shares.h - which sources have a large share of a pool.
 */
#ifndef KMSCTL_LEDGER_SHARES_H
#define KMSCTL_LEDGER_SHARES_H

#include <stddef.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "kmsdb/kmsdb.h"

/* A source whose part of a pool is worth a look (policy.h). */
struct share {
	uint8_t address[16]; /* one of the source */
	uint8_t publisher[8];
	uint16_t pool;
	uint64_t clients, counted; /* of the source; of the pool */
};
/* Collects the clients of one walk. */
struct shares {
	uint64_t now;
	struct shares_client *list;
	size_t count, room;
};
/* One client. KMS_OK or KMS_E_NO_MEMORY. */
int shares_add(struct shares *s, const struct kmsdb_client *c, const struct kmsdb_cold *cold);
/*
 * The largest share of each pool at which it is that large, but for sources of the networks in
 * exempt. Returns how many were found, at most max.
 */
size_t shares_find(
    struct shares *s, const struct config_networks *exempt, struct share *out, size_t max);
void shares_free(struct shares *s);

#endif
