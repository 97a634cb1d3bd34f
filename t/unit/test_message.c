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
	static uint8_t long_one[CERTIFICATE_MAX + 1], large[HELLO_REPLY_MAX];
	static const uint8_t statement[EXCHANGE_SIZE] = { 7 };
	const struct message_hello_reply in = { .time = 1800000000,
		.exchange = statement,
		.certificate = (const uint8_t *)"certificate",
		.certificate_len = 11 };
	const struct message_hello_reply too_long = { .time = 1,
		.exchange = statement,
		.certificate = long_one,
		.certificate_len = sizeof(long_one) };
	struct message_hello_reply out;
	uint8_t buffer[32 + EXCHANGE_SIZE];
	size_t n = message_hello_reply_encode(buffer, sizeof(buffer), &in);

	assert_int_equal(n, 21 + EXCHANGE_SIZE);
	assert_int_equal(message_hello_reply_encode(buffer, 20 + EXCHANGE_SIZE, &in), 0);
	assert_int_equal(
	    message_hello_reply_encode(buffer, 21 + EXCHANGE_SIZE, &in), 21 + EXCHANGE_SIZE);
	assert_int_equal(message_hello_reply_decode(&out, buffer, n), KMS_OK);
	assert_true(out.time == in.time);
	assert_memory_equal(out.exchange, statement, EXCHANGE_SIZE);
	assert_ptr_equal(out.certificate, buffer + 10 + EXCHANGE_SIZE);
	assert_int_equal(out.certificate_len, 11);
	check_truncations(decode_hello_reply, buffer, n);
	check_tail(decode_hello_reply, buffer, n);
	assert_int_equal(message_hello_reply_encode(large, sizeof(large), &too_long), 0);
	large[8 + EXCHANGE_SIZE] = sizeof(long_one) >> 8;
	large[9 + EXCHANGE_SIZE] = sizeof(long_one) & 255;
	assert_int_equal(
	    decode_hello_reply(large, 10 + EXCHANGE_SIZE + sizeof(long_one)), KMS_E_FORMAT);
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
	.salt = { 4, 5 },
	.highest_version = 2,
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
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &request), 144);
	assert_int_equal(message_request_decode(&out, buffer, 144), KMS_OK);
	assert_int_equal(out.operation, request.operation);
	assert_int_equal(out.state, request.state);
	assert_int_equal(out.flags, request.flags);
	assert_int_equal(out.grace_minutes, request.grace_minutes);
	assert_memory_equal(out.request_id, request.request_id, 16);
	assert_true(out.time == request.time && out.sequence == request.sequence);
	assert_memory_equal(out.product, request.product, 16);
	assert_string_equal(out.name, request.name);
	check_truncations(decode_request, buffer, 144);
	check_tail(decode_request, buffer, 144);
	(void)state;
}

/* The two flags that there are, and the first that is not. */
static void
test_request_flags(void **state)
{
	struct message_request in = request, out;
	uint8_t buffer[MESSAGE_REQUEST_TEXT];

	for (in.flags = 0; in.flags <= (MESSAGE_VM | MESSAGE_STATELESS); in.flags++) {
		assert_int_equal(message_request_encode(buffer, sizeof(buffer), &in), 144);
		assert_int_equal(message_request_decode(&out, buffer, 144), KMS_OK);
		assert_int_equal(out.flags, in.flags);
	}
	assert_int_equal(in.flags, 4);
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &in), 0);
	buffer[3] = 4;
	assert_int_equal(message_request_decode(&out, buffer, 144), KMS_E_SCHEMA);
	(void)state;
}

static void
test_request_bad(void **state)
{
	static const struct bad_field rows[] = {
		{ "operation 0", 0, 0, 1, KMS_E_SCHEMA },
		{ "operation 4", 0, 4, 1, KMS_E_SCHEMA },
		{ "operation 3", 0, 3, 1, KMS_OK },
		{ "state 6", 1, 6, 1, KMS_E_FORMAT },
		{ "state 5", 1, 5, 1, KMS_OK },
		{ "flag 2", 2, 2, 2, KMS_OK },
		{ "flags 1 and 2", 2, 3, 2, KMS_OK },
		{ "flag 4", 2, 4, 2, KMS_E_SCHEMA },
		{ "flag 0x8000", 2, 0x8000, 2, KMS_E_SCHEMA },
		{ "no flag", 2, 0, 2, KMS_OK },
		{ "sequence 0", 32, 0, 8, KMS_E_FORMAT },
		{ "sequence 1", 32, 1, 8, KMS_OK },
		{ "sequence 2^62", 32, UINT64_C(1) << 62, 8, KMS_OK },
		{ "sequence 2^62 + 1", 32, (UINT64_C(1) << 62) + 1, 8, KMS_E_FORMAT },
		{ "sequence highest", 32, UINT64_MAX, 8, KMS_E_FORMAT },
		{ "salt zero", 56, 0, 8, KMS_E_FORMAT },
		{ "version 0", 72, 0, 1, KMS_E_FORMAT },
		{ "version 255", 72, 255, 1, KMS_OK },
		{ "reserved", 73, 1, 1, KMS_E_FORMAT },
		{ "reserved, the last", 79, 1, 1, KMS_E_FORMAT },
		{ "name empty", 80, 0, 1, KMS_E_FORMAT }, /* text after the first zero */
		{ "name with a control", 81, '\n', 1, KMS_E_FORMAT },
		{ "name not UTF-8", 81, 0xff, 1, KMS_E_FORMAT },
		{ "name with U+202E", 80, 0xe280ae, 3, KMS_E_FORMAT },
		{ "octet behind the name", 143, 'x', 1, KMS_E_FORMAT },
	};
	uint8_t buffer[MESSAGE_REQUEST_TEXT];
	struct message_request m = request;

	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 144);
	check_bad_fields(decode_request, buffer, 144, rows, COUNT(rows));
	memset(buffer + 8, 0, 16); /* the request id */
	assert_int_equal(decode_request(buffer, 144), KMS_E_FORMAT);
	m.sequence = 0;
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 0);
	m = request;
	m.operation = 4;
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 0);
	m = request;
	memset(m.name, 'n', MESSAGE_NAME);
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 144);
	assert_int_equal(decode_request(buffer, 144), KMS_OK);
	(void)state;
}

static void
test_request_tlvs(void **state)
{
	static uint8_t bytes[MESSAGE_HEADER_SIZE] = { 0, 0, 0, 0, 0, 0, 0, 1, 2, 3 };
	static const uint8_t ids[2 * 16] = { [0] = 1, [16] = 2 };
	/*
	 * Offsets of the TLVs: 144 witness, 188 header, 364 echo, 384 binding, 404 user, 472 after,
	 * 508 borrow; 516 in all.
	 */
	static const struct bad_field rows[] = {
		{ "witness of batch 0", 155, 0, 1, KMS_E_FORMAT },
		{ "witness too long", 146, 41, 2, KMS_E_FORMAT },
		{ "header before witness", 144, 2, 2, KMS_E_FORMAT },
		{ "header twice", 364, 2, 2, KMS_E_FORMAT },
		{ "echo of the wrong length", 366, 15, 2, KMS_E_FORMAT },
		{ "binding as an unknown type", 384, 0x0100, 2, KMS_E_FORMAT }, /* user before it */
		{ "user as an unknown type", 404, 6, 2, KMS_OK },
		{ "user as a critical type", 404, 0x8005, 2, KMS_E_FORMAT },
		{ "user as borrow", 404, 0x8006, 2, KMS_E_FORMAT },
		{ "user empty", 408, 0, 1, KMS_E_FORMAT },
		{ "user with a control", 409, 0x1b, 1, KMS_E_FORMAT },
		{ "borrow no minutes", 512, 0, 4, KMS_E_FORMAT },
		{ "borrow a minute", 512, 1, 4, KMS_OK },
		{ "borrow for ever", 512, UINT32_MAX, 4, KMS_OK },
		{ "borrow of the wrong length", 510, 3, 2, KMS_E_FORMAT },
		{ "borrow as an unknown type", 508, 0x7fff, 2, KMS_OK },
		{ "borrow as an unknown critical type", 508, 0x8007, 2, KMS_E_SCHEMA },
		{ "borrow before user", 508, 4, 2, KMS_E_FORMAT },
		{ "activate and borrow", 0, MESSAGE_ACTIVATE, 1, KMS_OK },
		{ "release and borrow", 0, MESSAGE_RELEASE, 1, KMS_E_FORMAT },
		{ "after as a critical type", 472, 0x8005, 2, KMS_E_SCHEMA },
		{ "after before user", 472, 4, 2, KMS_E_FORMAT },
		{ "after with half an id", 474, 24, 2, KMS_E_FORMAT },
		{ "after without an id", 474, 0, 2, KMS_E_FORMAT },
		{ "flag and malformed", 2, 4, 2, KMS_E_SCHEMA },
	};
	struct message_request m = request, out;
	uint8_t buffer[MESSAGE_REQUEST_TEXT + TAIL_REQUEST + 1];

	m.witness = m.header = m.echo = m.binding = bytes;
	strcpy(m.user, "ann");
	m.borrow = 20160;
	m.flags = MESSAGE_VM | MESSAGE_STATELESS;
	m.after = ids;
	m.after_count = 2;
	assert_int_equal(message_request_encode(buffer, 515, &m), 0);
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 516);
	assert_int_equal(message_request_decode(&out, buffer, 516), KMS_OK);
	assert_ptr_equal(out.witness, buffer + 148);
	assert_ptr_equal(out.header, buffer + 192);
	assert_ptr_equal(out.echo, buffer + 368);
	assert_ptr_equal(out.binding, buffer + 388);
	assert_string_equal(out.user, "ann");
	assert_ptr_equal(out.after, buffer + 476);
	assert_int_equal(out.after_count, 2);
	assert_int_equal(out.borrow, 20160);
	assert_int_equal(out.flags, 3);
	check_bad_fields(decode_request, buffer, 516, rows, COUNT(rows));
	m.operation = MESSAGE_RELEASE;
	assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 0);
	/* A tail as long as it may be, and one byte more. */
	memset(buffer + 144, 0, sizeof(buffer) - 144);
	buffer[144] = 0x7f;
	buffer[146] = (TAIL_REQUEST - 4) >> 8;
	buffer[147] = (TAIL_REQUEST - 4) & 255;
	assert_int_equal(decode_request(buffer, sizeof(buffer) - 1), KMS_OK);
	buffer[147]++;
	assert_int_equal(decode_request(buffer, sizeof(buffer)), KMS_E_FORMAT);
	(void)state;
}

/* What a request comes after: each length, and where zeros may be. */
static void
test_request_after(void **state)
{
	static const struct {
		const char *what;
		uint16_t len;
		int zero; /* the id that is zeros; -1: none */
		int rc;
	} rows[] = {
		{ "nothing", 0, -1, KMS_E_FORMAT },
		{ "less than an id", 15, -1, KMS_E_FORMAT },
		{ "an id", 16, -1, KMS_OK },
		{ "none is known", 16, 0, KMS_OK },
		{ "more than an id", 17, -1, KMS_E_FORMAT },
		{ "two", 32, -1, KMS_OK },
		{ "none, and then one", 32, 0, KMS_E_FORMAT },
		{ "one, and then none", 32, 1, KMS_E_FORMAT },
		{ "eight", 128, -1, KMS_OK },
		{ "eight, the last of zeros", 128, 7, KMS_E_FORMAT },
		{ "nine", 144, -1, KMS_E_FORMAT },
	};
	uint8_t buffer[MESSAGE_REQUEST_TEXT + TAIL_REQUEST], ids[9 * 16];
	struct message_request m, out;
	struct wire_writer w;

	for (size_t i = 0; i < COUNT(rows); i++) {
		m = request;
		memset(ids, 7, sizeof(ids));
		if (rows[i].zero >= 0)
			memset(ids + 16 * rows[i].zero, 0, 16);
		wire_writer_init(&w, buffer + MESSAGE_REQUEST_TEXT, TAIL_REQUEST);
		assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m), 144);
		wire_put_tlv(&w, MESSAGE_REQUEST_AFTER, ids, rows[i].len);
		if (message_request_decode(&out, buffer, 144 + wire_written(&w)) != rows[i].rc)
			fail_msg("%s", rows[i].what);
		m.after = ids;
		m.after_count = rows[i].len / 16;
		if (rows[i].len % 16 == 0)
			assert_int_equal(message_request_encode(buffer, sizeof(buffer), &m),
			    rows[i].rc == KMS_OK ? 144u + 4u + rows[i].len : 0u);
		if (rows[i].rc == KMS_OK) {
			assert_int_equal(out.after_count, rows[i].len / 16);
			assert_memory_equal(out.after, ids, rows[i].len);
		}
	}
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
	static const uint8_t challenge[MESSAGE_ECHO_SIZE] = { 7 };
	const struct message_reply in = { .status = KMS_E_SEQUENCE,
		.highest_sequence = 41,
		.retry_after = 30,
		.challenge = challenge,
		.show = 9 };
	/* Offsets of the TLVs: 52 highest, 64 retry, 72 challenge, 92 show; 104 in all. */
	static const struct bad_field rows[] = {
		{ "flags", 4, 1, 4, KMS_E_SCHEMA },
		{ "another status", 3, KMS_E_CLONE, 1, KMS_E_FORMAT },
		{ "bundle past the end", 48, 53, 4, KMS_E_TRUNCATED },
		{ "bundle enormous", 48, UINT32_MAX, 4, KMS_E_TRUNCATED },
		{ "highest 0", 56, 0, 8, KMS_E_FORMAT },
		{ "highest is missing", 52, 0, 2, KMS_E_FORMAT },
		{ "retry 0", 68, 0, 4, KMS_E_FORMAT },
		{ "highest again, of the wrong length", 64, 1, 2, KMS_E_FORMAT },
		{ "retry before highest", 52, 2, 2, KMS_E_FORMAT },
		{ "challenge zero", 76, 0, 8, KMS_E_FORMAT },
		{ "challenge of the wrong length", 74, 15, 2, KMS_E_FORMAT },
		{ "show 0", 96, 0, 8, KMS_E_FORMAT },
		{ "unknown type", 92, 0x4242, 2, KMS_OK },
		{ "unknown and critical", 92, 0xffff, 2, KMS_E_SCHEMA },
	};
	uint8_t buffer[104];
	struct message_reply out, bad = in;

	assert_int_equal(message_reply_encode(buffer, 103, &in), 0);
	assert_int_equal(message_reply_encode(buffer, 104, &in), 104);
	assert_int_equal(message_reply_decode(&out, buffer, 104), KMS_OK);
	assert_true(out.highest_sequence == 41 && out.show == 9);
	assert_int_equal(out.retry_after, 30);
	assert_memory_equal(out.challenge, challenge, sizeof(challenge));
	assert_null(out.bundle);
	check_bad_fields(decode_reply, buffer, 104, rows, COUNT(rows));
	bad.highest_sequence = 0;
	assert_int_equal(message_reply_encode(buffer, sizeof(buffer), &bad), 0);
	bad = in;
	bad.status = KMS_OK;
	assert_int_equal(message_reply_encode(buffer, sizeof(buffer), &bad), 0);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_hello_reply),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_flags),
		cmocka_unit_test(test_request_bad),
		cmocka_unit_test(test_request_tlvs),
		cmocka_unit_test(test_request_after),
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_reply_tlvs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
