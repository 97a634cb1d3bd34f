/*
 * test_challenge.c - challenges: an echo is right for one client, one number and a short time. One
 * challenge is compared with that of another implementation of BLAKE2b.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/challenge.h"

#define NOW UINT64_C(1800000000) /* begins a slot */
#define NUMBER 41

static const uint8_t cmid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
static uint8_t key[CHALLENGE_KEY] = { 0x41, 0x42, 0x43 };

static bool
right_at(uint64_t made, uint64_t told)
{
	uint8_t echo[MESSAGE_ECHO_SIZE];

	challenge_make(echo, key, cmid, NUMBER, made);
	return challenge_right(echo, key, cmid, NUMBER, told);
}

static void
test_slots(void **state)
{
	static const struct {
		int64_t made, told;
		bool right;
	} table[] = {
		{ 0, 0, true },
		{ 0, 299, true },
		{ 299, 0, true }, /* within a slot nothing tells them apart */
		{ 0, 899, true }, /* the last second of the second slot after it */
		{ 0, 900, false },
		{ 299, 900, false }, /* a slot may have just begun when it was made */
		{ 299, 899, true },
		{ 300, 299, false }, /* the clock went back */
		{ 0, -1, false },
		{ 0, 864000, false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(
		    right_at(NOW + (uint64_t)table[i].made, NOW + (uint64_t)table[i].told),
		    table[i].right);
	/* Near the beginning of time there are no slots before. */
	assert_true(right_at(0, 0));
	assert_true(right_at(0, 899));
	assert_false(right_at(0, 900));
	assert_true(right_at(UINT64_MAX, UINT64_MAX));
}

/* It is of one client, one number and one run of one host. */
static void
test_whose(void **state)
{
	uint8_t echo[MESSAGE_ECHO_SIZE], other_key[CHALLENGE_KEY], other[16];

	challenge_make(echo, key, cmid, NUMBER, NOW);
	assert_true(challenge_right(echo, key, cmid, NUMBER, NOW));
	assert_false(challenge_right(echo, key, cmid, NUMBER + 1, NOW));
	assert_false(challenge_right(echo, key, cmid, NUMBER - 1, NOW));
	for (size_t i = 0; i < sizeof(other); i++) {
		memcpy(other, cmid, sizeof(other));
		other[i] ^= 1;
		assert_false(challenge_right(echo, key, other, NUMBER, NOW));
	}
	for (size_t i = 0; i < sizeof(other_key); i++) {
		memcpy(other_key, key, sizeof(other_key));
		other_key[i] ^= 0x80;
		assert_false(challenge_right(echo, other_key, cmid, NUMBER, NOW));
	}
	for (size_t i = 0; i < sizeof(echo); i++) {
		echo[i] ^= 1;
		assert_false(challenge_right(echo, key, cmid, NUMBER, NOW));
		echo[i] ^= 1;
	}
}

/* python3: hashlib.blake2b(cmid + number + slot, digest_size=16, key=key) */
static void
test_known(void **state)
{
	static const char known[] = "849c8f32d2a768073908ffa1099ae974";
	char hex[2 * MESSAGE_ECHO_SIZE + 1];
	uint8_t echo[MESSAGE_ECHO_SIZE];

	challenge_make(echo, key, cmid, NUMBER, NOW + 299);
	assert_string_equal(sodium_bin2hex(hex, sizeof(hex), echo, sizeof(echo)), known);
}

static void
test_key(void **state)
{
	uint8_t *one = challenge_key(), *two = challenge_key();

	assert_non_null(one);
	assert_non_null(two);
	assert_memory_not_equal(one, two, CHALLENGE_KEY);
	assert_false(sodium_is_zero(one, CHALLENGE_KEY));
	sodium_free(one);
	sodium_free(two);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_key),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
