/*
 * fuzz_certificate.c - the host certificate: what decodes encodes to the same
 * bytes up to its TLV tail, and covers each product it names.
 */
#include <string.h>

#include "libkms/core/certificate.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct certificate c;
	uint8_t again[CERTIFICATE_MAX];
	size_t products, tail;

	if (certificate_decode(&c, data, size) != KMS_OK)
		return 0;
	products = CERTIFICATE_FIXED + 16 * (size_t)c.product_count;
	tail = c.entitlements.len > 0 ? 4 + (size_t)c.entitlements.len : 0;
	MUST(certificate_encode(again, sizeof(again), &c) == products + 2 + tail);
	MUST(memcmp(again, data, products) == 0);
	for (unsigned i = 0; i < c.product_count; i++)
		MUST(certificate_covers(&c, c.products[i]));
	MUST(certificate_verify(&c, data, size, c.publisher, (const uint8_t[32]){ 9 }) != KMS_OK);
	return 0;
}
