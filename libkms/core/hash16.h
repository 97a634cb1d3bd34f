/*
 * hash16.h - B16(label, x) of kms-protocol(7): BLAKE2b (RFC 7693) with a digest of 16 bytes,
 * without a key, over the ASCII label without a final zero, then x.
 */
#ifndef KMS_LIBKMS_CORE_HASH16_H
#define KMS_LIBKMS_CORE_HASH16_H

#include <stddef.h>
#include <stdint.h>

#define HASH16_SIZE 16

struct hash16_part {
	const void *bytes;
	size_t len;
};

/* x is the count parts one after the other. */
void hash16(
    uint8_t out[HASH16_SIZE], const char *label, const struct hash16_part *parts, size_t count);

/* The salt of a client's commitments: B16("KMS salt v1", its secret key). */
void hash16_salt(uint8_t out[HASH16_SIZE], const uint8_t secret_key[32]);

#endif
