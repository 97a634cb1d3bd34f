/*
 * test_keep_names.c - when names are erased by [ledger] keep_names.
 */
#include "kmsd/activate/activate.h"
#include "t/unit/core_test.h"

#define DAY UINT64_C(86400)

static void
test_due(void **state)
{
	static const struct {
		const char *what;
		uint64_t now;
		unsigned keep;
		uint64_t floor;
		uint64_t due;
	} rows[] = {
		{ "for ever", 1000 * DAY, 0, 0, 0 },
		{ "a clock that is younger than that", 5 * DAY, 30, 0, 0 },
		{ "the first time", 1000 * DAY, 400, 0, 600 * DAY },
		{ "the same day", 1000 * DAY + 5, 400, 600 * DAY, 0 },
		{ "a second before the next", 1001 * DAY - 1, 400, 600 * DAY, 0 },
		{ "the next day", 1001 * DAY, 400, 600 * DAY, 601 * DAY },
		{ "after a month away", 1030 * DAY, 400, 600 * DAY, 630 * DAY },
		{ "kept longer now", 1001 * DAY, 500, 600 * DAY, 0 },
		{ "kept shorter now", 1000 * DAY, 30, 600 * DAY, 970 * DAY },
		{ "a clock set back", 700 * DAY, 400, 600 * DAY, 0 },
		{ "ten years", 20000 * DAY, 3660, 0, 16340 * DAY },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t due = activate_names_due(rows[i].now, rows[i].keep, rows[i].floor);

		if (due != rows[i].due)
			fail_msg("%s: %llu", rows[i].what, (unsigned long long)due);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keep_names", tests, NULL, NULL);
}
