/*
 * test_register_event.c - an event of the publisher's register: its bytes where register.h says
 * they are, and what must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/issue/register.h"

static const struct register_event good = {
	.kind = EVENT_CONFIRM,
	.flags = EVENT_OVERRIDE,
	.time = 0x0102030405060708,
	.publisher = { 0x11 },
	.host_key = { 0x22 },
	.host = { 0x33 },
	.serial = 7,
	.confirmation = 0x0405,
	.group = "group",
	.from = 1,
	.until = 2,
	.capacity = 3,
	.hosts = 4,
	.confirmations = 5,
	.request = { 0x44 },
	.certificate = { 0x55 },
	.new_publisher = { 0x66 },
	.new_pk = { 0x77 },
	.customer = "Customer",
	.host_name = "host",
	.reason = "why",
	.entitlements = { 5, "\1a\2xy" },
};

static void
test_layout(void **state)
{
	static const struct {
		size_t at;
		uint8_t octet;
	} places[] = { { 0, 2 }, { 1, EVENT_CONFIRM }, { 3, 1 }, { 4, 1 }, { 11, 8 }, { 12, 0x11 },
		{ 20, 0x22 }, { 36, 0x33 }, { 59, 7 }, { 60, 4 }, { 61, 5 }, { 62, 'g' },
		{ 101, 1 }, { 109, 2 }, { 113, 3 }, { 115, 4 }, { 117, 5 }, { 118, 0x44 },
		{ 150, 0x55 }, { 182, 0x66 }, { 190, 0x77 }, { 222, 8 }, { 223, 'C' }, { 231, 4 },
		{ 236, 3 } };
	uint8_t octets[EVENT_MAX];
	struct register_event e;
	size_t len = register_event_encode(octets, sizeof(octets), &good);

	assert_int_equal(len, 222 + 1 + 8 + 1 + 4 + 1 + 3 + 2 + 5);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		assert_int_equal(octets[places[i].at], places[i].octet);
	assert_int_equal(register_event_decode(&e, octets, len), KMS_OK);
	assert_memory_equal(&e, &good, sizeof(e));
	for (size_t n = 0; n < len; n++) {
		assert_int_equal(register_event_decode(&e, octets, n), KMS_E_TRUNCATED);
		assert_int_equal(register_event_encode(octets, n, &good), 0);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t octet;
		int status;
	} rows[] = {
		{ "another version", 0, 1, KMS_E_SCHEMA },
		{ "kind 0", 1, 0, KMS_E_FORMAT },
		{ "a kind of later", 1, EVENT_AUDIT + 1, KMS_E_SCHEMA },
		{ "a flag unknown", 3, 2, KMS_E_FORMAT },
		{ "a control character in the group", 62, 7, KMS_E_FORMAT },
		{ "a group that goes on after its end", 93, 'x', KMS_E_FORMAT },
		{ "a customer that is not UTF-8", 223, 0xff, KMS_E_FORMAT },
		{ "a customer longer than the rest", 222, 64, KMS_E_TRUNCATED },
		{ "a reason that ends early", 236, 2, KMS_E_TRUNCATED },
		{ "entitlements longer than the rest", 241, 6, KMS_E_TRUNCATED },
		{ "entitlements that end early", 241, 4, KMS_E_TRAILING },
		{ "an entitlement key with a capital letter", 243, 'A', KMS_E_FORMAT },
	};
	uint8_t octets[EVENT_MAX] = { 0 };
	struct register_event e;
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		len = register_event_encode(octets, sizeof(octets), &good);
		octets[rows[i].at] = rows[i].octet;
		if (register_event_decode(&e, octets, len) != rows[i].status)
			fail_msg("%s", rows[i].name);
	}
	len = register_event_encode(octets, sizeof(octets), &good);
	assert_int_equal(register_event_decode(&e, octets, len + 1), KMS_E_TRAILING);
	e = good;
	e.kind = 0;
	assert_int_equal(register_event_encode(octets, sizeof(octets), &e), 0);
	e = good;
	strcpy(e.reason, "two\nlines");
	assert_int_equal(register_event_encode(octets, sizeof(octets), &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_bad),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
