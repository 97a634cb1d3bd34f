/*
 * test_history.c - the grade of a header that the chain does not have.
 */
#include "libkms/core/history.h"
#include "t/unit/core_test.h"

static const struct history_restored restored[] = { { 100, 5000 }, { 40, 9000 } };

static void
test_grade(void **state)
{
	static const struct {
		const char *what;
		uint64_t number, time;
		bool differs;
		size_t restores;
		enum history_grade grade;
	} rows[] = {
		{ "newer, no restore", 101, 4000, false, 0, HISTORY_UNEXPLAINED },
		{ "another hash, no restore", 101, 4000, true, 0, HISTORY_CONTRADICTION },
		{ "newer, lost by a restore", 101, 4000, false, 1, HISTORY_NOTE },
		{ "another hash, lost by a restore", 101, 4000, true, 1, HISTORY_NOTE },
		{ "signed in the second of the restore", 101, 5000, true, 1, HISTORY_NOTE },
		{ "signed after the restore", 101, 5001, true, 1, HISTORY_CONTRADICTION },
		{ "newer, and signed after it", 500, 5001, false, 1, HISTORY_UNEXPLAINED },
		{ "the batch that was left, another hash", 100, 4000, true, 1,
		    HISTORY_CONTRADICTION },
		{ "before it", 41, 4000, true, 1, HISTORY_CONTRADICTION },
		{ "a second restore went further back", 41, 4000, true, 2, HISTORY_NOTE },
		{ "signed between the two restores", 101, 8999, true, 2, HISTORY_NOTE },
		{ "signed after both", 101, 9001, true, 2, HISTORY_CONTRADICTION },
		{ "before both", 40, 4000, true, 2, HISTORY_CONTRADICTION },
		{ "another first batch, no restore", 1, 10, true, 0, HISTORY_CONTRADICTION },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (history_grade(rows[i].number, rows[i].time, rows[i].differs, restored,
			rows[i].restores) != rows[i].grade)
			fail_msg("%s", rows[i].what);
	(void)state;
}

/* RESTORED of a lost ledger: number 0. */
static void
test_lost(void **state)
{
	static const struct history_restored lost = { 0, 7000 };

	assert_int_equal(history_grade(1, 6999, true, &lost, 1), HISTORY_NOTE);
	assert_int_equal(history_grade(900, 6999, false, &lost, 1), HISTORY_NOTE);
	assert_int_equal(history_grade(1, 7001, true, &lost, 1), HISTORY_CONTRADICTION);
	(void)state;
}

static void
test_words(void **state)
{
	assert_string_equal(history_grade_word(HISTORY_NOTE), "note");
	assert_string_equal(history_grade_word(HISTORY_UNEXPLAINED), "unexplained");
	assert_string_equal(history_grade_word(HISTORY_CONTRADICTION), "contradiction");
	assert_true(HISTORY_CONTRADICTION > HISTORY_UNEXPLAINED);
	assert_true(HISTORY_UNEXPLAINED > HISTORY_NOTE);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grade),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
