/*
 * test_refusal_counts.c - refusals by pool and status: what counts as one, when they are to be
 * written, and that no pack and no client makes the list longer than an entry holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/refusal_counts.h"
#include "libkms/kms_error.h"

#define NOW UINT64_C(1800000000)

static const uint8_t publisher[8] = "PUBLISHR";

static void
test_statuses(void **state)
{
	static const struct {
		uint32_t status;
		bool counts;
	} rows[] = {
		{ KMS_OK, false },
		{ KMS_E_SEQUENCE, false },
		{ KMS_E_UNKNOWN_CLIENT, false },
		{ UINT16_MAX + 1, false },
		{ KMS_E_CAPACITY, true },
		{ KMS_E_VM_REFUSED, true },
		{ KMS_E_NOT_CONFIRMED, true },
		{ KMS_E_TOO_SOON, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct refusal_counts c = { .count = 0 };

		refusal_counts_add(&c, publisher, 1, rows[i].status, NOW);
		assert_int_equal(c.count, rows[i].counts);
	}
}

static void
test_when(void **state)
{
	struct refusal_counts c = { .count = 0 };

	(void)state;
	assert_false(refusal_counts_due(&c, NOW));
	refusal_counts_add(&c, publisher, 1, KMS_E_CAPACITY, NOW);
	assert_false(refusal_counts_due(&c, NOW + REFUSAL_COUNTS_SECONDS - 1));
	assert_true(refusal_counts_due(&c, NOW + REFUSAL_COUNTS_SECONDS));
	assert_true(refusal_counts_due(&c, NOW - 1)); /* the clock went back */
	refusal_counts_clear(&c, NOW + 70);
	assert_false(refusal_counts_due(&c, NOW + 10000));
	/* A minute between two entries, whenever the refusal comes. */
	refusal_counts_add(&c, publisher, 1, KMS_E_CAPACITY, NOW + 100);
	assert_false(refusal_counts_due(&c, NOW + 129));
	assert_true(refusal_counts_due(&c, NOW + 130));
}

static void
test_blob(void **state)
{
	struct refusal_counts c = { .count = 0 };
	uint8_t blob[ENTRY_COUNTERS_BLOB];
	struct entry_counter e;
	size_t len;

	(void)state;
	refusal_counts_add(&c, publisher, 2, KMS_E_CAPACITY, NOW);
	refusal_counts_add(&c, publisher, 1, KMS_E_VM_REFUSED, NOW);
	refusal_counts_add(&c, NULL, 7, KMS_E_UNKNOWN_PRODUCT, NOW);
	refusal_counts_add(&c, publisher, 2, KMS_E_CAPACITY, NOW);
	len = refusal_counts_blob(&c, blob, sizeof(blob), NOW + 61);
	assert_true(entry_counters_ok(blob, len));
	assert_int_equal(entry_counters_seconds(blob), 61);
	assert_int_equal(entry_counters_count(len), 3);
	entry_counters_get(&e, blob, 0);
	assert_int_equal(e.status, KMS_E_UNKNOWN_PRODUCT);
	assert_int_equal(e.pool, 0);
	entry_counters_get(&e, blob, 2);
	assert_memory_equal(e.publisher, publisher, 8);
	assert_int_equal(e.pool, 2);
	assert_int_equal(e.refusals, 2);
}

static void
test_bounds(void **state)
{
	struct refusal_counts c = { .count = 0 };
	uint8_t blob[ENTRY_COUNTERS_BLOB];
	struct entry_counter e;
	uint64_t sum = 0;
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		refusal_counts_add(&c, publisher, (uint16_t)i, 100 + i % 40, NOW);
	assert_int_equal(c.count, REFUSAL_COUNTS_POOLS + 40);
	len = refusal_counts_blob(&c, blob, sizeof(blob), NOW);
	assert_true(entry_counters_ok(blob, len));
	for (size_t i = 0; i < entry_counters_count(len); i++) {
		entry_counters_get(&e, blob, i);
		sum += e.refusals;
	}
	assert_int_equal(sum, 5000);
	for (uint32_t status = 1; status < 5000; status++)
		refusal_counts_add(&c, publisher, 1, status, NOW);
	assert_int_equal(c.count, ENTRY_COUNTERS_MAX);
	c.list[0].refusals = UINT32_MAX;
	refusal_counts_add(&c, c.list[0].publisher, c.list[0].pool, c.list[0].status, NOW);
	assert_int_equal(c.list[0].refusals, UINT32_MAX);
	assert_true(entry_counters_ok(blob, refusal_counts_blob(&c, blob, sizeof(blob), NOW)));
}

/* What is no blob of an entry. */
static void
test_bad_blobs(void **state)
{
	struct entry_counter two[2] = { { .status = 1, .refusals = 1 },
		{ .status = 2, .refusals = 1 } };
	static uint8_t blob[ENTRY_COUNTERS_BLOB + ENTRY_COUNTER];
	static struct entry_counter many[ENTRY_COUNTERS_MAX + 1];
	size_t len = entry_counters_encode(blob, sizeof(blob), 60, two, 2);

	(void)state;
	assert_int_equal(len, 36);
	assert_true(entry_counters_ok(blob, len));
	for (size_t n = 0; n < len; n++)
		assert_int_equal(entry_counters_ok(blob, n), n == 20);
	two[1] = two[0];
	entry_counters_encode(blob, sizeof(blob), 60, two, 2);
	assert_false(entry_counters_ok(blob, len));
	two[1].pool = 1;
	two[0].pool = 2;
	entry_counters_encode(blob, sizeof(blob), 60, two, 2);
	assert_false(entry_counters_ok(blob, len));
	two[0] = (struct entry_counter){ .status = 0, .refusals = 1 };
	entry_counters_encode(blob, sizeof(blob), 60, two, 1);
	assert_false(entry_counters_ok(blob, 20));
	two[0] = (struct entry_counter){ .status = 1, .refusals = 0 };
	entry_counters_encode(blob, sizeof(blob), 60, two, 1);
	assert_false(entry_counters_ok(blob, 20));
	for (uint32_t i = 0; i <= ENTRY_COUNTERS_MAX; i++)
		many[i] = (struct entry_counter){ .status = (uint16_t)(i + 1), .refusals = 1 };
	len = entry_counters_encode(blob, sizeof(blob), 60, many, ENTRY_COUNTERS_MAX);
	assert_true(entry_counters_ok(blob, len));
	len = entry_counters_encode(blob, sizeof(blob), 60, many, ENTRY_COUNTERS_MAX + 1);
	assert_false(entry_counters_ok(blob, len));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_blob),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bad_blobs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
