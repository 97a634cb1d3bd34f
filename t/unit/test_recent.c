/*
 * test_recent.c - rows that are remembered: the right one or none.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsdb/recent_rows.h"

static void
cmid_of(uint8_t cmid[ROW_CMID], uint32_t client)
{
	crypto_generichash(cmid, ROW_CMID, (const uint8_t *)&client, sizeof(client), NULL, 0);
}

static void
row_of(uint8_t row[ROW_HOT], uint32_t client, uint8_t version)
{
	memset(row, version, ROW_HOT);
	memcpy(row, &client, sizeof(client));
}

static void
put(struct recent *r, uint32_t client, uint8_t version)
{
	uint8_t cmid[ROW_CMID], row[ROW_HOT];

	cmid_of(cmid, client);
	row_of(row, client, version);
	recent_put(r, cmid, row);
}

static bool
has(struct recent *r, uint32_t client, uint8_t version)
{
	uint8_t cmid[ROW_CMID], row[ROW_HOT];
	const uint8_t *found;

	cmid_of(cmid, client);
	row_of(row, client, version);
	recent_announce(r, cmid);
	found = recent_get(r, cmid);
	assert_int_equal(recent_expect(r, cmid), found != NULL);
	if (found != NULL)
		assert_memory_equal(found, row, ROW_HOT);
	return found != NULL;
}

static void
test_put_and_drop(void **state)
{
	struct recent *r = recent_new(100);
	uint8_t cmid[ROW_CMID];

	(void)state;
	assert_non_null(r);
	assert_false(has(r, 1, 1));
	put(r, 1, 1);
	assert_true(has(r, 1, 1));
	put(r, 1, 2);
	assert_true(has(r, 1, 2));
	put(r, 2, 1);
	cmid_of(cmid, 1);
	recent_drop(r, cmid);
	recent_drop(r, cmid);
	assert_false(has(r, 1, 2));
	assert_true(has(r, 2, 1));
	recent_free(r);
	recent_free(NULL);
}

/* What is found is right, and most are found while there is room for them. */
static void
test_many(void **state)
{
	struct recent *r = recent_new(10000);
	unsigned found = 0;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		put(r, i, (uint8_t)i);
	for (uint32_t i = 0; i < 10000; i++)
		found += has(r, i, (uint8_t)i);
	assert_in_range(found, 9000, 10000);
	for (uint32_t i = 10000; i < 100000; i++)
		put(r, i, (uint8_t)i);
	found = 0;
	for (uint32_t i = 0; i < 100000; i++)
		found += has(r, i, (uint8_t)i);
	assert_in_range(found, 9000, 16000);
	assert_true(has(r, 99999, (uint8_t)99999));
	recent_free(r);
}

/* Room for one: it is one set. A CMID of zeros has no place. */
static void
test_smallest(void **state)
{
	static const uint8_t zeros[ROW_CMID];
	struct recent *r = recent_new(1);

	(void)state;
	assert_int_equal(recent_octets(NULL), 0);
	assert_in_range(recent_octets(r), 1, 4096);
	for (uint32_t i = 0; i < 50; i++) {
		put(r, i, 3);
		assert_true(has(r, i, 3));
	}
	assert_null(recent_get(r, zeros));
	recent_drop(r, zeros);
	assert_false(recent_expect(r, zeros));
	recent_free(r);
	assert_null(recent_new(SIZE_MAX / 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_drop),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_smallest),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
