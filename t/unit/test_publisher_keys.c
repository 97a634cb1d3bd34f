/*
 * test_publisher_keys.c - chains of rotations: forwards and backwards from any key, what has no
 * place in a chain, the times of each key, and the file that keeps a chain.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/core/publisher_keys.h"
#include "libkms/kms_error.h"
#include "policy/files/rotations.h"

#define KEYS (ROTATION_CHAIN_MAX + 2)

static struct minisig_key keys[KEYS];
static uint8_t secrets[KEYS][64];
static uint8_t chain[KEYS - 1][ROTATION_SIZE]; /* from each key to the next */

static void
state_rotation(uint8_t out[ROTATION_SIZE], unsigned from, unsigned to, uint64_t begin, uint64_t end)
{
	const struct rotation r = {
		.old = keys[from], .new = keys[to], .from = begin, .until = end
	};

	rotation_encode(out, &r);
	crypto_sign_detached(
	    out + ROTATION_OLD_SIGNS, NULL, out, ROTATION_OLD_SIGNS, secrets[from]);
	crypto_sign_detached(out + ROTATION_NEW_SIGNS, NULL, out, ROTATION_NEW_SIGNS, secrets[to]);
}

static int
set_up(void **state)
{
	for (unsigned i = 0; i < KEYS; i++) {
		uint8_t seed[32] = { (uint8_t)(i + 1) };

		crypto_sign_seed_keypair(keys[i].pk, secrets[i], seed);
		memset(keys[i].id, (int)(i + 1), 8);
	}
	for (unsigned i = 0; i + 1 < KEYS; i++)
		state_rotation(chain[i], i, i + 1, 100 * (i + 1), 100 * (i + 1) + 50);
	return 0;
}

static void
trust(struct publisher_keys *k, unsigned key)
{
	*k = (struct publisher_keys){ .key = keys[key] };
}

static void
test_chain(void **state)
{
	struct publisher_keys k;

	for (unsigned trusted = 0; trusted <= 4; trusted++) {
		trust(&k, trusted);
		assert_int_equal(publisher_keys_index(&k, keys[trusted].id), 0);
		assert_int_equal(publisher_keys_chain(&k, chain[0], 4), KMS_OK);
		assert_int_equal(k.count, 4);
		for (unsigned i = 0; i <= 4; i++) {
			assert_memory_equal(publisher_keys_at(&k, i), &keys[i], sizeof(keys[i]));
			assert_int_equal(publisher_keys_index(&k, keys[i].id), i);
		}
		assert_null(publisher_keys_find(&k, keys[5].id));
		assert_int_equal(publisher_keys_chain(&k, chain[0], 4), KMS_OK);
		assert_int_equal(publisher_keys_chain(&k, chain[2], 4), KMS_OK);
		assert_int_equal(k.count, 6);
	}
}

static void
test_limit(void **state)
{
	struct publisher_keys k;

	trust(&k, 0);
	assert_int_equal(publisher_keys_chain(&k, chain[0], ROTATION_CHAIN_MAX), KMS_OK);
	assert_int_equal(publisher_keys_rotate(&k, chain[ROTATION_CHAIN_MAX]), KMS_E_LIMIT);
	assert_memory_equal(
	    publisher_keys_at(&k, k.count), &keys[ROTATION_CHAIN_MAX], sizeof(keys[0]));
}

static void
test_bad(void **state)
{
	static const struct {
		const char *name;
		unsigned from, to;
		uint64_t begin;
		int status;
	} rows[] = {
		{ "a second successor of a key", 3, 9, 300, KMS_E_EXISTS },
		{ "a second successor of the key before", 2, 9, 300, KMS_E_EXISTS },
		{ "a second predecessor", 9, 3, 300, KMS_E_EXISTS },
		{ "of two strangers", 8, 9, 300, KMS_E_PUBLISHER },
		{ "back to the first key", 4, 1, 900, KMS_E_EXISTS },
		{ "back to the oldest key", 4, 0, 900, KMS_E_FORMAT },
		{ "from falls forwards", 4, 9, 100, KMS_E_FORMAT },
		{ "from falls backwards", 9, 0, 900, KMS_E_FORMAT },
		{ "forwards", 4, 9, 400, KMS_OK },
		{ "backwards", 9, 0, 100, KMS_OK },
	};
	uint8_t octets[ROTATION_SIZE];
	struct publisher_keys k, before;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		trust(&k, 2);
		assert_int_equal(publisher_keys_chain(&k, chain[0], 4), KMS_OK);
		before = k;
		state_rotation(octets, rows[i].from, rows[i].to, rows[i].begin, 1000);
		if (publisher_keys_rotate(&k, octets) != rows[i].status)
			fail_msg("%s", rows[i].name);
		if (rows[i].status != KMS_OK)
			assert_memory_equal(&k, &before, sizeof(k));
	}
	trust(&k, 0);
	memcpy(octets, chain[0], ROTATION_SIZE);
	octets[200] ^= 1;
	assert_int_equal(publisher_keys_rotate(&k, octets), KMS_E_SIGNATURE);
	assert_int_equal(publisher_keys_chain(&k, chain[1], 2), KMS_E_PUBLISHER);
	assert_int_equal(k.count, 0);
}

/* A key whose id is that of another one of the chain. */
static void
test_same_id(void **state)
{
	uint8_t octets[ROTATION_SIZE], id[8];
	struct publisher_keys k;

	trust(&k, 0);
	assert_int_equal(publisher_keys_chain(&k, chain[0], 2), KMS_OK);
	memcpy(id, keys[9].id, 8);
	memcpy(keys[9].id, keys[0].id, 8);
	state_rotation(octets, 2, 9, 900, 1000);
	memcpy(keys[9].id, id, 8);
	assert_int_equal(publisher_keys_rotate(&k, octets), KMS_E_FORMAT);
}

static void
test_times(void **state)
{
	static const struct {
		unsigned key;
		uint64_t now;
		bool accepted;
	} rows[] = {
		{ 0, 0, true },
		{ 0, 150, true },
		{ 0, 151, false },
		{ 1, 99, false },
		{ 1, 100, true },
		{ 1, 250, true },
		{ 1, 251, false },
		{ 2, 199, false },
		{ 2, 200, true },
		{ 2, UINT64_MAX, true },
		{ 9, 150, false },
	};
	struct publisher_keys k;

	trust(&k, 1);
	assert_true(publisher_keys_accept(&k, &keys[1], 0));
	assert_int_equal(publisher_keys_chain(&k, chain[0], 2), KMS_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    publisher_keys_accept(&k, &keys[rows[i].key], rows[i].now), rows[i].accepted);
}

static void
test_file(void **state)
{
	uint8_t octets[ROTATIONS_MAX + 1] = { 0 }, bad[ROTATIONS_MAX + 1];
	struct publisher_keys k, got;
	size_t len;

	trust(&k, 2);
	assert_int_equal(publisher_keys_chain(&k, chain[0], 3), KMS_OK);
	len = rotations_encode(octets, &k);
	assert_int_equal(len, 3 * ROTATION_SIZE + ROTATIONS_DIGEST);
	trust(&got, 2);
	assert_int_equal(rotations_decode(&got, octets, len), KMS_OK);
	assert_memory_equal(&got, &k, sizeof(k));
	for (size_t n = 0; n < len; n++)
		assert_int_equal(rotations_decode(&got, octets, n), KMS_E_FORMAT);
	assert_int_equal(rotations_decode(&got, octets, len + 1), KMS_E_FORMAT);
	for (size_t at = 0; at < len; at += 5) {
		memcpy(bad, octets, len);
		bad[at] ^= 1;
		assert_int_equal(rotations_decode(&got, bad, len), KMS_E_FORMAT);
		assert_int_equal(got.count, 0);
	}
	trust(&got, 9);
	assert_int_equal(rotations_decode(&got, octets, len), KMS_E_PUBLISHER);
	assert_int_equal(got.count, 0);
	/* Forged, with the right hash. */
	memcpy(bad, octets, len);
	bad[170] ^= 1;
	crypto_hash_sha256(bad + len - ROTATIONS_DIGEST, bad, len - ROTATIONS_DIGEST);
	trust(&got, 2);
	assert_int_equal(rotations_decode(&got, bad, len), KMS_E_SIGNATURE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_same_id),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_file),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, NULL);
}
