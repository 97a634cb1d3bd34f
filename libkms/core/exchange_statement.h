/*
 * exchange_statement.h - the statement of an exchange key: a host's word, signed with its signing
 * key, that clients may seal requests for this X25519 key, and until when.
 *
 *   0   8  "KMSXKEY1"
 *   8  16  host id (certificate.h)
 *  24   8  key id: first 8 bytes of SHA-256("KMS exchange v1" || X)
 *  32  32  X, the exchange key
 *  64   8  made, seconds since 1970 UTC
 *  72   8  until: clients ask for a newer one afterwards
 *  80   8  ends: last second at which the host opens with it
 *  88   1  lowest frame version that the host speaks
 *  89   1  highest
 *  90   6  zero
 *  96  64  Ed25519 signature by the host's signing key over bytes 0..95
 */
#ifndef KMS_LIBKMS_CORE_EXCHANGE_STATEMENT_H
#define KMS_LIBKMS_CORE_EXCHANGE_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/limits.h"

#define EXCHANGE_SIGNED 96
#define EXCHANGE_KEY_ID 8
#define EXCHANGE_LIFE_MAX (UINT64_C(32) * 86400) /* from made to ends, seconds */
#define EXCHANGE_SKEW (UINT64_C(4) * 3600)       /* how far two clocks may differ */

struct exchange {
	uint8_t host_id[16];
	uint8_t key_id[EXCHANGE_KEY_ID];
	uint8_t pk[32];
	uint64_t made, until, ends;
	uint8_t lowest, highest; /* frame versions */
};

void exchange_key_id(uint8_t out[EXCHANGE_KEY_ID], const uint8_t pk[32]);
/* The bytes that are signed; the caller appends the signature. Key id and host id are given. */
void exchange_encode(uint8_t out[EXCHANGE_SIGNED], const struct exchange *e);
/*
 * By the signing key of the host's verified certificate, in this order: KMS_E_TRUNCATED,
 * KMS_E_TRAILING; KMS_E_SCHEMA, KMS_E_FORMAT (magic); KMS_E_SIGNATURE; KMS_E_FORMAT (an id that
 * does not follow from its key, times or versions out of order, a key of small order).
 */
int exchange_verify(struct exchange *out, const uint8_t *in, size_t len, const uint8_t sign_pk[32]);
/*
 * May a client use it now? KMS_E_BAD_VERSION: the host does not speak the frame version that is
 * spoken here; KMS_E_TIME_SKEW: now is not within made and ends, with EXCHANGE_SKEW at both sides.
 */
int exchange_usable(const struct exchange *e, uint64_t now);

#endif
