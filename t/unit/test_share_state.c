/*
 * test_share_state.c - the states of a host of a share: what it is told and when, and what it may
 * do then.
 */
#include "kmsd/activate/share/share_state.h"
#include "libkms/kms_error.h"
#include "t/unit/core_test.h"

#define CLUSTER 0x1234

/* A host with ten batches on disk, which etcd has, too; at 1 s. */
static struct share_state
begun(void)
{
	struct share_state s;

	share_state_init(&s, 10, 0);
	share_state_up(&s, CLUSTER, 1000);
	share_state_place(&s, SHARE_PLACE_SAME, 10, 1000);
	return s;
}

static struct share_state
together(void)
{
	struct share_state s = begun();

	share_state_started(&s, 11, 1000);
	share_state_stored(&s, 11, 1000);
	share_state_joined(&s, 1000);
	assert_int_equal(s.status, SHARE_TOGETHER);
	return s;
}

/* What may be done in a state. */
static void
may(const struct share_state *s, bool signs, bool serves, bool waits)
{
	assert_int_equal(share_state_signs(s), signs);
	assert_int_equal(share_state_serves(s), serves);
	assert_int_equal(share_state_waits(s, s->own), waits);
}

static void
test_start(void **ignored)
{
	struct share_state s;

	share_state_init(&s, 10, 0);
	assert_int_equal(s.status, SHARE_WAITING);
	may(&s, false, false, true);
	assert_false(share_state_asks_place(&s));
	share_state_tick(&s, 3600 * 1000);
	assert_int_equal(s.status, SHARE_WAITING);
	share_state_up(&s, CLUSTER, 1000);
	assert_true(share_state_asks_place(&s));
	assert_false(share_state_starts(&s));
	share_state_place(&s, SHARE_PLACE_SAME, 8, 1000);
	assert_false(share_state_asks_place(&s));
	/* Two batches are missing there: they come before START. */
	assert_true(share_state_stores(&s));
	assert_false(share_state_starts(&s));
	share_state_stored(&s, 10, 1100);
	assert_false(share_state_stores(&s));
	assert_true(share_state_starts(&s));
	may(&s, false, false, false);
	share_state_started(&s, 11, 1200);
	assert_false(share_state_starts(&s));
	may(&s, true, false, true);
	assert_int_equal(s.status, SHARE_WAITING);
	share_state_stored(&s, 11, 1300);
	assert_int_equal(s.status, SHARE_JOINING);
	may(&s, true, false, false);
	share_state_joined(&s, 1400);
	assert_int_equal(s.status, SHARE_TOGETHER);
	may(&s, true, true, false);
}

/* A new host, or a new cluster: what was there before is not asked for. */
static void
test_free_place(void **ignored)
{
	struct share_state s;

	share_state_init(&s, 10, 0);
	share_state_up(&s, CLUSTER, 0);
	share_state_place(&s, SHARE_PLACE_FREE, 10, 0);
	assert_true(share_state_starts(&s));
	share_state_init(&s, 0, 0);
	share_state_up(&s, CLUSTER, 0);
	share_state_place(&s, SHARE_PLACE_FREE, 0, 0);
	assert_true(share_state_starts(&s));
}

static void
test_stopped(void **ignored)
{
	static const enum share_place found[] = { SHARE_PLACE_AHEAD, SHARE_PLACE_OTHER };

	for (size_t i = 0; i < 2; i++) {
		struct share_state s;

		share_state_init(&s, 10, 0);
		share_state_up(&s, CLUSTER, 0);
		share_state_place(&s, found[i], 0, 0);
		assert_int_equal(s.status, SHARE_STOPPED);
		may(&s, false, false, true);
		s = together();
		share_state_committed(&s, 12, 2000);
		share_state_place(&s, found[i], 0, 2100);
		assert_int_equal(s.status, SHARE_STOPPED);
		may(&s, false, false, true);
		/* It stays so, whatever comes. */
		share_state_stored(&s, 12, 2200);
		share_state_up(&s, CLUSTER + 1, 2200);
		share_state_tick(&s, 9000);
		assert_int_equal(s.status, SHARE_STOPPED);
		assert_false(
		    share_state_asks_place(&s) || share_state_stores(&s) || share_state_starts(&s));
		assert_int_equal(share_state_alone(&s, 9000), KMS_E_EXISTS);
	}
}

static void
test_patience(void **ignored)
{
	struct share_state s = together();

	share_state_committed(&s, 12, 5000);
	may(&s, true, true, true);
	assert_false(share_state_waits(&s, 11));
	share_state_tick(&s, 5000 + SHARE_PATIENCE - 1);
	assert_int_equal(s.status, SHARE_TOGETHER);
	/* A later batch does not begin the time anew. */
	share_state_committed(&s, 13, 6900);
	share_state_tick(&s, 5000 + SHARE_PATIENCE);
	assert_int_equal(s.status, SHARE_ALONE);
	assert_int_equal(s.since, 5000 + SHARE_PATIENCE);
	may(&s, true, true, false);
	/* It goes on, and stores what it wrote when it can. */
	share_state_committed(&s, 14, 8000);
	assert_true(share_state_stores(&s));
	share_state_stored(&s, 13, 8100);
	assert_int_equal(s.status, SHARE_ALONE);
	share_state_stored(&s, 14, 8200);
	assert_int_equal(s.status, SHARE_TOGETHER);
}

/* Each answer begins the time anew: a busy host is not alone because there is always a next one. */
static void
test_busy(void **ignored)
{
	struct share_state s = together();

	for (int64_t now = 2000, batch = 12; batch < 100; batch++, now += SHARE_PATIENCE - 1) {
		share_state_committed(&s, (uint64_t)batch, now);
		if (batch > 12)
			share_state_stored(&s, (uint64_t)batch - 1, now);
		share_state_tick(&s, now);
		assert_int_equal(s.status, SHARE_TOGETHER);
	}
}

static void
test_link(void **ignored)
{
	struct share_state s = together();

	share_state_down(&s, 5000);
	share_state_down(&s, 6000);
	share_state_tick(&s, 5000 + SHARE_SILENCE - 1);
	assert_int_equal(s.status, SHARE_TOGETHER);
	share_state_tick(&s, 5000 + SHARE_SILENCE);
	assert_int_equal(s.status, SHARE_ALONE);
	assert_false(share_state_stores(&s));
	share_state_committed(&s, 12, 8000);
	share_state_up(&s, CLUSTER, 9000);
	assert_int_equal(s.status, SHARE_ALONE);
	assert_true(share_state_stores(&s));
	share_state_stored(&s, 12, 9100);
	assert_int_equal(s.status, SHARE_TOGETHER);
	/* A kmsd-share that is started anew is no reason. */
	share_state_down(&s, 10000);
	share_state_up(&s, CLUSTER, 10500);
	share_state_tick(&s, 20000);
	assert_int_equal(s.status, SHARE_TOGETHER);
}

/* What is in another cluster is not what was in this one. */
static void
test_cluster(void **ignored)
{
	struct share_state s = together();

	share_state_committed(&s, 12, 2000);
	share_state_up(&s, CLUSTER + 1, 2100);
	assert_true(s.cluster_changed);
	assert_true(share_state_asks_place(&s));
	assert_false(share_state_stores(&s));
	share_state_place(&s, SHARE_PLACE_SAME, 5, 2200);
	assert_true(share_state_waits(&s, 6));
	assert_true(share_state_stores(&s));
	share_state_place(&s, SHARE_PLACE_JUNK, 0, 2300);
	assert_true(share_state_asks_place(&s));
	assert_false(share_state_stores(&s));
	share_state_tick(&s, 2100 + SHARE_PATIENCE);
	assert_int_equal(s.status, SHARE_ALONE);
	/* From the one in which the ledger of this host went on. */
	share_state_place(&s, SHARE_PLACE_FREE, 12, 5000);
	assert_int_equal(s.status, SHARE_TOGETHER);
}

static void
test_administrator(void **ignored)
{
	struct share_state s;

	share_state_init(&s, 10, 0);
	assert_int_equal(share_state_alone(&s, 1000), KMS_OK);
	assert_int_equal(s.status, SHARE_ALONE);
	may(&s, false, false, false);
	assert_true(share_state_starts(&s));
	share_state_started(&s, 11, 1000);
	may(&s, true, true, false);
	assert_int_equal(share_state_alone(&s, 2000), KMS_E_EXISTS);
	/* The engine comes: the place is compared before anything is stored. */
	share_state_up(&s, CLUSTER, 3000);
	assert_int_equal(s.status, SHARE_ALONE);
	assert_false(share_state_stores(&s));
	share_state_place(&s, SHARE_PLACE_SAME, 10, 3000);
	assert_true(share_state_stores(&s));
	share_state_stored(&s, 11, 3100);
	/* It was never heard by the others in this run. */
	assert_int_equal(s.status, SHARE_JOINING);
	s = together();
	assert_int_equal(share_state_alone(&s, 2000), KMS_E_EXISTS);
}

/* With a certificate that it did not have, it may have members that do not know it. */
static void
test_rejoin(void **ignored)
{
	struct share_state s = together();

	share_state_rejoin(&s, 2000);
	assert_int_equal(s.status, SHARE_JOINING);
	may(&s, true, false, false);
	/* What it writes there is stored, and nobody is alone who never was a member. */
	share_state_committed(&s, 12, 3000);
	assert_true(share_state_stores(&s));
	share_state_tick(&s, 3000 + SHARE_PATIENCE);
	assert_int_equal(s.status, SHARE_JOINING);
	share_state_joined(&s, 9000);
	assert_int_equal(s.status, SHARE_TOGETHER);
	share_state_tick(&s, 9000 + SHARE_PATIENCE);
	assert_int_equal(s.status, SHARE_ALONE);
	/* Alone, it goes on, and joins when it comes back. */
	share_state_rejoin(&s, 12000);
	assert_int_equal(s.status, SHARE_ALONE);
	share_state_stored(&s, 12, 13000);
	assert_int_equal(s.status, SHARE_JOINING);
	share_state_rejoin(&s, 14000);
	assert_int_equal(s.status, SHARE_JOINING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_free_place),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_cluster),
		cmocka_unit_test(test_administrator),
		cmocka_unit_test(test_rejoin),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
