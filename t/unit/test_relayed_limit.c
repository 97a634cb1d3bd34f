/*
 * test_relayed_limit.c - what observed clients may write to the ledger is bounded, for each and for
 * all, and nobody who is within it loses by others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/relayed_limit.h"

#define NOW UINT64_C(1700000000)

static void
v4(uint8_t out[16], uint32_t n)
{
	memset(out, 0, 16);
	out[10] = out[11] = 0xff;
	for (int i = 0; i < 4; i++)
		out[12 + i] = (uint8_t)(n >> (24 - 8 * i));
}

static uint64_t
many(struct relayed_limit *l, const uint8_t source[16], uint64_t n, uint64_t now)
{
	uint64_t taken = 0;

	while (n-- > 0)
		taken += relayed_limit_take(l, source, now);
	return taken;
}

static void
test_one(void **state)
{
	struct relayed_limit *l = calloc(1, sizeof(*l));
	uint8_t source[16], other[16];

	relayed_limit_init(l, 7);
	v4(source, 0x0a000001);
	v4(other, 0x0a000002);
	assert_int_equal(many(l, source, 40000, NOW), RELAYED_SOURCE_BURST);
	assert_int_equal(many(l, source, 40000, NOW - 1000), 0);
	assert_int_equal(many(l, other, 2, NOW), 2);
	assert_int_equal(many(l, source, 40000, NOW + 10), 10 * RELAYED_SOURCE_RATE);
	/* a day of a flood */
	for (int i = 0; i < 24; i++)
		many(l, source, 40000, NOW + 10 + 3600 * (uint64_t)i);
	assert_int_equal(many(l, source, 40000, NOW + 10 + 3600 * 23), 0);
	/* and full again after a day of silence, not fuller */
	assert_int_equal(many(l, source, 40000, NOW + 200000), RELAYED_SOURCE_BURST);
	free(l);
	(void)state;
}

static void
test_prefix(void **state)
{
	struct relayed_limit *l = calloc(1, sizeof(*l));
	uint8_t source[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint64_t taken = 0;

	relayed_limit_init(l, 7);
	for (int i = 0; i < 40000; i++) {
		source[14] = (uint8_t)(i >> 8);
		source[15] = (uint8_t)i;
		taken += relayed_limit_take(l, source, NOW);
	}
	assert_int_equal(taken, RELAYED_SOURCE_BURST);
	source[7] = 1;
	assert_true(relayed_limit_take(l, source, NOW));
	free(l);
	(void)state;
}

static void
test_all(void **state)
{
	struct relayed_limit *l = calloc(1, sizeof(*l));
	uint8_t source[16];
	uint64_t taken = 0;

	relayed_limit_init(l, 7);
	/* more sources than the table has room for, each of them within its own bound */
	for (uint32_t i = 0; i < 100000; i++) {
		v4(source, 0x0a000000 + i);
		taken += many(l, source, 10, NOW);
	}
	assert_int_equal(taken, RELAYED_ALL_BURST);
	assert_int_equal(many(l, source, 100, NOW + 2), 2 * RELAYED_ALL_RATE);
	free(l);
	(void)state;
}

/* One that floods keeps its empty bucket, however many others pass through the table. */
static void
test_flood_stays(void **state)
{
	struct relayed_limit *l = calloc(1, sizeof(*l));
	uint8_t flood[16], source[16];

	relayed_limit_init(l, 7);
	v4(flood, 0x0a000001);
	many(l, flood, RELAYED_SOURCE_BURST, NOW);
	for (uint32_t i = 0; i < 100000; i++) {
		v4(source, 0x0b000000 + i);
		assert_true(relayed_limit_take(l, source, NOW));
	}
	assert_false(relayed_limit_take(l, flood, NOW));
	free(l);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_flood_stays),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
