/*
 * test_session_keys.c - what was put in is found, by the whole key alone; the
 * bound holds; those that come back outlive those seen once.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/session_keys.h"

static struct session
session_of(uint32_t number)
{
	struct session s;

	memset(&s, 0, sizeof(s));
	crypto_generichash(
	    s.client_pk, sizeof(s.client_pk), (const uint8_t *)&number, sizeof(number), NULL, 0);
	memcpy(s.keys.to_host, &number, sizeof(number));
	return s;
}

static const struct session *
find(struct session_keys *c, uint32_t number)
{
	struct session s = session_of(number);

	return session_keys_get(c, s.key_id, s.client_pk);
}

static void
put(struct session_keys *c, uint32_t number)
{
	struct session s = session_of(number);

	assert_non_null(session_keys_put(c, &s));
}

static void
test_found(void **state)
{
	struct session_keys *c = session_keys_new(100);
	const struct session *s;

	assert_null(find(c, 1));
	for (uint32_t i = 0; i < 100; i++)
		put(c, i);
	for (uint32_t i = 0; i < 100; i++) {
		s = find(c, i);
		assert_non_null(s);
		assert_memory_equal(s->keys.to_host, &i, sizeof(i));
	}
	session_keys_free(c);
}

/* A CMID is 16 bytes of a hash and could collide; public keys do not. */
static void
test_same_cmid(void **state)
{
	struct session_keys *c = session_keys_new(4);
	struct session a = session_of(1), b = session_of(2);
	const struct session *s;

	memset(a.cmid, 7, sizeof(a.cmid));
	memset(b.cmid, 7, sizeof(b.cmid));
	b.client_pk[31] = a.client_pk[31];
	memcpy(b.client_pk, a.client_pk, 31);
	b.client_pk[31] ^= 1;
	session_keys_put(c, &a);
	assert_null(session_keys_get(c, b.key_id, b.client_pk));
	session_keys_put(c, &b);
	s = session_keys_get(c, b.key_id, b.client_pk);
	assert_non_null(s);
	assert_memory_equal(&s->keys, &b.keys, sizeof(b.keys));
	s = session_keys_get(c, a.key_id, a.client_pk);
	assert_memory_equal(&s->keys, &a.keys, sizeof(a.keys));
	session_keys_free(c);
}

/* One client under two exchange keys: when one key is destroyed, the other's session stays. */
static void
test_forget(void **state)
{
	static const uint8_t old[SEAL_KEY_ID] = { 1 }, new[SEAL_KEY_ID] = { 2 };
	struct session_keys *c = session_keys_new(8);
	struct session s;

	for (uint32_t i = 0; i < 4; i++) {
		s = session_of(i);
		memcpy(s.key_id, old, sizeof(old));
		session_keys_put(c, &s);
		memcpy(s.key_id, new, sizeof(new));
		session_keys_put(c, &s);
	}
	assert_null(find(c, 0));
	session_keys_forget(c, old);
	for (uint32_t i = 0; i < 4; i++) {
		s = session_of(i);
		assert_null(session_keys_get(c, old, s.client_pk));
		assert_non_null(session_keys_get(c, new, s.client_pk));
	}
	/* The freed places are taken again. */
	for (uint32_t i = 10; i < 14; i++)
		put(c, i);
	for (uint32_t i = 10; i < 14; i++)
		assert_non_null(find(c, i));
	session_keys_free(c);
}

static void
test_bound(void **state)
{
	struct session_keys *c = session_keys_new(10);
	struct session_keys_info info;
	unsigned found = 0;

	for (uint32_t i = 0; i < 1000; i++)
		put(c, i);
	for (uint32_t i = 0; i < 1000; i++)
		found += find(c, i) != NULL;
	session_keys_info(c, &info);
	assert_int_equal(found, 10);
	assert_int_equal(info.entries, 10);
	assert_int_equal(info.size, 10);
	assert_int_equal(info.hits, 10);
	assert_int_equal(info.misses, 990);
	session_keys_free(c);
}

/* It grows with the ledger, and what it holds stays where it is. */
static void
test_sizes_itself(void **state)
{
	struct session_keys *c = session_keys_new(200000);
	struct session_keys_info info;
	const struct session *first;
	size_t octets;

	put(c, 0);
	first = find(c, 0);
	session_keys_info(c, &info);
	octets = info.octets;
	assert_int_equal(info.size, SESSION_KEYS_LEAST);
	session_keys_clients(c, 10);
	session_keys_info(c, &info);
	assert_int_equal(info.size, SESSION_KEYS_LEAST);
	session_keys_clients(c, 80000);
	session_keys_info(c, &info);
	assert_int_equal(info.size, 100000);
	assert_int_equal(info.octets, octets);
	for (uint32_t i = 1; i < 100000; i++)
		put(c, i);
	session_keys_clients(c, 10);
	session_keys_info(c, &info);
	assert_int_equal(info.entries, 100000);
	assert_int_equal(info.size, 100000);
	assert_true(info.octets > octets);
	for (uint32_t i = 0; i < 100000; i++)
		assert_non_null(find(c, i));
	assert_ptr_equal(find(c, 0), first);
	session_keys_clients(c, 5000000);
	for (uint32_t i = 100000; i < 300000; i++)
		put(c, i);
	session_keys_info(c, &info);
	assert_int_equal(info.entries, 200000);
	assert_int_equal(info.size, 200000);
	session_keys_free(c);
}

/* Before a look-up, without counting as one. */
static void
test_expected(void **state)
{
	struct session_keys *c = session_keys_new(10);
	struct session a = session_of(1), b = session_of(2);
	struct session_keys_info info;

	assert_null(session_keys_expect(c, session_keys_announce(c, a.client_pk)));
	put(c, 1);
	assert_ptr_equal(session_keys_expect(c, session_keys_announce(c, a.client_pk)), find(c, 1));
	session_keys_expect(c, session_keys_announce(c, b.client_pk));
	session_keys_info(c, &info);
	assert_int_equal(info.hits, 1);
	assert_int_equal(info.misses, 0);
	session_keys_free(c);
}

static void
test_regulars_stay(void **state)
{
	struct session_keys *c = session_keys_new(16);

	for (uint32_t i = 0; i < 8; i++)
		put(c, i);
	for (uint32_t i = 100; i < 1100; i++) {
		for (uint32_t r = 0; r < 8; r++)
			assert_non_null(find(c, r));
		put(c, i);
	}
	session_keys_free(c);
}

static void
test_one(void **state)
{
	struct session_keys *c = session_keys_new(1);

	put(c, 1);
	assert_non_null(find(c, 1));
	put(c, 2);
	assert_null(find(c, 1));
	assert_non_null(find(c, 2));
	session_keys_free(c);
	assert_null(session_keys_new(0));
	session_keys_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_same_cmid),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_sizes_itself),
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_regulars_stay),
		cmocka_unit_test(test_one),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
