/*
 * test_refusal.c - nobody who is refused can fill the journal: the statuses that are kept,
 * once a minute for each client, so many a minute for all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kmsd/activate/refusal.h"
#include "libkms/kms_error.h"

#define NOW UINT64_C(1800000000) /* a minute's beginning */

static void
cmid_of(uint8_t cmid[16], uint32_t n)
{
	memset(cmid, 0, 16);
	memcpy(cmid, &n, sizeof(n));
	cmid[15] = 1;
}

static void
test_statuses(void **state)
{
	static const struct {
		uint32_t status;
		bool kept;
	} rows[] = {
		{ KMS_E_VM_REFUSED, true },
		{ KMS_E_CLONE, true },
		{ KMS_E_BINDING, true },
		{ KMS_E_CAPACITY, true },
		{ KMS_E_REVOKED, true },
		{ KMS_E_NOT_COVERED, true },
		{ KMS_E_UNKNOWN_PRODUCT, true },
		{ KMS_E_TIME_SKEW, true },
		{ KMS_E_SEQUENCE, false },
		{ KMS_E_UNKNOWN_CLIENT, false },
		{ KMS_E_NOT_ENABLED, false },
		{ KMS_E_NOT_CONFIRMED, false },
		{ KMS_E_BAD_REQUEST, false },
	};
	struct refusals *r = refusals_new();
	uint8_t cmid[16];

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cmid_of(cmid, i);
		assert_int_equal(refusal_due(r, cmid, rows[i].status, NOW), rows[i].kept);
	}
	refusals_free(r);
}

static void
test_once_a_minute(void **state)
{
	struct refusals *r = refusals_new();
	uint8_t cmid[16], other[16];

	cmid_of(cmid, 1);
	cmid_of(other, 2);
	assert_true(refusal_due(r, cmid, KMS_E_CLONE, NOW + 30));
	assert_false(refusal_due(r, cmid, KMS_E_CLONE, NOW + 30));
	assert_false(refusal_due(r, cmid, KMS_E_REVOKED, NOW + 30 + REFUSAL_SECONDS - 1));
	assert_true(refusal_due(r, other, KMS_E_CLONE, NOW + 30));
	assert_true(refusal_due(r, cmid, KMS_E_CLONE, NOW + 30 + REFUSAL_SECONDS));
	/* A clock that was set back does not silence a client for ever. */
	assert_true(refusal_due(r, cmid, KMS_E_CLONE, NOW - 86400));
	refusals_free(r);
}

static void
test_all_together(void **state)
{
	struct refusals *r = refusals_new();
	uint8_t cmid[16];
	unsigned kept = 0;

	for (uint32_t i = 0; i < 5 * REFUSAL_MINUTE_MAX; i++) {
		cmid_of(cmid, i);
		kept += refusal_due(r, cmid, KMS_E_UNKNOWN_PRODUCT, NOW + 59);
	}
	assert_int_equal(kept, REFUSAL_MINUTE_MAX);
	cmid_of(cmid, 5 * REFUSAL_MINUTE_MAX);
	assert_true(refusal_due(r, cmid, KMS_E_UNKNOWN_PRODUCT, NOW + 60));
	refusals_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_once_a_minute),
		cmocka_unit_test(test_all_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
