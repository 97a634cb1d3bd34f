/*
 * test_certificate.c - the host certificate: every cut, each field out of
 * range, and a signature that covers every byte.
 */
#include <sodium.h>

#include "libkms/core/certificate.h"
#include "t/unit/core_test.h"

static uint8_t publisher_pk[32], publisher_sk[64];
static const uint8_t publisher_id[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void
fill(struct certificate *c, unsigned products)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->publisher, publisher_id, 8);
	memset(c->sign_pk, 0x11, 32);
	c->serial = 1;
	c->not_before = 1000;
	c->not_after = 2000;
	c->confirmation = 1;
	strcpy(c->group, "standard");
	memset(c->customer, 'c', CERTIFICATE_CUSTOMER);
	c->product_count = (uint16_t)products;
	for (unsigned i = 0; i < products; i++)
		c->products[i][0] = (uint8_t)(i + 1);
}

static size_t
make(uint8_t *out, size_t size, unsigned products)
{
	struct certificate c;
	size_t n;

	fill(&c, products);
	n = certificate_encode(out, size - 64, &c);
	if (n > 0)
		crypto_sign_detached(out + n, NULL, out, n, publisher_sk);
	return n == 0 ? 0 : n + 64;
}

static int
decode(const uint8_t *in, size_t len)
{
	struct certificate c;

	return certificate_decode(&c, in, len);
}

static void
test_codec(void **state)
{
	static const struct bad_field rows[] = {
		{ "magic", 0, 'k', 1, KMS_E_FORMAT },
		{ "magic's version", 7, '1', 1, KMS_E_SCHEMA },
		{ "magic's next version", 7, '3', 1, KMS_E_SCHEMA },
		{ "not before past not after", 80, 2001, 8, KMS_E_FORMAT },
		{ "one instant", 80, 2000, 8, KMS_OK },
		{ "confirmation 0", 100, 0, 2, KMS_E_FORMAT },
		{ "group, control", 102, 7, 1, KMS_E_FORMAT },
		{ "group, octet behind", 133, 'x', 1, KMS_E_FORMAT },
		{ "customer not UTF-8", 197, 0xc3, 1, KMS_E_FORMAT },
		{ "no product", 198, 0, 2, KMS_E_TRUNCATED },
		{ "129 products", 198, 129, 2, KMS_E_FORMAT },
		{ "65535 products", 198, 65535, 2, KMS_E_FORMAT },
		{ "twice the same product", 216, 1, 1, KMS_E_FORMAT },
		{ "products descending", 200, 9, 1, KMS_E_FORMAT },
		{ "tail past the end", 248, 1, 2, KMS_E_TRUNCATED },
		{ "tail that is no TLV", 248, 0xffff, 2, KMS_E_TRUNCATED },
	};
	uint8_t octets[CERTIFICATE_MAX + 1];
	struct certificate c;
	size_t n = make(octets, sizeof(octets), 3);

	assert_int_equal(n, CERTIFICATE_FIXED + 3 * 16 + 2 + 64);
	assert_int_equal(certificate_decode(&c, octets, n), KMS_OK);
	assert_string_equal(c.group, "standard");
	assert_int_equal(strlen(c.customer), CERTIFICATE_CUSTOMER);
	assert_int_equal(c.product_count, 3);
	check_truncations(decode, octets, n);
	octets[n] = 0;
	assert_int_equal(decode_exact(decode, octets, n + 1), KMS_E_TRAILING);
	check_bad_fields(decode, octets, n, rows, COUNT(rows));
	(void)state;
}

/* A tail of one unknown TLV is skipped; half a TLV is not a tail. */
static void
test_tail(void **state)
{
	uint8_t octets[CERTIFICATE_MAX] = { 0 };
	size_t n = make(octets, sizeof(octets), 3) - 64;

	octets[n - 1] = 5;
	memcpy(octets + n, "\x77\x77\x00\x01x", 5);
	assert_int_equal(decode_exact(decode, octets, n + 5 + 64), KMS_OK);
	octets[n + 3] = 2;
	assert_int_equal(decode_exact(decode, octets, n + 5 + 64), KMS_E_TRUNCATED);
	(void)state;
}

static void
test_too_long(void **state)
{
	static uint8_t octets[CERTIFICATE_MAX + 64];
	size_t n = make(octets, sizeof(octets), 3) - 64;
	size_t tail = TAIL_CERTIFICATE, whole = n + tail + 64;

	octets[n - 2] = (uint8_t)(tail >> 8);
	octets[n - 1] = (uint8_t)tail;
	memset(octets + n, 0x77, sizeof(octets) - n);
	octets[n + 2] = (uint8_t)((tail - 4) >> 8);
	octets[n + 3] = (uint8_t)(tail - 4);
	assert_int_equal(decode_exact(decode, octets, whole), KMS_OK);
	/* One octet more in the tail. */
	octets[n - 1]++;
	octets[n + 3]++;
	assert_int_equal(decode_exact(decode, octets, whole + 1), KMS_E_FORMAT);
	(void)state;
}

static void
test_most_products(void **state)
{
	uint8_t octets[CERTIFICATE_MAX];
	struct certificate c;
	uint8_t product[16] = { 128 };
	size_t n = make(octets, sizeof(octets), CERTIFICATE_PRODUCTS);

	assert_int_equal(certificate_decode(&c, octets, n), KMS_OK);
	assert_true(certificate_covers(&c, product));
	product[0] = 1;
	assert_true(certificate_covers(&c, product));
	product[15] = 1;
	assert_false(certificate_covers(&c, product));
	product[0] = 0;
	assert_false(certificate_covers(&c, product));
	product[0] = 255;
	assert_false(certificate_covers(&c, product));
	fill(&c, 2);
	c.product_count = CERTIFICATE_PRODUCTS + 1;
	assert_int_equal(certificate_encode(octets, sizeof(octets), &c), 0);
	c.product_count = 0;
	assert_int_equal(certificate_encode(octets, sizeof(octets), &c), 0);
	fill(&c, 2);
	memcpy(c.products[1], c.products[0], 16);
	assert_int_equal(certificate_encode(octets, sizeof(octets), &c), 0);
	(void)state;
}

static void
test_verify(void **state)
{
	static const uint8_t other_id[8] = { 1, 2, 3, 4, 5, 6, 7, 9 };
	uint8_t octets[CERTIFICATE_MAX], other_pk[32], other_sk[64], id[16];
	struct certificate c;
	size_t n = make(octets, sizeof(octets), 3);

	assert_int_equal(certificate_verify(&c, octets, n, publisher_id, publisher_pk), KMS_OK);
	certificate_host_id(id, c.sign_pk);
	assert_memory_equal(c.host_id, id, 16);
	crypto_sign_keypair(other_pk, other_sk);
	assert_int_equal(
	    certificate_verify(&c, octets, n, publisher_id, other_pk), KMS_E_SIGNATURE);
	assert_int_equal(
	    certificate_verify(&c, octets, n, other_id, publisher_pk), KMS_E_PUBLISHER);
	assert_int_equal(
	    certificate_verify(&c, octets, n - 1, publisher_id, publisher_pk), KMS_E_TRUNCATED);
	for (size_t i = 0; i < n; i++) {
		octets[i] ^= 1;
		assert_int_not_equal(
		    certificate_verify(&c, octets, n, publisher_id, publisher_pk), KMS_OK);
		octets[i] ^= 1;
	}
	octets[68] ^= 1; /* serial: shape is fine, so it must be the signature */
	assert_int_equal(
	    certificate_verify(&c, octets, n, publisher_id, publisher_pk), KMS_E_SIGNATURE);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codec),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_most_products),
		cmocka_unit_test(test_verify),
	};

	if (sodium_init() < 0)
		return 1;
	crypto_sign_keypair(publisher_pk, publisher_sk);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
