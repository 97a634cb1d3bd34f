/*
 * certificate.c - the host certificate: its bytes, its signature, and whether
 * it covers a product (certificate.h).
 */
#include "libkms/core/certificate.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define TLV_ENTITLEMENTS 1

static const char magic[8] = { 'K', 'M', 'S', 'C', 'E', 'R', 'T', '2' };

_Static_assert(CERTIFICATE_SIGNATURE == crypto_sign_BYTES, "Ed25519");

void
certificate_host_id(uint8_t out[16], const uint8_t sign_pk[32])
{
	static const char label[] = "KMS host v2";
	uint8_t text[sizeof(label) - 1 + 32], hash[crypto_hash_sha256_BYTES];

	memcpy(text, label, sizeof(label) - 1);
	memcpy(text + sizeof(label) - 1, sign_pk, 32);
	crypto_hash_sha256(hash, text, sizeof(text));
	memcpy(out, hash, 16);
}

static bool
in_range(const struct certificate *c)
{
	if (c->not_before > c->not_after || c->confirmation == 0)
		return false;
	if (c->product_count == 0 || c->product_count > CERTIFICATE_PRODUCTS)
		return false;
	for (unsigned i = 1; i < c->product_count; i++)
		if (memcmp(c->products[i - 1], c->products[i], 16) >= 0)
			return false;
	return c->entitlements.len == 0 ||
	       entitlements_check(c->entitlements.octets, c->entitlements.len) == KMS_OK;
}

size_t
certificate_encode(uint8_t *out, size_t size, const struct certificate *c)
{
	struct wire_writer w;

	if (!in_range(c))
		return 0;
	wire_writer_init(&w, out, size);
	wire_put(&w, magic, sizeof(magic));
	wire_put(&w, c->publisher, sizeof(c->publisher));
	wire_put(&w, c->host_key_id, sizeof(c->host_key_id));
	wire_put(&w, c->sign_pk, sizeof(c->sign_pk));
	wire_put_u64(&w, c->serial);
	wire_put_u64(&w, c->issued);
	wire_put_u64(&w, c->not_before);
	wire_put_u64(&w, c->not_after);
	wire_put_u32(&w, c->capacity);
	wire_put_u16(&w, c->confirmation);
	wire_put_text(&w, c->group, CERTIFICATE_GROUP);
	wire_put_text(&w, c->customer, CERTIFICATE_CUSTOMER);
	wire_put_u16(&w, c->product_count);
	wire_put(&w, c->products, (size_t)c->product_count * 16);
	if (c->entitlements.len == 0) {
		wire_put_u16(&w, 0);
	} else {
		wire_put_u16(&w, (uint16_t)(4 + c->entitlements.len));
		wire_put_tlv(&w, TLV_ENTITLEMENTS, c->entitlements.octets, c->entitlements.len);
	}
	return wire_written(&w);
}

/* u16 length, then a tail of exactly that length. */
static int
decode_tail(struct certificate *c, struct wire_reader *r)
{
	uint16_t len = wire_get_u16(r);
	struct wire_reader octets;
	struct wire_tail tail;
	struct wire_tlv tlv;

	wire_reader_init(&octets, wire_view(r, len), len);
	wire_tail_init(&tail, &octets, TAIL_CERTIFICATE);
	while (wire_tail_next(&tail, &tlv)) {
		if (tlv.type != TLV_ENTITLEMENTS) {
			wire_tail_unknown(&tail, &tlv);
			continue;
		}
		if (entitlements_check(tlv.value, tlv.len) != KMS_OK)
			return KMS_E_FORMAT;
		memcpy(c->entitlements.octets, tlv.value, tlv.len);
		c->entitlements.len = tlv.len;
	}
	return wire_tail_finish(&tail);
}

int
certificate_decode(struct certificate *c, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	bool text_ok;
	int rc, tail;

	memset(c, 0, sizeof(*c));
	wire_reader_init(&r, in, len);
	if ((rc = wire_magic(&r, magic)) != KMS_OK)
		return rc;
	wire_get(&r, c->publisher, sizeof(c->publisher));
	wire_get(&r, c->host_key_id, sizeof(c->host_key_id));
	wire_get(&r, c->sign_pk, sizeof(c->sign_pk));
	c->serial = wire_get_u64(&r);
	c->issued = wire_get_u64(&r);
	c->not_before = wire_get_u64(&r);
	c->not_after = wire_get_u64(&r);
	c->capacity = wire_get_u32(&r);
	c->confirmation = wire_get_u16(&r);
	text_ok = wire_get_text(&r, c->group, CERTIFICATE_GROUP);
	text_ok = wire_get_text(&r, c->customer, CERTIFICATE_CUSTOMER) && text_ok;
	c->product_count = wire_get_u16(&r);
	if (c->product_count > CERTIFICATE_PRODUCTS)
		return KMS_E_FORMAT;
	wire_get(&r, c->products, (size_t)c->product_count * 16);
	tail = decode_tail(c, &r);
	wire_view(&r, crypto_sign_BYTES);
	if ((rc = wire_finish(&r)) != KMS_OK)
		return rc;
	if (tail != KMS_OK)
		return tail;
	if (!text_ok || !in_range(c))
		return KMS_E_FORMAT;
	certificate_host_id(c->host_id, c->sign_pk);
	return KMS_OK;
}

int
certificate_verify(struct certificate *c, const uint8_t *in, size_t len,
    const uint8_t publisher_id[8], const uint8_t publisher_pk[32])
{
	size_t signed_len;
	int rc;

	if ((rc = certificate_decode(c, in, len)) != KMS_OK)
		return rc;
	if (memcmp(c->publisher, publisher_id, sizeof(c->publisher)) != 0)
		return KMS_E_PUBLISHER;
	signed_len = len - crypto_sign_BYTES;
	return crypto_sign_verify_detached(in + signed_len, in, signed_len, publisher_pk) == 0
		   ? KMS_OK
		   : KMS_E_SIGNATURE;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

bool
certificate_covers(const struct certificate *c, const uint8_t product[16])
{
	return bsearch(product, c->products, c->product_count, 16, compare) != NULL;
}
