/*
 * kms_hosts.h - the KMS hosts that kmsd would relay to: those of [relay] upstream, and those
 * that the SRV records of [relay] domain name, with the same ones passed over.
 */
#ifndef KMSCTL_RELAY_KMS_HOSTS_H
#define KMSCTL_RELAY_KMS_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "libkms/client/discover.h"

enum behind_state {
	BEHIND_USED,
	BEHIND_NAMELESS, /* its name has no address: why says what DNS said */
	BEHIND_SELF,     /* this appliance */
	BEHIND_PORT,     /* of DNS, on a port that the fronts may not connect to */
	BEHIND_TWICE,    /* another one before it has its address and port */
};

struct behind_host {
	struct discover_host host;
	bool dns; /* found by domain */
	enum behind_state state;
	size_t count;
	struct discover_address addresses[DISCOVER_ADDRESSES];
	char why[160];
};

struct behind {
	/* upstream's in their order, then those of DNS by priority */
	struct behind_host *at;
	size_t count;
	char why[160]; /* domain gives no host, and the reason; "" else */
};

/*
 * own: the port of this appliance, 0 not known. KMS_OK or KMS_E_NO_MEMORY. behind_free in any
 * case.
 */
int behind_collect(struct behind *b, const struct config *c, uint16_t own);
void behind_free(struct behind *b);

/* The resolver that kmsd's would be. */
struct discover behind_resolver(const struct config *c);
/* h is one of those, by its name or by one of its addresses. */
bool behind_has(const struct behind *b, const struct discover_host *h,
    const struct discover_address *addresses, size_t count);
/* An address of this appliance, where it listens. */
bool behind_is_self(const struct config *c, const struct discover_address *a);

#endif
