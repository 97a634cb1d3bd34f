/*
 * kms_hosts.h - the KMS hosts that kmsd would relay to: those of [relay] upstream, and those in
 * the SRV records of [relay] domain, with the same ones skipped.
 */
#ifndef KMSCTL_RELAY_KMS_HOSTS_H
#define KMSCTL_RELAY_KMS_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "libkms/client/discover.h"

enum kms_host_state {
	KMS_HOST_USED,
	KMS_HOST_NAMELESS, /* its name has no address: why says what DNS said */
	KMS_HOST_SELF,     /* this appliance */
	KMS_HOST_PORT,     /* from DNS, with a port to which the fronts may not connect */
	KMS_HOST_TWICE,    /* an earlier host has the same address and port */
};

struct kms_host {
	struct discover_host host;
	bool dns; /* found by domain */
	enum kms_host_state state;
	size_t count;
	struct discover_address addresses[DISCOVER_ADDRESSES];
	char why[160];
};

struct kms_hosts {
	/* upstream's in their order, then those of DNS by priority */
	struct kms_host *at;
	size_t count;
	char why[160]; /* the reason when domain gives no host; otherwise "" */
};

/*
 * own: the port of this appliance, 0 not known. KMS_OK or KMS_E_NO_MEMORY. kms_hosts_free in any
 * case.
 */
int kms_hosts_collect(struct kms_hosts *b, const struct config *c, uint16_t own);
void kms_hosts_free(struct kms_hosts *b);

/* The resolver that kmsd would use; server holds the text of its name server. */
struct discover kms_hosts_resolver(const struct config *c, char server[ENDPOINT_TEXT]);
/* h is one of these hosts, by its name or by one of its addresses. */
bool kms_hosts_has(const struct kms_hosts *b, const struct discover_host *h,
    const struct discover_address *addresses, size_t count);
/* An address of this appliance, where it listens. */
bool kms_host_is_self(const struct config *c, const struct discover_address *a);

#endif
