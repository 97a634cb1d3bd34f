/*
 * exchange_file.h - the bytes of keys/exchange.key: the host's exchange keys, one or two, sealed
 * below the host key. It is never in a backup: without it a host makes a new key.
 *
 *  0  8  "KMSHOSTX"
 *  8  1  version, 1
 *  9  1  n, 1 or 2 keys, the newest first
 * 10  6  zero
 * 16 16  host id
 * 32 24  nonce
 * 56  .. n times secret key 32 and statement 160 (exchange_statement.h), XChaCha20-Poly1305 with
 * tag, additional data: 0..31 32 SHA-256 of all before
 *
 * The key of the seal is host_identity_at_rest's. Pure: the caller's buffers are guarded.
 */
#ifndef KMSD_ACTIVATE_EXCHANGE_FILE_H
#define KMSD_ACTIVATE_EXCHANGE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/limits.h"

#define EXCHANGE_FILE_VERSION 1
#define EXCHANGE_KEYS 2
#define EXCHANGE_SECRET 32
#define EXCHANGE_FILE_MAX (56 + EXCHANGE_KEYS * (EXCHANGE_SECRET + EXCHANGE_SIZE) + 16 + 32)

/* What is sealed; guarded memory. */
struct exchange_pairs {
	unsigned count;
	struct {
		uint8_t secret[EXCHANGE_SECRET];
		uint8_t statement[EXCHANGE_SIZE];
	} at[EXCHANGE_KEYS]; /* the newest first */
};

/* The file's length; a new nonce is made. count: 1 or 2. */
size_t exchange_file_encode(uint8_t out[EXCHANGE_FILE_MAX], const struct exchange_pairs *pairs,
    const uint8_t host_id[16], const uint8_t key[32]);
/*
 * Shape and seal; the statements are not verified here. KMS_E_FORMAT: damaged; KMS_E_SCHEMA:
 * another version; KMS_E_UNKNOWN_HOST: another host's; KMS_E_BAD_SEAL: not below this host key.
 */
int exchange_file_decode(struct exchange_pairs *pairs, const uint8_t *file, size_t len,
    const uint8_t host_id[16], const uint8_t key[32]);

#endif
