/*
 * test_history.c - the grade of a header that the chain does not have.
 */
#include "libkms/core/history.h"
#include "t/unit/core_test.h"

/* Two restores, and a start after each; the last one is of a snapshot. */
static const struct history_mark marks[] = {
	{ 100, 5000, true, 5000, 0 },
	{ 40, 9000, true, 9000, 0 },
	{ 100, 5000, false, 0, 0 },
	{ 40, 9000, false, 0, 0 },
	{ 200, 20000, false, 0, 0 },
};

static void
test_grade(void **state)
{
	static const struct {
		const char *what;
		uint64_t number, time, seen;
		bool differs;
		size_t marks;
		enum history_grade grade;
	} rows[] = {
		{ "newer, no mark", 101, 4000, 90, false, 0, HISTORY_UNEXPLAINED },
		{ "another hash, no mark", 101, 4000, 110, true, 0, HISTORY_CONTRADICTION },
		{ "newer, lost by a restore", 101, 4000, 101, false, 1, HISTORY_NOTE },
		{ "another hash, lost by a restore", 101, 4000, 110, true, 1, HISTORY_NOTE },
		{ "in the second of the restore", 101, 5000, 110, true, 1, HISTORY_NOTE },
		{ "after the restore", 101, 5001, 110, true, 1, HISTORY_CONTRADICTION },
		{ "newer, and after it", 500, 5001, 110, false, 1, HISTORY_UNEXPLAINED },
		{ "the batch that was left, other hash", 100, 4000, 110, true, 1,
		    HISTORY_CONTRADICTION },
		{ "before it", 41, 4000, 110, true, 1, HISTORY_CONTRADICTION },
		{ "a second restore went further back", 41, 4000, 110, true, 2, HISTORY_NOTE },
		{ "between the two restores", 101, 8999, 110, true, 2, HISTORY_NOTE },
		{ "after both", 101, 9001, 110, true, 2, HISTORY_CONTRADICTION },
		{ "before both", 40, 4000, 110, true, 2, HISTORY_CONTRADICTION },
		{ "another first batch", 1, 10, 110, true, 0, HISTORY_CONTRADICTION },
		{ "set back to a snapshot", 201, 19000, 300, true, 5, HISTORY_UNEXPLAINED },
		{ "in the second of that start", 201, 20000, 300, true, 5, HISTORY_UNEXPLAINED },
		{ "signed while that run was at work", 201, 20001, 300, true, 5,
		    HISTORY_CONTRADICTION },
		{ "the batch before that start", 200, 19000, 300, true, 5, HISTORY_CONTRADICTION },
		{ "recorded before that start", 250, 19000, 200, true, 5, HISTORY_CONTRADICTION },
		{ "recorded with it", 250, 19000, 201, true, 5, HISTORY_UNEXPLAINED },
		{ "nobody recorded it", 250, 19000, UINT64_MAX, true, 5, HISTORY_UNEXPLAINED },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct history_header h = { rows[i].number, rows[i].time, rows[i].differs,
			rows[i].seen };

		if (history_grade(&h, marks, rows[i].marks) != rows[i].grade)
			fail_msg("%s", rows[i].what);
	}
	(void)state;
}

/* RESTORED of a lost ledger: number 0. */
static void
test_lost(void **state)
{
	static const struct history_mark lost = { 0, 7000, true, 0, 0 };
	static const struct history_header rows[] = {
		{ 1, 6999, true, UINT64_MAX },
		{ 900, 6999, false, UINT64_MAX },
		{ 1, 7001, true, UINT64_MAX },
	};

	assert_int_equal(history_grade(&rows[0], &lost, 1), HISTORY_NOTE);
	assert_int_equal(history_grade(&rows[1], &lost, 1), HISTORY_NOTE);
	assert_int_equal(history_grade(&rows[2], &lost, 1), HISTORY_CONTRADICTION);
	(void)state;
}

/* A ledger that was begun anew was in use before the restore; or another backup was. */
static void
test_meanwhile(void **state)
{
	static const struct history_mark restored = { 100, 5000, true, 3000, 0 },
					 limited = { 100, 5000, true, 3000, 4000 };
	static const struct {
		uint64_t number, time, seen;
		enum history_grade grade, limited;
	} rows[] = {
		{ 5, 3001, 110, HISTORY_UNEXPLAINED, HISTORY_UNEXPLAINED },
		{ 5, 5000, UINT64_MAX, HISTORY_UNEXPLAINED, HISTORY_UNEXPLAINED },
		{ 5, 3000, 110, HISTORY_CONTRADICTION, HISTORY_CONTRADICTION },
		{ 5, 5001, 110, HISTORY_CONTRADICTION, HISTORY_CONTRADICTION },
		{ 5, 3001, 100, HISTORY_CONTRADICTION, HISTORY_CONTRADICTION },
		{ 101, 4000, 110, HISTORY_NOTE, HISTORY_NOTE },
		{ 101, 4001, 110, HISTORY_NOTE, HISTORY_UNEXPLAINED },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct history_header h = { rows[i].number, rows[i].time, true,
			rows[i].seen };

		assert_int_equal(history_grade(&h, &restored, 1), rows[i].grade);
		assert_int_equal(history_grade(&h, &limited, 1), rows[i].limited);
	}
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
		cmocka_unit_test(test_meanwhile),
		cmocka_unit_test(test_words),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
