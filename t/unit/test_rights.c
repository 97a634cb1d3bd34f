/*
 * test_rights.c - the sums and comparisons of rights.h. That they are the right ones is for the
 * model (t/model) to show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/rights.h"

#define DAY UINT64_C(86400)

static void
test_unused(void **state)
{
	static const struct {
		struct rights_member m;
		uint64_t free;
	} table[] = {
		{ { .claimed = 0, .used = 0 }, 0 },
		{ { .claimed = 5, .used = 2 }, 3 },
		{ { .claimed = 5, .used = 5 }, 0 },
		{ { .claimed = 5, .used = 6 }, 0 },
		{ { .claimed = UINT64_MAX, .used = 1 }, UINT64_MAX - 1 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(rights_free(&table[i].m), table[i].free);
	(void)state;
}

static void
test_since(void **state)
{
	struct rights_member m[3] = { { .beat = 10 * DAY }, { .beat = 9 * DAY + 59 },
		{ .beat = 11 * DAY } };

	assert_int_equal(rights_since(m, 3), 8 * 1440);
	m[1].beat += 1;
	assert_int_equal(rights_since(m, 3), 8 * 1440 + 1);
	assert_int_equal(rights_since(m, 1), 9 * 1440);
	/* One that was never heard; and a clock of the first day. */
	m[2].beat = 0;
	assert_int_equal(rights_since(m, 3), 0);
	m[2].beat = DAY;
	assert_int_equal(rights_since(m, 3), 0);
	m[2].beat = UINT64_MAX;
	assert_int_equal(rights_since(&m[2], 1), UINT32_MAX);
	(void)state;
}

static void
test_room(void **state)
{
	struct rights_member m[2] = { { .claimed = 4, .used = 1 }, { .claimed = 2, .used = 2 } };

	assert_int_equal(rights_room(m, 2, 10, 0), 7);
	assert_int_equal(rights_room(m, 2, 10, 5), 2);
	assert_int_equal(rights_room(m, 2, 10, 7), 0);
	assert_int_equal(rights_room(m, 2, 10, 8), 0);
	assert_int_equal(rights_room(m, 2, 10, 99), 0);
	assert_int_equal(rights_room(m, 2, 2, 0), 0);
	assert_int_equal(rights_room(m, 0, 10, 9), 1);
	/* Sums do not wrap. */
	m[0].claimed = m[1].claimed = UINT64_MAX;
	assert_int_equal(rights_room(m, 2, UINT64_MAX, 5), 0);
	(void)state;
}

static void
test_left(void **state)
{
	static const struct {
		struct rights_purse p;
		uint64_t left;
	} table[] = {
		{ { .first = 10 }, 10 },
		{ { .first = 10, .given = 4, .bound = 5 }, 1 },
		{ { .first = 10, .given = 4, .bound = 6 }, 0 },
		{ { .received = 3, .bound = 1, .held = 1 }, 1 },
		{ { .received = 3, .bound = 1, .held = 5 }, 0 },
		{ { .given = 1 }, 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(rights_left(&table[i].p), table[i].left);
	(void)state;
}

static void
test_lingers(void **state)
{
	static const struct {
		const char *name;
		struct rights_act loser, winner;
		bool lingers;
	} table[] = {
		{ "released", { .pool = 1, .until = 9 }, { .pool = 1 }, true },
		{ "released, and it did not count", { .pool = 1 }, { .pool = 1 }, false },
		{ "another pool", { .pool = 1, .until = 9 }, { .pool = 2, .until = 99 }, true },
		{ "renewed", { .pool = 1, .until = 9 }, { .pool = 1, .until = 10 }, false },
		{ "renewed in the same slot", { .pool = 1, .until = 9 }, { .pool = 1, .until = 9 },
		    false },
		{ "renewed for a shorter time", { .pool = 1, .until = 9 },
		    { .pool = 1, .until = 8 }, true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (rights_lingers(&table[i].loser, &table[i].winner) != table[i].lingers)
			fail_msg("%s", table[i].name);
	(void)state;
}

static void
test_heard(void **state)
{
	const struct rights_act act = { .batch = 7 };
	const uint64_t all[] = { 7, 8, 7 }, one_not[] = { 7, 6, 9 };

	assert_true(rights_heard(&act, all, 3));
	assert_false(rights_heard(&act, one_not, 3));
	assert_true(rights_heard(&act, one_not, 1));
	(void)state;
}

static void
test_again(void **state)
{
	assert_int_equal(rights_again(true, 0), RIGHTS_AGAIN_SEAT);
	assert_int_equal(rights_again(true, 3), RIGHTS_AGAIN_SEAT);
	assert_int_equal(rights_again(false, 1), RIGHTS_AGAIN_RIGHT);
	assert_int_equal(rights_again(false, 0), RIGHTS_AGAIN_NONE);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_lingers),
		cmocka_unit_test(test_heard),
		cmocka_unit_test(test_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
