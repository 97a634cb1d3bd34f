/*
 * trust.h - which keys are trusted: the publisher key in the product, and the other key of a
 * rotation that contains it.
 */
#ifndef KMS_LIBKMS_CLIENT_TRUST_H
#define KMS_LIBKMS_CLIENT_TRUST_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/client/client.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/publisher_keys.h"

/* The remembered rotations, verified again: the state file is not trusted. */
void trust_stored(struct publisher_keys *keys, const struct kms_client *c);
/*
 * Remembers the rotations that a host sent, if they form a chain with our key. The first rotation
 * that is seen for a key stays: somebody who steals an old key later cannot announce another one.
 */
void trust_remember(struct kms_client *c, const uint8_t *const *statements, unsigned count);

/*
 * now: the certificate came from a host just now, so the dates of the rotation apply; 0: it was
 * stored, and what was stored stays valid.
 */
int trust_certificate(const struct publisher_keys *keys, struct certificate *cert,
    const uint8_t *bytes, size_t len, uint64_t now);
/* As lease_verify. */
int trust_lease(const struct publisher_keys *keys, struct entry_client *out, const uint8_t *bundle,
    size_t len, const struct certificate *cert, const uint8_t *cmid, const uint8_t *product);

#endif
