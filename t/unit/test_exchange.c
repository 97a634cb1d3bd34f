/*
 * test_exchange.c - statements of an exchange key: every cut and every byte, each field out of its
 * range though well signed, and when a client may use one.
 */
#include <sodium.h>

#include "libkms/core/certificate.h"
#include "libkms/core/exchange_statement.h"
#include "libkms/core/frame.h"
#include "t/unit/core_test.h"

#define MADE 1000000
#define DAY 86400

static uint8_t sign_pk[32], sign_sk[64];

static struct exchange
good(void)
{
	struct exchange e = { .made = MADE,
		.until = MADE + 7 * DAY,
		.ends = MADE + 8 * DAY,
		.lowest = FRAME_VERSION,
		.highest = FRAME_VERSION };
	uint8_t sk[32] = { 5 };

	crypto_scalarmult_base(e.pk, sk);
	certificate_host_id(e.host_id, sign_pk);
	exchange_key_id(e.key_id, e.pk);
	return e;
}

static void
state_it(uint8_t out[EXCHANGE_SIZE], const struct exchange *e)
{
	exchange_encode(out, e);
	crypto_sign_detached(out + EXCHANGE_SIGNED, NULL, out, EXCHANGE_SIGNED, sign_sk);
}

static int
decode(const uint8_t *in, size_t len)
{
	struct exchange e;

	return exchange_verify(&e, in, len, sign_pk);
}

static void
test_statement(void **state)
{
	struct exchange e = good(), got;
	uint8_t octets[EXCHANGE_SIZE + 1] = { 0 };

	state_it(octets, &e);
	assert_int_equal(exchange_verify(&got, octets, EXCHANGE_SIZE, sign_pk), KMS_OK);
	assert_memory_equal(got.host_id, e.host_id, 16);
	assert_memory_equal(got.key_id, e.key_id, EXCHANGE_KEY_ID);
	assert_memory_equal(got.pk, e.pk, 32);
	assert_true(got.made == e.made && got.until == e.until && got.ends == e.ends);
	assert_true(got.lowest == e.lowest && got.highest == e.highest);
	check_truncations(decode, octets, EXCHANGE_SIZE);
	assert_int_equal(decode_exact(decode, octets, EXCHANGE_SIZE + 1), KMS_E_TRAILING);
	for (size_t i = 0; i < EXCHANGE_SIZE; i++) {
		octets[i] ^= 1;
		assert_int_equal(decode(octets, EXCHANGE_SIZE), i < 6   ? KMS_E_FORMAT
								: i < 8 ? KMS_E_SCHEMA
									: KMS_E_SIGNATURE);
		octets[i] ^= 1;
	}
	(void)state;
}

/* Well signed, and yet wrong. */
static void
test_bad(void **state)
{
	static const struct bad_field rows[] = {
		{ "another host's id", 8, 1, 8, KMS_E_FORMAT },
		{ "another key's id", 24, 1, 8, KMS_E_FORMAT },
		{ "made after until", 64, MADE + 7 * DAY + 1, 8, KMS_E_FORMAT },
		{ "made at until", 64, MADE + 7 * DAY, 8, KMS_OK },
		{ "until after ends", 72, MADE + 8 * DAY + 1, 8, KMS_E_FORMAT },
		{ "until at ends", 72, MADE + 8 * DAY, 8, KMS_OK },
		{ "32 days", 80, MADE + 32 * DAY, 8, KMS_OK },
		{ "a second more", 80, MADE + 32 * DAY + 1, 8, KMS_E_FORMAT },
		{ "for ever", 80, UINT64_MAX, 8, KMS_E_FORMAT },
		{ "version 0", 88, 0, 1, KMS_E_FORMAT },
		{ "versions reversed", 88, 3, 1, KMS_E_FORMAT },
		{ "a later highest version", 89, 9, 1, KMS_OK },
		{ "not zero", 90, 1, 1, KMS_E_FORMAT },
		{ "not zero", 95, 1, 1, KMS_E_FORMAT },
	};
	uint8_t octets[EXCHANGE_SIZE];
	struct exchange e = good();

	for (size_t i = 0; i < COUNT(rows); i++) {
		state_it(octets, &e);
		bad_field_apply(&rows[i], octets);
		crypto_sign_detached(
		    octets + EXCHANGE_SIGNED, NULL, octets, EXCHANGE_SIGNED, sign_sk);
		if (decode(octets, EXCHANGE_SIZE) != rows[i].status)
			fail_msg("%s", rows[i].what);
	}
	/* A key that gives everybody the same secret. */
	memset(e.pk, 0, 32);
	exchange_key_id(e.key_id, e.pk);
	state_it(octets, &e);
	assert_int_equal(decode(octets, EXCHANGE_SIZE), KMS_E_FORMAT);
	e.pk[0] = 1;
	exchange_key_id(e.key_id, e.pk);
	state_it(octets, &e);
	assert_int_equal(decode(octets, EXCHANGE_SIZE), KMS_E_FORMAT);
	(void)state;
}

static void
test_usable(void **state)
{
	static const struct {
		uint8_t lowest, highest;
		uint64_t now;
		int status;
	} rows[] = {
		{ 2, 2, MADE, KMS_OK },
		{ 2, 2, MADE - 4 * 3600, KMS_OK },
		{ 2, 2, MADE - 4 * 3600 - 1, KMS_E_TIME_SKEW },
		{ 2, 2, 0, KMS_E_TIME_SKEW },
		{ 2, 2, MADE + 8 * DAY + 4 * 3600, KMS_OK },
		{ 2, 2, MADE + 8 * DAY + 4 * 3600 + 1, KMS_E_TIME_SKEW },
		{ 1, 3, MADE, KMS_OK },
		{ 1, 1, MADE, KMS_E_BAD_VERSION },
		{ 3, 4, MADE, KMS_E_BAD_VERSION },
		{ 3, 4, 0, KMS_E_BAD_VERSION },
	};
	struct exchange e = good();

	for (size_t i = 0; i < COUNT(rows); i++) {
		e.lowest = rows[i].lowest;
		e.highest = rows[i].highest;
		assert_int_equal(exchange_usable(&e, rows[i].now), rows[i].status);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statement),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_usable),
	};

	if (sodium_init() < 0)
		return 1;
	crypto_sign_keypair(sign_pk, sign_sk);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
