/*
 * test_message.c - HELLO, HELLO_REPLY, request and reply text: round trips,
 * every cut, every field out of range, TLVs known and unknown.
 */
#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "libkms/core/message.h"
#include "t/unit/core_test.h"

static const uint8_t unknown_tlv[] = { 0x7f, 0xff, 0, 2, 'h', 'i' };

/* Cut within the tail: whole TLVs are fine, anything else is TRUNCATED. */
static void
check_tail(decode_fn decode, const uint8_t *in, size_t len)
{
	uint8_t copy[2048];

	memcpy(copy, in, len);
	memcpy(copy + len, unknown_tlv, sizeof(unknown_tlv));
	for (size_t n = 1; n < sizeof(unknown_tlv); n++)
		assert_int_equal(decode_exact(decode, copy, len + n), KMS_E_TRUNCATED);
	assert_int_equal(decode_exact(decode, copy, len + sizeof(unknown_tlv)), KMS_OK);
}

static int
decode_hello(const uint8_t *in, size_t len)
{
	struct message_hello m;

	return message_hello_decode(&m, in, len);
}

static void
test_hello(void **state)
{
	const struct message_hello in = { { 1, 2, 3, 4, 5, 6, 7, 8 } };
	struct message_hello out;
	uint8_t buffer[8];

	assert_int_equal(message_hello_encode(buffer, 7, &in), 0);
	assert_int_equal(message_hello_encode(buffer, 8, &in), 8);
	assert_int_equal(message_hello_decode(&out, buffer, 8), KMS_OK);
	assert_memory_equal(out.publisher, in.publisher, 8);
	check_truncations(decode_hello, buffer, 8);
	check_tail(decode_hello, buffer, 8);
	(void)state;
}

static int
decode_hello_reply(const uint8_t *in, size_t len)
{
	struct message_hello_reply m;

	return message_hello_reply_decode(&m, in, len);
}

static void
test_hello_reply(void **state)
{
	static uint8_t long_one[CERTIFICATE_MAX + 1], large[CERTIFICATE_MAX + 64];
	const struct message_hello_reply in = { .time = 1800000000,
		.certificate = (const uint8_t *)"certificate",
		.certificate_len = 11 };
	const struct message_hello_reply too_long = {
		.time = 1, .certificate = long_one, .certificate_len = sizeof(long_one)
	};
	struct message_hello_reply out;
	uint8_t buffer[32];
	size_t n = message_hello_reply_encode(buffer, sizeof(buffer), &in);

	assert_int_equal(n, 21);
	assert_int_equal(message_hello_reply_encode(buffer, 20, &in), 0);
	assert_int_equal(message_hello_reply_encode(buffer, 21, &in), 21);
	assert_int_equal(message_hello_reply_decode(&out, buffer, n), KMS_OK);
	assert_true(out.time == in.time);
	assert_ptr_equal(out.certificate, buffer + 10);
	assert_int_equal(out.certificate_len, 11);
	check_truncations(decode_hello_reply, buffer, n);
	check_tail(decode_hello_reply, buffer, n);
	assert_int_equal(message_hello_reply_encode(large, sizeof(large), &too_long), 0);
	large[8] = sizeof(long_one) >> 8;
	large[9] = sizeof(long_one) & 255;
	assert_int_equal(decode_hello_reply(large, 10 + sizeof(long_one)), KMS_E_FORMAT);
	(void)state;
}

static const struct message_request request = {
	.operation = MESSAGE_RENEW,
	.state = MESSAGE_RENEWAL_DUE,
	.flags = MESSAGE_VM,
	.grace_minutes = 0x01020304,
	.request_id = { 1, 2, 3 },
	.time = 1800000000,
	.sequence = 77,
	.product = { 9, 8, 7 },
	.name = "host.example",
};

static int
decode_request(const uint8_t *in, size_t len)
{
	struct message_request m;

	return message_request_decode(&m, in, len);
}

static void
test_request(void **state)
{
	uint8_t buffer[MESSAGE_REQUEST_TEXT];
	struct message_request out;

	memset(&out, 0, sizeof(out));
	assert_int_equal(message_request_encode(buffer, sizeof(buffer) - 1, &request), 0);
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &request), 120);
	assert_int_equal(message_request_decode(&out, buffer, 120), KMS_OK);
	assert_int_equal(out.operation, request.operation);
	assert_int_equal(out.state, request.state);
	assert_int_equal(out.flags, request.flags);
	assert_int_equal(out.grace_minutes, request.grace_minutes);
	assert_memory_equal(out.request_id, request.request_id, 16);
	assert_true(out.time == request.time && out.sequence == request.sequence);
	assert_memory_equal(out.product, request.product, 16);
	assert_string_equal(out.name, request.name);
	check_truncations(decode_request, buffer, 120);
	check_tail(decode_request, buffer, 120);
	(void)state;
}

static void
test_request_bad(void **state)
{
	static const struct bad_field rows[] = {
		{ "operation 0", 0, 0, 1, KMS_E_FORMAT },
		{ "operation 4", 0, 4, 1, KMS_E_FORMAT },
		{ "operation 3", 0, 3, 1, KMS_OK },
		{ "state 5", 1, 5, 1, KMS_E_FORMAT },
		{ "state 4", 1, 4, 1, KMS_OK },
		{ "flag 2", 2, 2, 2, KMS_E_FORMAT },
		{ "flag 0x8000", 2, 0x8000, 2, KMS_E_FORMAT },
		{ "no flag", 2, 0, 2, KMS_OK },
		{ "sequence 0", 32, 0, 8, KMS_E_FORMAT },
		{ "sequence 1", 32, 1, 8, KMS_OK },
		{ "sequence highest", 32, UINT64_MAX, 8, KMS_OK },
		{ "name empty", 56, 0, 1, KMS_E_FORMAT }, /* text after the first zero */
		{ "name with a control", 57, '\n', 1, KMS_E_FORMAT },
		{ "name not UTF-8", 57, 0xff, 1, KMS_E_FORMAT },
		{ "octet behind the name", 119, 'x', 1, KMS_E_FORMAT },
	};
	uint8_t buffer[MESSAGE_REQUEST_TEXT];
	struct message_request m = request;

	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 120);
	check_bad_fields(decode_request, buffer, 120, rows, COUNT(rows));
	m.sequence = 0;
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 0);
	m = request;
	m.operation = 4;
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 0);
	m = request;
	memset(m.name, 'n', MESSAGE_NAME);
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 120);
	assert_int_equal(decode_request(buffer, 120), KMS_OK);
	(void)state;
}

static int
decode_reply(const uint8_t *in, size_t len)
{
	struct message_reply m;

	return message_reply_decode(&m, in, len);
}

static void
test_reply(void **state)
{
	const struct message_reply in = { .status = KMS_OK,
		.request_id = { 5 },
		.time = 1800000000,
		.count = 26,
		.required = 25,
		.activation_interval = 120,
		.renewal_interval = 10080,
		.bundle = (const uint8_t *)"bundle",
		.bundle_len = 6 };
	uint8_t buffer[64];
	struct message_reply out;

	assert_int_equal(message_reply_encode(buffer, 57, &in), 0);
	assert_int_equal(message_reply_encode(buffer, 58, &in), 58);
	assert_int_equal(message_reply_decode(&out, buffer, 58), KMS_OK);
	assert_int_equal(out.count, 26);
	assert_int_equal(out.required, 25);
	assert_int_equal(out.activation_interval, 120);
	assert_int_equal(out.renewal_interval, 10080);
	assert_memory_equal(out.request_id, in.request_id, 16);
	assert_int_equal(out.bundle_len, 6);
	assert_ptr_equal(out.bundle, buffer + 52);
	assert_int_equal(out.highest_sequence, 0);
	assert_int_equal(out.retry_after, 0);
	check_truncations(decode_reply, buffer, 58);
	check_tail(decode_reply, buffer, 58);
	(void)state;
}

static void
test_reply_tlvs(void **state)
{
	const struct message_reply in = {
		.status = KMS_E_SEQUENCE, .highest_sequence = 41, .retry_after = 30
	};
	static const struct bad_field rows[] = {
		{ "flags", 4, 1, 4, KMS_E_FORMAT },
		{ "bundle past the end", 48, 21, 4, KMS_E_TRUNCATED },
		{ "bundle enormous", 48, UINT32_MAX, 4, KMS_E_TRUNCATED },
		{ "highest 0", 56, 0, 8, KMS_E_FORMAT },
		{ "retry 0", 68, 0, 4, KMS_E_FORMAT },
		{ "highest again, of the wrong length", 64, 1, 2, KMS_E_FORMAT },
		{ "retry of the wrong length", 52, 2, 2, KMS_E_FORMAT },
		{ "unknown types", 52, 0x4242, 2, KMS_OK },
	};
	uint8_t buffer[72 + 12];
	struct message_reply out;

	assert_int_equal(message_reply_encode(buffer, 71, &in), 0);
	assert_int_equal(message_reply_encode(buffer, 72, &in), 72);
	assert_int_equal(message_reply_decode(&out, buffer, 72), KMS_OK);
	assert_true(out.highest_sequence == 41);
	assert_int_equal(out.retry_after, 30);
	assert_null(out.bundle);
	check_bad_fields(decode_reply, buffer, 72, rows, COUNT(rows));
	memcpy(buffer + 72, buffer + 52, 12);
	assert_int_equal(decode_reply(buffer, 84), KMS_E_FORMAT);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_hello_reply),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_bad),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_reply_tlvs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
