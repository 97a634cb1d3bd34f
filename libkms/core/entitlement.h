/*
 * entitlement.h - what a customer bought besides seats: keys with values, which a publisher writes
 * into a host key, kmsissue copies into the certificate, and a product reads there
 * (kms_entitlement). The host cannot grant any: they are below the publisher's signature.
 *
 * Encoded, 1 to ENTITLEMENTS_MAX bytes: u8 length and key, u8 length and value, one after the
 * other. A key has 1 to 32 of a-z 0-9 . -, the first is a letter; keys ascend strictly by their
 * bytes. A value is text (wire_text_ok) of 0 to 255 bytes.
 */
#ifndef KMS_LIBKMS_CORE_ENTITLEMENT_H
#define KMS_LIBKMS_CORE_ENTITLEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/wire.h"
#include "libkms/core/limits.h"

#define ENTITLEMENT_KEY 32
#define ENTITLEMENT_VALUE 255

/* All of a host key or certificate; len 0: none. */
struct entitlements {
	uint16_t len;
	uint8_t octets[ENTITLEMENTS_MAX];
};

/* One of them; borrowed, not terminated. */
struct entitlement {
	const char *key, *value;
	uint8_t key_len, value_len;
};

/* The rule above, for bytes from elsewhere: KMS_OK or KMS_E_FORMAT. */
int entitlements_check(const uint8_t *octets, size_t len);
/* r: over checked bytes. false at the end. */
bool entitlements_next(struct wire_reader *r, struct entitlement *out);
/* false: no such key. */
bool entitlements_find(const struct entitlements *e, const char *key, struct entitlement *out);
/*
 * Adds one in its place. KMS_E_FORMAT: key or value is not as it must be; KMS_E_EXISTS: the key is
 * there; KMS_E_TOO_LARGE.
 */
int entitlements_add(struct entitlements *e, const char *key, const char *value);

/* "KEY=VALUE, KEY=VALUE", for people. Returns out. */
#define ENTITLEMENTS_TEXT (2 * ENTITLEMENTS_MAX)
const char *entitlements_text(char out[ENTITLEMENTS_TEXT], const struct entitlements *e);

#endif
