/*
 * test_aside.c - asides and items: round trips, every cut, bad forms, and the commitments.
 */
#include <sodium.h>

#include "libkms/core/entry.h"
#include "libkms/core/hash16.h"
#include "libkms/core/item.h"
#include "t/unit/core_test.h"

static const struct aside plain = {
	.salt = { 1, 2, 3 },
	.address = { [10] = 0xff, 0xff, 192, 0, 2, 1 },
	.name = "host.example",
	.user = "m\xc3\xbcller",
};

static int
decode(const uint8_t *in, size_t len)
{
	struct aside a;

	return aside_decode(&a, in, len);
}

static void
test_aside(void **state)
{
	uint8_t buffer[ASIDE_MAX + 1], again[ASIDE_MAX];
	struct aside a;
	size_t n = aside_encode(buffer, sizeof(buffer), &plain);

	assert_int_equal(n, 35 + 12 + 7);
	assert_int_equal(aside_decode(&a, buffer, n), KMS_OK);
	assert_int_equal(aside_encode(again, n, &a), n);
	assert_memory_equal(buffer, again, n);
	assert_int_equal(aside_encode(again, n - 1, &plain), 0);
	assert_string_equal(a.user, plain.user);
	for (size_t cut = 1; cut < n; cut++)
		assert_int_equal(decode_exact(decode, buffer, cut), KMS_E_FORMAT);
	assert_int_equal(decode_exact(decode, buffer, 0), KMS_E_NOT_FOUND);
	buffer[n] = 0;
	assert_int_equal(decode_exact(decode, buffer, n + 1), KMS_E_FORMAT);
	memset(a.name, 'n', MESSAGE_NAME);
	memset(a.user, 'u', MESSAGE_NAME);
	assert_int_equal(aside_encode(buffer, sizeof(buffer), &a), ASIDE_MAX);
	assert_int_equal(decode_exact(decode, buffer, ASIDE_MAX), KMS_OK);
	a.name[5] = 0x7f;
	assert_int_equal(aside_encode(buffer, sizeof(buffer), &a), 0);
	(void)state;
}

/* Zeros of any length an aside may have are one that was erased. */
static void
test_erased(void **state)
{
	uint8_t zeros[ASIDE_MAX + 1] = { 0 };
	struct aside a;

	for (size_t n = 0; n <= ASIDE_MAX; n++) {
		memset(&a, 1, sizeof(a));
		assert_int_equal(aside_decode(&a, zeros, n), KMS_E_NOT_FOUND);
		assert_true(sodium_is_zero((uint8_t *)&a, sizeof(a)));
	}
	assert_int_equal(decode(zeros, ASIDE_MAX + 1), KMS_E_FORMAT);
	zeros[40] = 1;
	assert_int_equal(decode(zeros, 60), KMS_E_FORMAT);
	(void)state;
}

static void
test_bad(void **state)
{
	static const struct bad_field rows[] = {
		{ "form 0, not zeros", 0, 0, 1, KMS_E_FORMAT },
		{ "form 2", 0, 2, 1, KMS_E_FORMAT },
		{ "name shorter than told", 33, 11, 1, KMS_E_FORMAT },
		{ "name longer than told", 33, 13, 1, KMS_E_FORMAT },
		{ "name of 65", 33, 65, 1, KMS_E_FORMAT },
		{ "name with a zero", 34, 0, 1, KMS_E_FORMAT },
		{ "name with U+0085", 34, 0xc285, 2, KMS_E_FORMAT },
		{ "name with U+202E", 34, 0xe280ae, 3, KMS_E_FORMAT },
		{ "user past the end", 46, 8, 1, KMS_E_FORMAT },
		{ "user not UTF-8", 48, 0xff, 1, KMS_E_FORMAT },
	};
	uint8_t buffer[ASIDE_MAX];
	size_t n = aside_encode(buffer, sizeof(buffer), &plain);

	check_bad_fields(decode, buffer, n, rows, COUNT(rows));
	(void)state;
}

/* Each field has its own commitment under its own label; no user has none. */
static void
test_commitments(void **state)
{
	struct commitments first, c;
	struct aside a = plain;

	aside_commit(&first, &a);
	assert_true(aside_gives(&a, &first));
	a.name[0]++;
	aside_commit(&c, &a);
	assert_memory_not_equal(c.name, first.name, COMMITMENT);
	assert_memory_equal(c.user, first.user, COMMITMENT);
	assert_memory_equal(c.address, first.address, COMMITMENT);
	assert_false(aside_gives(&a, &first));
	a = plain;
	strcpy(a.user, a.name);
	aside_commit(&c, &a);
	assert_memory_not_equal(c.user, c.name, COMMITMENT);
	a.salt[15] ^= 1;
	aside_commit(&c, &a);
	assert_memory_not_equal(c.name, first.name, COMMITMENT);
	assert_memory_not_equal(c.address, first.address, COMMITMENT);
	a.user[0] = '\0';
	aside_commit(&c, &a);
	assert_true(sodium_is_zero(c.user, COMMITMENT));
	(void)state;
}

static int
decode_item(const uint8_t *in, size_t len)
{
	struct wire_reader r;
	struct item i;
	int rc;

	wire_reader_init(&r, in, len);
	rc = item_read(&r, &i);
	return rc == KMS_OK ? wire_finish(&r) : rc;
}

static void
test_item(void **state)
{
	static uint8_t entry[ENTRY_MAX + 1], aside[ASIDE_MAX + 1], buffer[ITEM_MAX + 8];
	struct item i = { .entry = entry, .entry_len = 20, .aside = aside, .aside_len = 30 };
	size_t n;

	entry[0] = ENTRY_VERSION;
	entry[1] = ENTRY_LEASE;
	n = item_encode(buffer, sizeof(buffer), &i);
	assert_int_equal(n, 2 + 20 + 1 + 30);
	assert_int_equal(item_size(&i), n);
	check_truncations(decode_item, buffer, n);
	assert_int_equal(item_encode(buffer, n - 1, &i), 0);
	/* Beside kinds that have none; what nobody knows may have one. */
	for (int kind = 0; kind < 256; kind++) {
		entry[1] = (uint8_t)kind;
		buffer[3] = (uint8_t)kind;
		bool may = entry_kind(entry, 20) == 0 || kind <= 4 || kind == ENTRY_RELAYED ||
			   kind == ENTRY_RELAYED_NAME || kind == ENTRY_BASE;

		assert_int_equal(decode_exact(decode_item, buffer, n), may ? KMS_OK : KMS_E_FORMAT);
	}
	entry[1] = ENTRY_LEASE;
	i.entry_len = ENTRY_MAX;
	i.aside_len = ASIDE_MAX;
	assert_int_equal(item_encode(buffer, sizeof(buffer), &i), ITEM_MAX);
	assert_int_equal(decode_exact(decode_item, buffer, ITEM_MAX), KMS_OK);
	i.aside_len++;
	assert_int_equal(item_encode(buffer, sizeof(buffer), &i), 0);
	i.aside_len = 0;
	i.entry_len++;
	assert_int_equal(item_encode(buffer, sizeof(buffer), &i), 0);
	buffer[0] = (ENTRY_MAX + 1) >> 8;
	buffer[1] = (ENTRY_MAX + 1) & 255;
	buffer[2 + ENTRY_MAX + 1] = 0;
	assert_int_equal(decode_exact(decode_item, buffer, 2 + ENTRY_MAX + 1 + 1), KMS_E_FORMAT);
	(void)state;
}

/* Of any length the digest is BLAKE2b's over label and parts. */
static void
test_hash16(void **state)
{
	static const size_t lens[] = { 0, 1, 64, 116, 117, 118, 127, 128, 129, 255, 256, 257,
		1000 };
	static const uint8_t head[128] = { 7, 8, 9 };
	uint8_t octets[1000], got[HASH16_SIZE], want[HASH16_SIZE];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 31);
	for (size_t i = 0; i < COUNT(lens); i++) {
		crypto_generichash_state s;

		crypto_generichash_init(&s, NULL, 0, HASH16_SIZE);
		crypto_generichash_update(&s, (const uint8_t *)"KMS name v1", 11);
		crypto_generichash_update(&s, head, sizeof(head));
		crypto_generichash_update(&s, octets, lens[i]);
		crypto_generichash_final(&s, want, HASH16_SIZE);
		hash16(got, "KMS name v1",
		    (const struct hash16_part[]){ { head, sizeof(head) }, { octets, lens[i] } }, 2);
		assert_memory_equal(got, want, HASH16_SIZE);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aside),
		cmocka_unit_test(test_erased),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_commitments),
		cmocka_unit_test(test_hash16),
		cmocka_unit_test(test_item),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("aside", tests, NULL, NULL);
}
