/*
 * made_lease.h - entries of leases as kmsd writes them, for ledgers that are made without clients.
 */
#ifndef KMS_T_BENCH_MADE_LEASE_H
#define KMS_T_BENCH_MADE_LEASE_H

#include <stdint.h>

#include "libkms/core/aside.h"
#include "libkms/core/entry.h"
#include "libkms/core/item.h"

struct made_client {
	uint8_t cmid[16], publisher[8], product[16];
	uint16_t pool;
	uint32_t window; /* minutes */
	uint64_t time;   /* seconds */
	uint64_t sequence;
	char name[MESSAGE_NAME + 1];
};

struct made_lease {
	struct item item; /* its views are of the two below */
	uint8_t entry[ENTRY_CLIENT_MAX], aside[ASIDE_MAX];
};

void made_lease(struct made_lease *out, const struct made_client *c);

#endif
