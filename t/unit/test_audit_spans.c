/*
 * test_audit_spans.c - spans of clients at several hosts: joined, merged, and how many there are at
 * a minute; against a count made minute by minute.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsctl/issue/audit_spans.h"
#include "libkms/kms_error.h"

static void
add(struct audit_spans *s, uint8_t client, uint16_t pool, uint32_t from, uint32_t end, size_t *last)
{
	const uint8_t cmid[16] = { client };
	const struct audit_span_row row = { .pool = pool, .seat = true, .from = from, .end = end };

	assert_int_equal(audit_spans_add(s, cmid, &row, last), KMS_OK);
}

static void
test_join(void **state)
{
	struct audit_spans s = { 0 };
	size_t one = 0, other = 0;

	add(&s, 1, 1, 10, 20, &one);
	add(&s, 1, 1, 20, 30, &one); /* touches */
	add(&s, 1, 1, 25, 28, &one); /* within */
	assert_int_equal(s.count, 1);
	assert_int_equal(s.rows[0].end, 30);
	add(&s, 1, 1, 31, 40, &one); /* a gap of a minute */
	add(&s, 1, 2, 40, 50, &one); /* another pool */
	add(&s, 1, 1, 50, 50, &one); /* nothing */
	assert_int_equal(s.count, 3);
	add(&s, 1, 1, 30, 31, &other); /* another host fills the gap */
	audit_spans_merge(&s);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.rows[0].from, 10);
	assert_int_equal(s.rows[0].end, 40);
	assert_int_equal(s.rows[1].pool, 2);
	audit_spans_free(&s);
}

struct told {
	size_t count;
	uint32_t minutes[64];
	uint64_t counts[64];
};

static int
tell(void *arg, uint32_t minute, uint64_t count)
{
	struct told *t = arg;

	t->minutes[t->count] = minute;
	t->counts[t->count++] = count;
	return KMS_OK;
}

static int
stop(void *arg, uint32_t minute, uint64_t count)
{
	return KMS_E_FULL;
}

static void
test_sweep(void **state)
{
	struct audit_spans s = { 0 };
	struct told t = { 0 };
	size_t last[4] = { 0 };

	audit_spans_merge(&s);
	assert_int_equal(audit_spans_sweep(&s, 1, 0, UINT32_MAX, tell, &t), KMS_OK);
	assert_int_equal(t.count, 0);
	add(&s, 1, 1, 5, 20, &last[0]);
	add(&s, 2, 1, 10, 15, &last[1]);
	add(&s, 3, 1, 15, 30, &last[2]); /* comes when another one leaves */
	add(&s, 4, 2, 6, 40, &last[3]);  /* of another pool */
	audit_spans_merge(&s);
	assert_int_equal(audit_spans_sweep(&s, 1, 0, 100, tell, &t), KMS_OK);
	assert_int_equal(t.count, 3);
	assert_int_equal(t.minutes[1], 10);
	assert_int_equal(t.counts[1], 2);
	assert_int_equal(t.counts[2], 2);
	t.count = 0; /* a period: what began before counts at its first minute */
	assert_int_equal(audit_spans_sweep(&s, 1, 12, 14, tell, &t), KMS_OK);
	assert_int_equal(t.count, 1);
	assert_int_equal(t.minutes[0], 12);
	assert_int_equal(t.counts[0], 2);
	assert_int_equal(audit_spans_sweep(&s, 1, 0, 100, stop, NULL), KMS_E_FULL);
	audit_spans_free(&s);
}

/* Any spans of any hosts: as many clients as a list of minutes says. */
static void
test_random(void **state)
{
	srand(7);
	for (unsigned round = 0; round < 300; round++) {
		static bool there[4][64];
		struct audit_spans s = { 0 };
		struct told t = { 0 };
		size_t last[3][4] = { 0 };

		memset(there, 0, sizeof(there));
		for (unsigned n = (unsigned)rand() % 30; n > 0; n--) {
			unsigned host = (unsigned)rand() % 3, client = (unsigned)rand() % 4;
			uint32_t from = (uint32_t)rand() % 60, end = from + (uint32_t)rand() % 4;

			add(&s, (uint8_t)client, 1, from, end, &last[host][client]);
			for (uint32_t m = from; m < end; m++)
				there[client][m] = true;
		}
		audit_spans_merge(&s);
		assert_int_equal(audit_spans_sweep(&s, 1, 0, 63, tell, &t), KMS_OK);
		for (size_t i = 0; i < t.count; i++) {
			uint64_t clients = 0;

			for (unsigned c = 0; c < 4; c++)
				clients += there[c][t.minutes[i]];
			assert_int_equal(t.counts[i], clients);
		}
		audit_spans_free(&s);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_random),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
