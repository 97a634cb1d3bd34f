/*
 * rotation.h - a publisher's statement that a new key replaces its old one. The old key signs it,
 * so that programs that trust the old key trust the new one; the new key signs it, so that
 * programs that have only the new key know that the old one belongs to the same publisher.
 *
 *   0   8  "KMSROTA1"
 *   8   8  old publisher key id
 *  16  32  old publisher key (Ed25519)
 *  48   8  new publisher key id
 *  56  32  new publisher key
 *  88   8  from, seconds since 1970 UTC: both are accepted from then on
 *  96   8  until: last second of the old key
 * 104  64  Ed25519 signature by the old key over bytes 0..103
 * 168  64  Ed25519 signature by the new key over bytes 0..167
 *
 * Several in a row are a chain (publisher_keys.h).
 */
#ifndef KMS_LIBKMS_CORE_ROTATION_H
#define KMS_LIBKMS_CORE_ROTATION_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/limits.h"
#include "libkms/core/minisig.h"

#define ROTATION_OLD_SIGNS 104
#define ROTATION_NEW_SIGNS 168

struct rotation {
	struct minisig_key old, new;
	uint64_t from, until;
};

/* The bytes that the old key signs; its signature follows them, then the new key's. */
void rotation_encode(uint8_t out[ROTATION_SIZE], const struct rotation *r);
/* Shape and both signatures. KMS_E_TRUNCATED, KMS_E_TRAILING, KMS_E_FORMAT, KMS_E_SIGNATURE. */
int rotation_verify(struct rotation *out, const uint8_t *in, size_t len);

#endif
