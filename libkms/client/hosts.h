/*
 * hosts.h - the hosts that a client tries: the fixed one of its options, or those of the SRV
 * records.
 */
#ifndef KMS_LIBKMS_CLIENT_HOSTS_H
#define KMS_LIBKMS_CLIENT_HOSTS_H

#include "libkms/client/client.h"
#include "libkms/client/discover.h"

/* d is set from the client's options. As discover_hosts_begin. */
int client_hosts_begin(struct kms_client *c, struct discover *d, int64_t deadline,
    struct discover_host hosts[DISCOVER_HOSTS], size_t *count);

#endif
