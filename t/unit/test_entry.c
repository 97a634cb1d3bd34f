/*
 * test_entry.c - journal entries: round trips, every cut, each field out of
 * range, for the layout of clients and for that of the others.
 */
#include <stdbool.h>

#include "libkms/core/entry.h"
#include "t/unit/core_test.h"

static const struct entry_client client = {
	.kind = ENTRY_LEASE,
	.flags = ENTRY_VM | ENTRY_CLONE,
	.status = KMS_OK,
	.time = 1800000000,
	.cmid = { 1, 1 },
	.product = { 2, 2 },
	.request_id = { 3, 3 },
	.sequence = 0x0102030405060708,
	.expires = 1815552000,
	.renew_after = 1800604800,
	.count = 26,
	.required = 25,
	.publisher = { 4, 4 },
	.pool = 0x0506,
	.operation = MESSAGE_RENEW,
	.state = MESSAGE_EXPIRED,
	.grace_minutes = 43200,
	.address = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
	.name = "host.example",
};

static int
decode_client(const uint8_t *in, size_t len)
{
	struct entry_client e;

	return entry_client_decode(&e, in, len);
}

static void
test_client(void **state)
{
	uint8_t buffer[ENTRY_CLIENT_MAX + 8], again[ENTRY_CLIENT_MAX];
	struct entry_client out;
	size_t n = entry_client_encode(buffer, sizeof(buffer), &client);

	memset(&out, 0, sizeof(out));
	assert_int_equal(n, ENTRY_CLIENT_FIXED + 12);
	assert_int_equal(entry_client_encode(again, n - 1, &client), 0);
	assert_int_equal(entry_kind(buffer, n), ENTRY_LEASE);
	assert_int_equal(entry_client_decode(&out, buffer, n), KMS_OK);
	assert_int_equal(entry_client_encode(again, n, &out), n);
	assert_memory_equal(buffer, again, n);
	assert_string_equal(out.name, client.name);
	assert_true(out.sequence == client.sequence && out.expires == client.expires);
	assert_int_equal(out.pool, client.pool);
	check_truncations(decode_client, buffer, n);
	memcpy(buffer + n, "\x10\x00\x00\x01x", 5);
	for (size_t i = 1; i < 5; i++)
		assert_int_equal(decode_exact(decode_client, buffer, n + i), KMS_E_TRUNCATED);
	assert_int_equal(decode_exact(decode_client, buffer, n + 5), KMS_OK);
	(void)state;
}

static void
test_client_bad(void **state)
{
	static const struct bad_field rows[] = {
		{ "version 0", 0, 0, 1, KMS_E_FORMAT },
		{ "version 2", 0, 2, 1, KMS_E_FORMAT },
		{ "kind 0", 1, 0, 1, KMS_E_FORMAT },
		{ "kind 4", 1, 4, 1, KMS_OK },
		{ "kind 5", 1, 5, 1, KMS_E_FORMAT },
		{ "kind of the other layout", 1, ENTRY_START, 1, KMS_E_FORMAT },
		{ "flag 4", 2, 4, 2, KMS_E_FORMAT },
		{ "flag 0x8000", 2, 0x8000, 2, KMS_E_FORMAT },
		{ "operation 0", 106, 0, 1, KMS_E_FORMAT },
		{ "operation 4", 106, 4, 1, KMS_E_FORMAT },
		{ "state 5", 107, 5, 1, KMS_E_FORMAT },
		{ "name cut by its length", 128, 11, 1, KMS_E_TRUNCATED },
		{ "name longer than the entry", 128, 13, 1, KMS_E_TRUNCATED },
		{ "name with a zero", 129, 0, 1, KMS_E_FORMAT },
		{ "name not UTF-8", 140, 0xc3, 1, KMS_E_FORMAT },
	};
	uint8_t buffer[ENTRY_MAX + 1] = { 0 };
	struct entry_client e = client;
	size_t n = entry_client_encode(buffer, sizeof(buffer), &e);

	check_bad_fields(decode_client, buffer, n, rows, COUNT(rows));
	/* 65 bytes of name, all there, are still one too many. */
	memset(buffer + 129, 'n', 65);
	buffer[128] = 65;
	assert_int_equal(decode_exact(decode_client, buffer, 129 + 65), KMS_E_FORMAT);
	buffer[128] = 64;
	assert_int_equal(decode_exact(decode_client, buffer, 129 + 64), KMS_OK);
	/* A TLV tail that takes it past the longest entry. */
	memset(buffer + 193, 0, sizeof(buffer) - 193);
	buffer[195] = (ENTRY_MAX + 1 - 197) >> 8;
	buffer[196] = (ENTRY_MAX + 1 - 197) & 255;
	assert_int_equal(decode_exact(decode_client, buffer, ENTRY_MAX + 1), KMS_E_FORMAT);
	e.kind = ENTRY_START;
	assert_int_equal(entry_client_encode(buffer, sizeof(buffer), &e), 0);
	e = client;
	strcpy(e.name, "\xff");
	assert_int_equal(entry_client_encode(buffer, sizeof(buffer), &e), 0);
	(void)state;
}

static const struct entry_admin admin = {
	.kind = ENTRY_CERTIFICATE,
	.time = 1800000000,
	.subject = { 7 },
	.digest = { 8 },
	.text = "confirmed",
	.text_len = 9,
	.blob = (const uint8_t *)"certificate",
	.blob_len = 11,
};

static int
decode_admin(const uint8_t *in, size_t len)
{
	struct entry_admin e;

	return entry_admin_decode(&e, in, len);
}

static void
test_admin(void **state)
{
	static const struct bad_field rows[] = {
		{ "version 2", 0, 2, 1, KMS_E_FORMAT },
		{ "kind of a client", 1, ENTRY_LEASE, 1, KMS_E_FORMAT },
		{ "kind 15", 1, 15, 1, KMS_E_FORMAT },
		{ "kind 23", 1, 23, 1, KMS_E_FORMAT },
		{ "kind 255", 1, 255, 1, KMS_E_FORMAT },
		{ "flags", 2, 1, 2, KMS_E_FORMAT },
		{ "text with a control", 66, 7, 1, KMS_E_FORMAT },
		{ "text past the end", 64, 0xffff, 2, KMS_E_TRUNCATED },
		{ "blob past the end", 75, 0xffff, 2, KMS_E_TRUNCATED },
	};
	uint8_t buffer[256];
	struct entry_admin out;
	size_t n = entry_admin_encode(buffer, sizeof(buffer), &admin);

	assert_int_equal(n, 66 + 9 + 2 + 11);
	assert_int_equal(entry_admin_encode(buffer, n - 1, &admin), 0);
	assert_int_equal(entry_admin_encode(buffer, n, &admin), n);
	assert_int_equal(entry_admin_decode(&out, buffer, n), KMS_OK);
	assert_int_equal(out.kind, ENTRY_CERTIFICATE);
	assert_int_equal(out.text_len, 9);
	assert_memory_equal(out.text, "confirmed", 9);
	assert_int_equal(out.blob_len, 11);
	assert_memory_equal(out.blob, "certificate", 11);
	check_truncations(decode_admin, buffer, n);
	assert_int_equal(decode_exact(decode_admin, buffer, n + 1), KMS_E_TRUNCATED);
	check_bad_fields(decode_admin, buffer, n, rows, COUNT(rows));
	(void)state;
}

static void
test_admin_size(void **state)
{
	static uint8_t blob[ENTRY_MAX], buffer[2 * ENTRY_MAX];
	struct entry_admin e = { .kind = ENTRY_POLICY, .blob = blob, .blob_len = ENTRY_MAX - 68 };

	assert_int_equal(entry_admin_encode(buffer, sizeof(buffer), &e), ENTRY_MAX);
	assert_int_equal(decode_admin(buffer, ENTRY_MAX), KMS_OK);
	e.blob_len++;
	assert_int_equal(entry_admin_encode(buffer, sizeof(buffer), &e), 0);
	(void)state;
}

static void
test_kind(void **state)
{
	uint8_t in[ENTRY_MAX + 1] = { ENTRY_VERSION };

	for (int kind = 0; kind < 256; kind++) {
		bool known = (kind >= 1 && kind <= 4) || (kind >= 16 && kind <= 22) ||
			     (kind >= 24 && kind <= 27);

		in[1] = (uint8_t)kind;
		assert_int_equal(entry_kind(in, 16), known ? kind : 0);
	}
	in[1] = ENTRY_LEASE;
	assert_int_equal(entry_kind(in, 15), 0);
	assert_int_equal(entry_kind(in, sizeof(in)), 0);
	in[0] = 2;
	assert_int_equal(entry_kind(in, 16), 0);
	assert_true(entry_kind_is_client(ENTRY_REFUSAL));
	assert_false(entry_kind_is_client(ENTRY_START));
	assert_false(entry_kind_is_client(0));
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_client_bad),
		cmocka_unit_test(test_admin),
		cmocka_unit_test(test_admin_size),
		cmocka_unit_test(test_kind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("entry", tests, NULL, NULL);
}
