/*
 * test_licence.c - the licence as a table: one row a state, one a boundary.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/client/licence.h"

#define T 1000000u /* first use, lease given */
#define DAY 86400u
#define TOL LICENCE_TOLERANCE

static const struct row {
	const char *what;
	uint64_t now, highest;
	uint32_t grace;
	int lease; /* expires T + 10 days, renew after T + 5 days */
	enum kms_licence want;
	uint32_t grace_left;
} rows[] = {
	{ "first use, thirty days unless told", T, T, 0, 0, KMS_GRACE, 43200 },
	{ "a second later is still a minute begun", T + 1, T, 0, 0, KMS_GRACE, 43200 },
	{ "a minute later", T + 60, T, 0, 0, KMS_GRACE, 43199 },
	{ "last second of grace", T + 30 * DAY - 1, T, 0, 0, KMS_GRACE, 1 },
	{ "grace over", T + 30 * DAY, T, 0, 0, KMS_UNLICENSED, 0 },
	{ "own grace, last second", T + 599, T, 10, 0, KMS_GRACE, 1 },
	{ "own grace over", T + 600, T, 10, 0, KMS_UNLICENSED, 0 },
	{ "no grace at all", T, T, KMS_NO_GRACE, 0, KMS_UNLICENSED, 0 },
	{ "longest grace does not wrap", T, T, KMS_NO_GRACE - 1, 0, KMS_GRACE, KMS_NO_GRACE - 1 },
	{ "activated", T, T, KMS_NO_GRACE, 1, KMS_ACTIVATED, 0 },
	{ "second before the time to renew", T + 5 * DAY - 1, T, KMS_NO_GRACE, 1, KMS_ACTIVATED,
	    0 },
	{ "renewal due", T + 5 * DAY, T, KMS_NO_GRACE, 1, KMS_RENEWAL_DUE, 0 },
	{ "last second of the lease", T + 10 * DAY - 1, T, KMS_NO_GRACE, 1, KMS_RENEWAL_DUE, 0 },
	{ "expired", T + 10 * DAY, T, KMS_NO_GRACE, 1, KMS_EXPIRED, 0 },
	{ "expired, although grace would be left", T + 10 * DAY, T, 0, 1, KMS_EXPIRED, 20 * 1440 },
	{ "clock back within tolerance", T, T + TOL, KMS_NO_GRACE, 1, KMS_ACTIVATED, 0 },
	{ "clock back beyond it", T, T + TOL + 1, KMS_NO_GRACE, 1, KMS_CLOCK_BACK, 0 },
	{ "clock back without a lease", T, T + TOL + 1, KMS_NO_GRACE, 0, KMS_CLOCK_BACK, 0 },
	{ "a small step back wins no lease time", T + 10 * DAY - 60, T + 10 * DAY, KMS_NO_GRACE, 1,
	    KMS_EXPIRED, 0 },
	{ "nor grace", T + 590, T + 600, 10, 0, KMS_UNLICENSED, 0 },
};

static struct licence_facts
facts(const struct row *r)
{
	struct licence_facts f = { .now = r->now,
		.highest_seen = r->highest,
		.first_use = T,
		.grace_minutes = r->grace,
		.lease = r->lease };

	if (r->lease) {
		f.expires = T + 10 * DAY;
		f.renew_after = T + 5 * DAY;
	}
	return f;
}

static void
test_table(void **arg)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct licence_facts f = facts(&rows[i]);

		if (licence_state(&f) != rows[i].want ||
		    licence_grace_left(&f) != rows[i].grace_left)
			fail_msg("%s: licence %d, want %d; grace %u, want %u", rows[i].what,
			    licence_state(&f), rows[i].want, licence_grace_left(&f),
			    rows[i].grace_left);
	}
}

static void
test_next_attempt(void **arg)
{
	struct licence_facts f = { .now = T, .highest_seen = T, .first_use = T };

	/* Never asked: now. CMID zero: no jitter. */
	assert_int_equal(licence_next_attempt(&f), T);
	f.last_attempt = T;
	assert_int_equal(licence_next_attempt(&f), T + 120 * 60);
	f.activation_interval = 10;
	assert_int_equal(licence_next_attempt(&f), T + 600);
	f.retry_after = 8;
	assert_int_equal(licence_next_attempt(&f), T + 8);
	f.retry_after = 0;
	/* Asked under a clock that was ahead: do not wait for that time to come. */
	f.last_attempt = T + 5 * DAY;
	assert_int_equal(licence_next_attempt(&f), T);
	/* With a lease: when it is time to renew. */
	f.last_attempt = T;
	f.lease = true;
	f.renew_after = T + 5 * DAY;
	f.expires = T + 10 * DAY;
	assert_int_equal(licence_next_attempt(&f), T + 5 * DAY);
	/* Due, asked and failed: again after the interval. */
	f.now = f.last_attempt = T + 6 * DAY;
	assert_int_equal(licence_next_attempt(&f), T + 6 * DAY + 600);
	/* However long the wait is: before the lease ends. */
	f.activation_interval = 43200;
	assert_int_equal(licence_next_attempt(&f), T + 7 * DAY + 60);
	f.activation_interval = 10;
	f.retry_after = 2 * DAY;
	assert_int_equal(licence_next_attempt(&f), T + 7 * DAY + 60);
	f.now = f.last_attempt = f.expires - 4;
	assert_int_equal(licence_next_attempt(&f), f.expires + 57);
	f.retry_after = 0;
	/* It has ended: after the interval again. */
	f.now = f.last_attempt = T + 11 * DAY;
	assert_int_equal(licence_next_attempt(&f), T + 11 * DAY + 600);
	f.last_attempt = T + 6 * DAY;
	/* Clock moved back: ask soon, a host can settle it. */
	f.now = T;
	f.highest_seen = T + 6 * DAY;
	assert_int_equal(licence_next_attempt(&f), T);
}

static void
test_jitter(void **arg)
{
	struct licence_facts f = { .now = T,
		.highest_seen = T,
		.first_use = T,
		.lease = true,
		.renew_after = T + 5 * DAY,
		.expires = T + 10 * DAY,
		.activation_interval = 120 };
	uint64_t previous = 0, next = 0;
	unsigned i;

	/* Spread over one activation interval, evenly, the same at every call. */
	for (i = 0; i < 256; i++) {
		f.cmid[0] = (uint8_t)i;
		next = licence_next_attempt(&f);
		assert_int_equal(next, licence_next_attempt(&f));
		assert_true(next >= f.renew_after && next < f.renew_after + 7200);
		assert_true(i == 0 || (next - previous >= 27 && next - previous <= 29));
		previous = next;
	}
	memset(f.cmid, 0xff, sizeof(f.cmid));
	assert_int_equal(licence_next_attempt(&f), f.renew_after + 7199);
	/* Never so late that the lease runs out: a quarter of what is left at most. */
	f.expires = f.renew_after + 400;
	assert_int_equal(licence_next_attempt(&f), f.renew_after + 99);
	f.expires = f.renew_after;
	assert_int_equal(licence_next_attempt(&f), f.renew_after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_next_attempt),
		cmocka_unit_test(test_jitter),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
