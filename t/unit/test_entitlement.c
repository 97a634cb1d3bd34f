/*
 * test_entitlement.c - entitlements: their order, what is invalid, and where they travel: the
 * certificate. A table of bad input.
 */
#include <sodium.h>

#include "libkms/core/certificate.h"
#include "libkms/core/entitlement.h"
#include "t/unit/core_test.h"

static void
test_add(void **state)
{
	struct entitlements all = { 0 };
	struct entitlement e;
	char text[ENTITLEMENTS_TEXT];

	assert_int_equal(entitlements_add(&all, "seats.extra", "25"), KMS_OK);
	assert_int_equal(entitlements_add(&all, "edition", "special, M\xc3\xbcller"), KMS_OK);
	assert_int_equal(entitlements_add(&all, "seats", ""), KMS_OK);
	assert_int_equal(entitlements_check(all.octets, all.len), KMS_OK);
	assert_string_equal(entitlements_text(text, &all),
	    "edition=special, M\xc3\xbcller, seats=, seats.extra=25");
	assert_true(entitlements_find(&all, "seats.extra", &e));
	assert_int_equal(e.value_len, 2);
	assert_memory_equal(e.value, "25", 2);
	assert_true(entitlements_find(&all, "seats", &e));
	assert_int_equal(e.value_len, 0);
	assert_false(entitlements_find(&all, "seat", &e));
	assert_false(entitlements_find(&all, "", &e));
	assert_int_equal(entitlements_add(&all, "seats", "1"), KMS_E_EXISTS);
	(void)state;
}

static void
test_limits(void **state)
{
	struct entitlements all = { 0 }, before;
	char value[ENTITLEMENT_VALUE + 2], key[ENTITLEMENT_KEY + 2];

	memset(value, 'v', sizeof(value));
	value[ENTITLEMENT_VALUE + 1] = '\0';
	assert_int_equal(entitlements_add(&all, "a", value), KMS_E_FORMAT);
	value[ENTITLEMENT_VALUE] = '\0';
	assert_int_equal(entitlements_add(&all, "a", value), KMS_OK);
	memset(key, 'k', sizeof(key));
	key[ENTITLEMENT_KEY + 1] = '\0';
	assert_int_equal(entitlements_add(&all, key, ""), KMS_E_FORMAT);
	key[ENTITLEMENT_KEY] = '\0';
	assert_int_equal(entitlements_add(&all, key, ""), KMS_OK);
	before = all;
	assert_int_equal(entitlements_add(&all, "b", value), KMS_E_TOO_LARGE);
	assert_memory_equal(&all, &before, sizeof(all));
	value[ENTITLEMENTS_MAX - all.len - 3] = '\0';
	assert_int_equal(entitlements_add(&all, "b", value), KMS_OK);
	assert_int_equal(all.len, ENTITLEMENTS_MAX);
	assert_int_equal(entitlements_check(all.octets, all.len), KMS_OK);
	(void)state;
}

static void
test_bad(void **state)
{
	static const struct {
		const char *what;
		const char *octets;
		size_t len;
	} rows[] = {
		{ "nothing", "", 0 },
		{ "an empty key", "\0\1x", 3 },
		{ "a key alone", "\1a", 2 },
		{ "a key cut", "\5edit", 5 },
		{ "a value cut", "\1a\2x", 4 },
		{ "a capital", "\1A\0", 3 },
		{ "a digit first", "\0021a\0", 4 },
		{ "a dot first", "\2.a\0", 4 },
		{ "a line", "\3a_b\0", 5 },
		{ "a blank in a key", "\3a b\0", 5 },
		{ "twice", "\1a\0\1a\0", 6 },
		{ "descending", "\1b\0\1a\0", 6 },
		{ "a longer one first", "\2ab\0\1a\0", 7 },
		{ "a value with a control", "\1a\1\t", 4 },
		{ "a value that is not UTF-8", "\1a\1\xff", 4 },
		{ "a value that turns the line", "\1a\3\xe2\x80\xae", 6 },
		{ "one octet more", "\1a\1x\0", 5 },
	};
	struct entitlements all = { 0 };

	for (size_t i = 0; i < COUNT(rows); i++)
		if (entitlements_check((const uint8_t *)rows[i].octets, rows[i].len) !=
		    KMS_E_FORMAT)
			fail_msg("%s", rows[i].what);
	assert_int_equal(entitlements_check((const uint8_t *)"\1a\1x\2a-\0", 8), KMS_OK);
	assert_int_equal(entitlements_add(&all, "A", ""), KMS_E_FORMAT);
	assert_int_equal(entitlements_add(&all, "", ""), KMS_E_FORMAT);
	assert_int_equal(entitlements_add(&all, "a", "\n"), KMS_E_FORMAT);
	(void)state;
}

/* In a certificate: as TLV 1, of no length but its own, once. */
static void
test_certificate(void **state)
{
	struct certificate c = { .confirmation = 1, .product_count = 1 }, got;
	uint8_t octets[CERTIFICATE_MAX];
	size_t n;

	assert_int_equal(entitlements_add(&c.entitlements, "edition", "x"), KMS_OK);
	n = certificate_encode(octets, sizeof(octets) - 64, &c) + 64;
	assert_int_equal(certificate_decode(&got, octets, n), KMS_OK);
	assert_memory_equal(&got.entitlements, &c.entitlements, sizeof(c.entitlements));
	octets[CERTIFICATE_FIXED + 16 + 2 + 4 + 1] = 'E';
	assert_int_equal(certificate_decode(&got, octets, n), KMS_E_FORMAT);
	octets[CERTIFICATE_FIXED + 16 + 2 + 4 + 1] = 'e';
	octets[CERTIFICATE_FIXED + 16 + 2] = 0x80; /* the same number, critical: another type */
	assert_int_equal(certificate_decode(&got, octets, n), KMS_E_SCHEMA);
	c.entitlements.octets[1] = 'E';
	assert_int_equal(certificate_encode(octets, sizeof(octets) - 64, &c), 0);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_certificate),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("entitlement", tests, NULL, NULL);
}
