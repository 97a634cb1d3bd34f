/*
 * test_keep_names.c - when names are erased by [ledger] keep_names, and for how long a forgotten
 * client is known.
 */
#include "kmsd/activate/activate.h"
#include "kmsdb/row.h"
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

/*
 * A client whose clock is ahead as far as may be asked at 0, and was forgotten. For as long as what
 * it sent is accepted, its row is there to meet it.
 */
static void
test_forgotten(void **state)
{
	const uint64_t asked = 1000 * DAY;
	const struct policy_product product = { .threshold = 1, .validity = 1440 };
	const struct policy_host host = {
		.installed = true, .confirmed = true, .covered = true, .not_after = UINT64_MAX
	};
	const struct policy_counters none = { 0 };
	const struct policy_client unknown = { 0 };
	const struct message_request request = {
		.operation = MESSAGE_ACTIVATE, .sequence = 1, .time = asked + POLICY_SKEW
	};
	static struct policy_pack pack = { .pool_count = 1 };
	struct policy_decision d = { 0 };
	const struct kmsdb_client forgotten = {
		.kind = ENTRY_FORGET, .flags = KMSDB_FORGOTTEN, .last_seen = asked
	};
	/* Its seat was given back at once: nothing but what it asked last keeps the row. */
	const struct kmsdb_client stateless = {
		.kind = ENTRY_RELEASE, .flags = KMSDB_STATELESS | KMSDB_RELEASED, .last_seen = asked
	};
	uint64_t now = asked;

	for (;; now++) {
		struct index_floors floors = { .forgotten = now - ACTIVATE_FORGOTTEN };

		policy_decide(&d, &pack, &product, &host, &none, &unknown, &request, now);
		if (d.status == KMS_E_TIME_SKEW)
			break;
		assert_false(row_expired(&forgotten, &floors));
		assert_false(row_expired(&stateless, &floors));
	}
	assert_int_equal(now, asked + 2 * POLICY_SKEW + 1);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_forgotten),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("keep_names", tests, NULL, NULL);
}
