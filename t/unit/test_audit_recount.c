/*
 * test_audit_recount.c - the recount of an audit: who counts at a minute, who joins, and the two
 * figures of each day; and the table under it.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/issue/audit_recount.h"
#include "libkms/kms_error.h"

#define DAY AUDIT_DAY

static uint64_t
at(const struct audit_recount *r, uint16_t pool, uint32_t minute)
{
	return audit_recount_at(r, pool, minute);
}

static bool
sit(struct audit_recount *r, struct audit_span *s, uint16_t pool, uint32_t minute, uint32_t until)
{
	enum audit_join joins;

	assert_int_equal(audit_recount_sit(r, s, pool, minute, until, &joins), KMS_OK);
	assert_int_not_equal(joins, JOIN_TOO_MANY);
	return joins == JOIN_MORE;
}

static void
test_seats(void **state)
{
	struct audit_recount *r = calloc(1, sizeof(*r));
	struct audit_span a = { 0 }, b = { 0 };

	audit_recount_init(r);
	assert_int_equal(at(r, 1, 5), 0);
	assert_true(sit(r, &a, 1, 10, 100));
	assert_true(sit(r, &b, 1, 11, 90));
	assert_int_equal(at(r, 1, 89), 2);
	assert_int_equal(at(r, 1, 90), 1); /* until is exclusive */
	assert_int_equal(at(r, 1, 100), 0);
	assert_false(sit(r, &a, 1, 20, 120)); /* taken again, and counted once */
	assert_int_equal(at(r, 1, 50), 2);
	assert_true(sit(r, &b, 2, 30, 130)); /* it moved */
	assert_int_equal(at(r, 1, 50), 1);
	assert_int_equal(at(r, 2, 50), 1);
	assert_true(sit(r, &a, 1, 120, 240)); /* its seat was over */
	assert_int_equal(audit_recount_leave(r, &a, 150), KMS_OK);
	assert_int_equal(audit_recount_leave(r, &a, 160), KMS_OK);
	assert_int_equal(at(r, 1, 151), 0);
	assert_true(sit(r, &a, 1, 170, 240));
	audit_recount_free(r);
	free(r);
}

static void
test_days(void **state)
{
	static const struct audit_day expected[] = {
		{ 1, 10, 1, 1 },
		{ 1, 12, 2, 1 },
		{ 1, 13, 1, 1 },
		{ 1, 15, 1, 0 },
		{ 1, 20, 0, 0 },
		{ 7, 13, 1, 0 },
		{ 7, 14, 0, 0 },
	};
	struct audit_recount *r = calloc(1, sizeof(*r));
	struct audit_span a = { 0 }, b = { 0 }, lease = { 0 };
	struct audit_day *days;
	size_t count;

	audit_recount_init(r);
	sit(r, &a, 1, 10 * DAY + 5, 18 * DAY);
	assert_int_equal(audit_recount_hold(r, &lease, 1, 10 * DAY + 5, 40 * DAY), KMS_OK);
	sit(r, &a, 1, 11 * DAY, 20 * DAY); /* a renewal changes nothing on its day */
	sit(r, &b, 1, 12 * DAY, 30 * DAY);
	sit(r, &b, 7, 13 * DAY + 1, 40 * DAY);
	assert_int_equal(audit_recount_leave(r, &b, 14 * DAY + 1439), KMS_OK);
	assert_int_equal(audit_recount_let_go(r, &lease, 15 * DAY + 7), KMS_OK);
	assert_int_equal(audit_recount_leave(r, &a, UINT32_MAX), KMS_OK);
	assert_int_equal(audit_recount_days(r, &days, &count), KMS_OK);
	assert_int_equal(count, 7);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(days[i].pool, expected[i].pool);
		assert_int_equal(days[i].day, expected[i].day);
		assert_int_equal(days[i].counted, expected[i].counted);
		assert_int_equal(days[i].holding, expected[i].holding);
	}
	free(days);
	audit_recount_free(r);
	free(r);
}

/* Within one day nobody is counted at its end; nor when an end is before the beginning. */
static void
test_short_spans(void **state)
{
	struct audit_recount *r = calloc(1, sizeof(*r));
	struct audit_span a = { 0 };
	struct audit_day *days;
	size_t count;

	audit_recount_init(r);
	sit(r, &a, 1, 5 * DAY, 9 * DAY);
	assert_int_equal(audit_recount_leave(r, &a, 5 * DAY + 1439), KMS_OK);
	sit(r, &a, 1, 5 * DAY, 9 * DAY);
	assert_int_equal(audit_recount_leave(r, &a, DAY), KMS_OK);
	assert_int_equal(audit_recount_days(r, &days, &count), KMS_OK);
	assert_int_equal(count, 0);
	free(days);
	audit_recount_free(r);
	free(r);
}

/* Too many minutes are those that are later: what is over takes no part, and comes back no more. */
static void
test_too_many(struct audit_recount *r)
{
	struct audit_span one = { 0 }, last = { 0 };
	enum audit_join joins;

	for (uint32_t n = 0; n < AUDIT_SLOTS; n++) {
		one = (struct audit_span){ 0 };
		assert_true(sit(r, &one, 2, 5, 100 + n));
	}
	assert_int_equal(audit_recount_sit(r, &last, 2, 5, 100 + AUDIT_SLOTS, &joins), KMS_OK);
	assert_int_equal(joins, JOIN_TOO_MANY);
	assert_int_equal(at(r, 2, 5), AUDIT_SLOTS);
	assert_int_equal(at(r, 2, 100), AUDIT_SLOTS - 1);
	one = (struct audit_span){ 0 };
	assert_true(sit(r, &one, 2, 5, 7000)); /* a minute that others have, too */
	assert_int_equal(at(r, 2, 5), AUDIT_SLOTS + 1);
	assert_true(sit(r, &last, 2, 100, 100 + AUDIT_SLOTS)); /* one of them is over */
	assert_int_equal(at(r, 2, 5), AUDIT_SLOTS + 2);
	assert_int_equal(audit_recount_leave(r, &last, 100), KMS_OK);
	assert_int_equal(audit_recount_leave(r, &last, 100), KMS_OK);
	assert_int_equal(at(r, 2, 5), AUDIT_SLOTS + 1);
}

/* Windows of minutes leave seats behind that are over: they take no room for ever. */
static void
test_slots(void **state)
{
	struct audit_recount *r = calloc(1, sizeof(*r));
	struct audit_span a = { 0 }, other = { 0 };
	enum audit_join joins;

	audit_recount_init(r);
	for (uint32_t m = 0; m < 10 * AUDIT_SLOTS; m++)
		assert_false(sit(r, &a, 1, m, m + 65) != (m == 0));
	assert_int_equal(at(r, 1, 10 * AUDIT_SLOTS), 1);
	assert_true(r->pools[0].room <= AUDIT_SLOTS);
	test_too_many(r);
	for (uint16_t pool = 3; pool <= AUDIT_POOLS; pool++)
		sit(r, &other, pool, 5, 100);
	assert_int_equal(
	    audit_recount_sit(r, &other, AUDIT_POOLS + 1, 5, 100, &joins), KMS_E_TOO_LARGE);
	audit_recount_free(r);
	free(r);
}

struct row {
	uint8_t key[16];
	uint64_t value;
};

static void
test_table(void **state)
{
	struct audit_table t;

	audit_table_init(&t, sizeof(struct row), 16);
	assert_null(audit_table_find(&t, "0123456789abcdef"));
	for (int again = 0; again < 2; again++)
		for (uint32_t n = 0; n < 5000; n++) {
			uint8_t key[16] = { (uint8_t)n, (uint8_t)(n >> 8) };
			struct row *row = audit_table_at(&t, key);

			assert_non_null(row);
			assert_int_equal(row->value, again ? n + 1 : 0);
			row->value = n + 1;
		}
	assert_int_equal(t.count, 5000);
	assert_int_equal(((struct row *)audit_table_row(&t, 4711))->value, 4712);
	assert_null(audit_table_find(&t, "0123456789abcdef"));
	audit_table_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seats),
		cmocka_unit_test(test_days),
		cmocka_unit_test(test_short_spans),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_table),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("audit_recount", tests, NULL, NULL);
}
