/*
 * test_rotation.c - rotation statements: round trip, the dates, and what must be refused; in
 * binary, as a file, and as a TLV of HELLO_REPLY.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/core/message.h"
#include "libkms/core/rotation.h"
#include "libkms/kms_error.h"
#include "policy/rotation_file.h"

#define ROOM 4096

static uint8_t old_sk[64], new_sk[64];

static void
make(uint8_t out[ROTATION_SIZE], struct rotation *r)
{
	static const uint8_t seeds[2][32] = { { 1 }, { 2 } };

	memset(r, 0, sizeof(*r));
	memset(r->old.id, 3, 8);
	memset(r->new.id, 4, 8);
	crypto_sign_seed_keypair(r->old.pk, old_sk, seeds[0]);
	crypto_sign_seed_keypair(r->new.pk, new_sk, seeds[1]);
	r->from = 100;
	r->until = 200;
	rotation_encode(out, r);
}

static void
sign(uint8_t out[ROTATION_SIZE])
{
	crypto_sign_detached(out + ROTATION_OLD_SIGNS, NULL, out, ROTATION_OLD_SIGNS, old_sk);
	crypto_sign_detached(out + ROTATION_NEW_SIGNS, NULL, out, ROTATION_NEW_SIGNS, new_sk);
}

static void
test_statement(void **state)
{
	uint8_t octets[ROTATION_SIZE + 1], bad[ROTATION_SIZE + 1] = { 0 };
	struct rotation r, got;

	make(octets, &r);
	sign(octets);
	assert_int_equal(rotation_verify(&got, octets, ROTATION_SIZE), KMS_OK);
	assert_memory_equal(&got, &r, sizeof(r));
	for (size_t n = 0; n < ROTATION_SIZE; n++)
		assert_int_equal(rotation_verify(&got, octets, n), KMS_E_TRUNCATED);
	assert_int_equal(rotation_verify(&got, octets, ROTATION_SIZE + 1), KMS_E_TRAILING);
	for (size_t at = 0; at < ROTATION_SIZE; at++) {
		memcpy(bad, octets, ROTATION_SIZE);
		bad[at] ^= 1;
		assert_int_not_equal(rotation_verify(&got, bad, ROTATION_SIZE), KMS_OK);
	}
}

/* Well signed, and yet wrong. */
static void
test_bad(void **state)
{
	uint8_t octets[ROTATION_SIZE];
	struct rotation r, got;

	make(octets, &r);
	octets[7] = '2';
	sign(octets);
	assert_int_equal(rotation_verify(&got, octets, ROTATION_SIZE), KMS_E_SCHEMA);
	octets[5] = '2';
	sign(octets);
	assert_int_equal(rotation_verify(&got, octets, ROTATION_SIZE), KMS_E_FORMAT);
	make(octets, &r);
	r.until = 99;
	rotation_encode(octets, &r);
	sign(octets);
	assert_int_equal(rotation_verify(&got, octets, ROTATION_SIZE), KMS_E_FORMAT);
	make(octets, &r);
	memcpy(r.new.id, r.old.id, 8);
	rotation_encode(octets, &r);
	sign(octets);
	assert_int_equal(rotation_verify(&got, octets, ROTATION_SIZE), KMS_E_FORMAT);
	/* The new key's signature by the old key. */
	make(octets, &r);
	sign(octets);
	crypto_sign_detached(octets + ROTATION_NEW_SIGNS, NULL, octets, ROTATION_NEW_SIGNS, old_sk);
	assert_int_equal(rotation_verify(&got, octets, ROTATION_SIZE), KMS_E_SIGNATURE);
}

static void
test_file(void **state)
{
	uint8_t octets[ROTATION_SIZE], again[ROTATION_SIZE];
	struct fault err;
	struct rotation r, got;
	char text[ROOM];
	size_t len;

	make(octets, &r);
	assert_int_equal(rotation_file_format(text, sizeof(text), octets), 0);
	sign(octets);
	len = rotation_file_format(text, sizeof(text), octets);
	assert_int_not_equal(len, 0);
	assert_int_equal(rotation_file_parse(&got, again, text, len, &err), KMS_OK);
	assert_memory_equal(again, octets, ROTATION_SIZE);
	for (size_t n = 0; n < len; n += 7)
		assert_int_equal(rotation_file_format(text, n, octets), 0);
}

static void
test_hello_reply(void **state)
{
	uint8_t octets[ROTATION_SIZE], buffer[1024];
	static const uint8_t statement[EXCHANGE_SIZE];
	struct message_hello_reply m = { .time = 1,
		.exchange = statement,
		.certificate = (const uint8_t *)"c",
		.certificate_len = 1,
		.rotations = { octets, octets },
		.rotation_count = 2 },
				   got;
	struct rotation r;
	size_t len, tlv = 4 + ROTATION_SIZE, at = 11 + EXCHANGE_SIZE;

	make(octets, &r);
	sign(octets);
	len = message_hello_reply_encode(buffer, sizeof(buffer), &m);
	assert_int_equal(len, at + 2 * tlv);
	assert_int_equal(message_hello_reply_decode(&got, buffer, len), KMS_OK);
	assert_int_equal(got.rotation_count, 2);
	assert_memory_equal(got.rotations[1], octets, ROTATION_SIZE);
	/* Of another length. */
	buffer[at + 3]--;
	assert_int_equal(message_hello_reply_decode(&got, buffer, at + tlv - 1), KMS_E_FORMAT);
	/* Of another type: skipped. */
	buffer[at + 1] = 9;
	assert_int_equal(message_hello_reply_decode(&got, buffer, at + tlv - 1), KMS_OK);
	assert_int_equal(got.rotation_count, 0);
	m.rotation_count = ROTATION_CHAIN_MAX + 1;
	assert_int_equal(message_hello_reply_encode(buffer, sizeof(buffer), &m), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statement),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_hello_reply),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
