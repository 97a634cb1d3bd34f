/*
 * test_told.c - what a host may make a client keep: one row a limit, one a boundary of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libkms/client/told.h"
#include "libkms/kms_error.h"

#define END (UINT64_C(1) << 62)
#define LEAP (UINT64_C(1) << 32)
#define DAY 86400u
#define T 1700000000u

static void
test_sequence(void **arg)
{
	static const struct {
		uint64_t highest, used;
		int rc;
	} rows[] = {
		{ 7, 7, KMS_OK },
		{ 6, 7, KMS_E_FORMAT },
		{ 7 + LEAP, 7, KMS_OK },
		{ 8 + LEAP, 7, KMS_E_FORMAT },
		{ END - 1, END - 2, KMS_OK },
		{ END, END - 1, KMS_E_FORMAT },
		{ UINT64_MAX, 7, KMS_E_FORMAT },
		{ UINT64_MAX, UINT64_MAX, KMS_E_FORMAT },
		{ 0, 1, KMS_E_FORMAT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (told_sequence(rows[i].highest, rows[i].used) != rows[i].rc)
			fail_msg("row %zu", i);
}

static void
test_waits(void **arg)
{
	static const struct {
		uint32_t told, before, interval, retry;
	} rows[] = {
		{ 0, 0, 0, 0 }, { 0, 120, 120, 0 }, { 1, 120, 1, 1 }, { 43200, 120, 43200, 43200 },
		{ 43201, 120, 43200, 43201 }, { 86400, 1, 43200, 86400 },
		{ 86401, 1, 43200, 86400 },
		{ 1u << 30, 1, 43200, 86400 }, /* 0 when it is counted in seconds of 32 bits */
		{ UINT32_MAX, 1, 43200, 86400 },
		{ 0, UINT32_MAX, 43200, 0 }, /* kept by an earlier version */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (told_interval(rows[i].told, rows[i].before) != rows[i].interval ||
		    told_retry(rows[i].told) != rows[i].retry)
			fail_msg("row %zu", i);
}

static void
test_status(void **arg)
{
	assert_int_equal(told_status(KMS_OK), KMS_OK);
	assert_int_equal(told_status(KMS_E_ALONE), KMS_OK);
	assert_int_equal(told_status(KMS_E_LOCAL - 1), KMS_OK); /* of a later version */
	assert_int_equal(told_status(KMS_E_LOCAL), KMS_E_FORMAT);
	assert_int_equal(told_status(KMS_E_STATE), KMS_E_FORMAT);
	assert_int_equal(told_status(UINT32_MAX), KMS_E_FORMAT);
}

static void
test_lease(void **arg)
{
	static const struct {
		uint64_t time, renew_after, expires;
		int rc;
	} rows[] = {
		{ T, T + DAY, T + 2 * DAY, KMS_OK },
		{ T, 0, T + 1, KMS_OK },
		{ T, T + 366 * DAY, T + 3660 * (uint64_t)DAY, KMS_OK },
		{ T, T + 366 * DAY + 1, T + 400 * DAY, KMS_E_FORMAT },
		{ T, T + DAY, T + 3660 * (uint64_t)DAY + 1, KMS_E_FORMAT },
		{ T, T + DAY, UINT64_MAX, KMS_E_FORMAT },
		{ 1, UINT64_MAX, UINT64_MAX, KMS_E_FORMAT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct entry_client e = { .time = rows[i].time,
			.renew_after = rows[i].renew_after,
			.expires = rows[i].expires };

		if (told_lease(&e) != rows[i].rc)
			fail_msg("row %zu", i);
	}
}

static void
test_replaces(void **arg)
{
	static const struct {
		const char *what;
		uint64_t expires, stored;
		bool may;
	} rows[] = {
		{ "foreign, longer", T + 9 * DAY, T + 8 * DAY, true },
		{ "foreign, as long", T + 60, T + 60, true },
		{ "foreign, shorter, but a day", T + DAY, T + 9 * DAY, true },
		{ "foreign, shorter than a day", T + DAY - 1, T + 9 * DAY, false },
		{ "foreign, ends now", T, T + 9 * DAY, false },
		{ "foreign, past", T - 1, T + 9 * DAY, false },
		{ "the stored one has ended", T + 1, T, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (told_replaces(T, rows[i].expires, rows[i].stored) != rows[i].may)
			fail_msg("%s", rows[i].what);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_replaces),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
