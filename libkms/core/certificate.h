/*
 * certificate.h - the host certificate: the publisher's statement that this host, with these two
 * public keys, may activate these products.
 *
 *   0   8  "KMSCERT1"
 *   8   8  publisher key id (minisign's)
 *  16  16  host key id (UUID of the KMS host key it stems from)
 *  32  32  host signing key (Ed25519)
 *  64  32  host exchange key (X25519)
 *  96   8  serial number
 * 104   8  issued, seconds since 1970 UTC
 * 112   8  not before
 * 120   8  not after
 * 128   4  capacity: most clients counted in one pool, 0 no limit
 * 132   2  number of this confirmation of the host, from 1
 * 134  32  key group, UTF-8, zero padded
 * 166  64  customer, UTF-8, zero padded
 * 230   2  number n of products, 1..CERTIFICATE_PRODUCTS
 * 232 16n  product UUIDs, ascending
 *       2  length t of the TLV tail
 *       t  TLV tail
 *      64  Ed25519 signature by the publisher over all bytes before it
 *
 * Host id: first 16 bytes of SHA-256("KMS host v1" || signing key || exchange key).
 */
#ifndef KMS_LIBKMS_CORE_CERTIFICATE_H
#define KMS_LIBKMS_CORE_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CERTIFICATE_PRODUCTS 128
#define CERTIFICATE_FIXED 232
#define CERTIFICATE_MAX 4096 /* bytes, whole */
#define CERTIFICATE_GROUP 32
#define CERTIFICATE_CUSTOMER 64

struct certificate {
	uint8_t publisher[8];
	uint8_t host_key_id[16];
	uint8_t sign_pk[32];
	uint8_t kx_pk[32];
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
	/* derived by certificate_decode */
	uint8_t host_id[16];
};

void certificate_host_id(uint8_t out[16], const uint8_t sign_pk[32], const uint8_t kx_pk[32]);

/* Bytes to be signed; 0 when it does not fit. The caller appends the signature. */
size_t certificate_encode(uint8_t *out, size_t size, const struct certificate *c);
/* Shape only: KMS_E_TRUNCATED, KMS_E_TRAILING, KMS_E_FORMAT. */
int certificate_decode(struct certificate *c, const uint8_t *in, size_t len);
/* Shape and the publisher's signature: also KMS_E_SIGNATURE, KMS_E_PUBLISHER (another key id). */
int certificate_verify(struct certificate *c, const uint8_t *in, size_t len,
    const uint8_t publisher_id[8], const uint8_t publisher_pk[32]);
bool certificate_covers(const struct certificate *c, const uint8_t product[16]);

#endif
