/*
 * stored.h - what the state file proves: the lease in it, and the facts that the licence follows
 * from. No network; only the publisher's signature is trusted.
 */
#ifndef KMS_LIBKMS_CLIENT_STORED_H
#define KMS_LIBKMS_CLIENT_STORED_H

#include "libkms/client/client.h"
#include "libkms/client/licence.h"
#include "libkms/core/entry.h"

/*
 * Everything but its dates: KMS_OK, KMS_E_NO_LEASE, KMS_E_LEASE_OTHER, KMS_E_PINNED, ... With the
 * certificate that it verifies with.
 */
int client_stored(struct kms_client *c, struct entry_client *out, struct certificate *cert);
int client_lease(struct kms_client *c, struct entry_client *out);
/* *cert is set when out->lease is. */
void client_facts(
    struct kms_client *c, struct licence_facts *out, struct certificate *cert, uint64_t now);

#endif
