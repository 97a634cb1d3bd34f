/*
 * certificate.h - the host certificate: the publisher's statement that this host, with this
 * signing key, may activate these products.
 *
 *   0   8  "KMSCERT2"
 *   8   8  publisher key id (minisign's)
 *  16  16  host key id (UUID of the KMS host key it stems from)
 *  32  32  host signing key (Ed25519)
 *  64   8  serial number
 *  72   8  issued, seconds since 1970 UTC
 *  80   8  not before
 *  88   8  not after
 *  96   4  capacity: most clients counted in one pool, 0 no limit
 * 100   2  number of this confirmation of the host, from 1
 * 102  32  key group, text, zero padded
 * 134  64  customer, text, zero padded
 * 198   2  number n of products, 1..CERTIFICATE_PRODUCTS
 * 200 16n  product UUIDs, strictly ascending
 *       2  length t of the TLV tail, at most TAIL_CERTIFICATE
 *       t  TLV tail: type 1, entitlements (entitlement.h)
 *      64  Ed25519 signature by the publisher over all bytes before it
 *
 * Host id: first 16 bytes of SHA-256("KMS host v2" || signing key). The exchange key is not in it:
 * it changes, and the host states it (exchange_statement.h).
 */
#ifndef KMS_LIBKMS_CORE_CERTIFICATE_H
#define KMS_LIBKMS_CORE_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/entitlement.h"
#include "libkms/core/limits.h"

#define CERTIFICATE_GROUP 32
#define CERTIFICATE_CUSTOMER 64

struct certificate {
	uint8_t publisher[8];
	uint8_t host_key_id[16];
	uint8_t sign_pk[32];
	uint64_t serial;
	uint64_t issued;
	uint64_t not_before;
	uint64_t not_after;
	uint32_t capacity;
	uint16_t confirmation;
	char group[CERTIFICATE_GROUP + 1];
	char customer[CERTIFICATE_CUSTOMER + 1];
	uint16_t product_count;
	uint8_t products[CERTIFICATE_PRODUCTS][16];
	struct entitlements entitlements;
	/* derived by certificate_decode */
	uint8_t host_id[16];
};

void certificate_host_id(uint8_t out[16], const uint8_t sign_pk[32]);

/* Bytes to be signed; 0 when it does not fit. The caller appends the signature. */
size_t certificate_encode(uint8_t *out, size_t size, const struct certificate *c);
/*
 * Shape only: KMS_E_TRUNCATED, KMS_E_TRAILING, KMS_E_FORMAT; KMS_E_SCHEMA: another version, or an
 * unknown critical TLV.
 */
int certificate_decode(struct certificate *c, const uint8_t *in, size_t len);
/* Shape and the publisher's signature: also KMS_E_SIGNATURE, KMS_E_PUBLISHER (another key id). */
int certificate_verify(struct certificate *c, const uint8_t *in, size_t len,
    const uint8_t publisher_id[8], const uint8_t publisher_pk[32]);
bool certificate_covers(const struct certificate *c, const uint8_t product[16]);

#endif
