/*
 * test_holders.c - was another holder of the key served meanwhile? The row may be of this host's
 * chain, or of another one's, whose requests the client does not list here.
 */
#include "kmsd/activate/holders.h"
#include "t/unit/activate_world.h"

static const uint8_t ids[32] = { 1, [16] = 2 }, none[16];
static const uint8_t claim[MESSAGE_WITNESS_SIZE] = { [7] = 9 }; /* batch 9 of this host */

static const struct {
	const char *name;
	uint16_t chain;
	uint64_t batch;
	uint8_t id; /* first byte of the row's request id; 0: it was ended */
	bool says, witness;
	enum policy_after after;
} rows[] = {
	{ "says nothing", 0, 9, 1, false, true, POLICY_NOT_SAID },
	{ "the first that it says", 0, 9, 1, true, false, POLICY_KNOWN },
	{ "the last that it says", 0, 9, 2, true, false, POLICY_KNOWN },
	{ "another one", 0, 9, 3, true, false, POLICY_PASSED },
	{ "another one, of the batch of its lease", 0, 9, 3, true, true, POLICY_PASSED },
	{ "another one, of a ledger that was set back", 0, 8, 3, true, true, POLICY_KNOWN },
	{ "its seat was ended", 0, 9, 0, true, false, POLICY_NOT_SAID },
	{ "another host served it", 1, 9, 3, true, false, POLICY_NOT_SAID },
	{ "another host, in a batch of a lower number", 1, 8, 3, true, true, POLICY_NOT_SAID },
	{ "another host, with an id that was sent here, too", 1, 9, 2, true, false,
	    POLICY_NOT_SAID },
};

static void
test_after(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kmsdb_client row = { .kind = ENTRY_LEASE,
			.chain = rows[i].chain,
			.batch = rows[i].batch,
			.sequence = 4,
			.request_id = { rows[i].id } };
		struct message_request request = { .sequence = 5,
			.after = rows[i].says ? ids : NULL,
			.after_count = rows[i].says ? 2 : 0,
			.witness = rows[i].witness ? claim : NULL };
		struct policy_client client = { .known = true };

		assert_int_equal(holders_look(&w->a, &row, &request, NULL, &client), KMS_OK);
		if (client.after != rows[i].after)
			fail_msg("%s: %d", rows[i].name, (int)client.after);
	}
}

/* It says that it knows of none. */
static void
test_none(void **state)
{
	struct world *w = *state;
	struct kmsdb_client row = { .kind = ENTRY_LEASE, .sequence = 4, .request_id = { 3 } };
	struct message_request request = { .sequence = 5, .after = none, .after_count = 1 };
	struct policy_client client = { .known = true };

	assert_int_equal(holders_look(&w->a, &row, &request, NULL, &client), KMS_OK);
	assert_int_equal(client.after, POLICY_PASSED);
	row.chain = 2;
	assert_int_equal(holders_look(&w->a, &row, &request, NULL, &client), KMS_OK);
	assert_int_equal(client.after, POLICY_NOT_SAID);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_after, world_make, world_remove),
		cmocka_unit_test_setup_teardown(test_none, world_make, world_remove),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
