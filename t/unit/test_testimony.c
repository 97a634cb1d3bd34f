/*
 * test_testimony.c - what a client says of this host's history: only a header that this
 * host's key signed, and that the chain lacks, is recorded, and once.
 */
#include "kmsd/activate/testimony.h"
#include "t/unit/activate_world.h"

struct said {
	uint8_t claim[MESSAGE_WITNESS_SIZE];
	uint8_t header[MESSAGE_HEADER_SIZE];
	struct testimony w;
};

static const uint8_t cmid[16] = { 5 }, address[16] = { [10] = 0xff, 0xff, 192, 0, 2, 7 };

static void
claims(struct said *s, bool shows)
{
	memcpy(s->claim, s->header + 24, 8);
	batch_header_hash(s->claim + 8, s->header);
	s->w = (struct testimony){ .cmid = cmid,
		.address = address,
		.name = "pc",
		.claim = s->claim,
		.header = shows ? s->header : NULL };
}

/* A header of this host, signed by it, that its chain does not have. */
static void
lost(struct world *w, struct said *s, uint64_t number)
{
	struct batch_header h = { .number = number, .size = 3, .time = 1700000000 };

	memcpy(h.host_id, host_identity_id(w->a.key), 16);
	h.previous[0] = number > 1;
	batch_header_encode(s->header, &h);
	assert_int_equal(
	    host_identity_batch(s->header + BATCH_HEADER, s->header, w->a.key), KMS_OK);
	claims(s, true);
}

static size_t
staged(struct world *w)
{
	return kmsdb_staged(w->a.db);
}

static int
begin(void **state)
{
	struct world *w;

	world_make(state);
	w = *state;
	activate_clock(&w->a);
	for (int i = 0; i < 4; i++)
		assert_int_equal(world_entry(w, w->a.now), KMS_OK);
	return 0;
}

static void
test_own(void **state)
{
	struct world *w = *state;
	struct world_batch b;
	struct said s;

	world_last(w, &b);
	memcpy(s.header, b.octets, sizeof(s.header));
	for (int shows = 0; shows < 2; shows++) {
		claims(&s, shows);
		assert_int_equal(testimony_take(&w->a, &s.w), 0);
	}
	assert_int_equal(staged(w), 0);
}

static void
test_lost(void **state)
{
	struct world *w = *state;
	struct world_batch b;
	struct entry_admin e;
	struct said s;

	lost(w, &s, 9);
	s.w.header = NULL;
	assert_int_equal(testimony_take(&w->a, &s.w), 9);
	assert_int_equal(staged(w), 0);
	s.w.header = s.header;
	assert_int_equal(testimony_take(&w->a, &s.w), 0);
	assert_int_equal(staged(w), 1);
	assert_int_equal(testimony_take(&w->a, &s.w), 0); /* in the same batch */
	assert_int_equal(staged(w), 1);
	assert_int_equal(pending_commit(&w->a), KMS_OK);
	world_last(w, &b);
	assert_int_equal(entry_admin_decode(&e, b.first, b.first_len), KMS_OK);
	assert_int_equal(e.kind, ENTRY_WITNESS);
	assert_memory_equal(e.subject, cmid, 16);
	assert_memory_equal(e.digest, s.claim + 8, 32);
	assert_memory_equal(e.blob, s.header, MESSAGE_HEADER_SIZE);
	for (int shows = 0; shows < 2; shows++) {
		claims(&s, shows);
		assert_int_equal(testimony_take(&w->a, &s.w), 0);
	}
	assert_int_equal(staged(w), 0);
	/* Of a number that the chain has. */
	lost(w, &s, 2);
	assert_int_equal(testimony_take(&w->a, &s.w), 0);
	assert_int_equal(staged(w), 1);
}

/* One octet anywhere: nothing is written, and the host does not ask for it again. */
static void
test_forged(void **state)
{
	struct world *w = *state;
	uint8_t other_pk[32], other_sk[64];
	struct said s;

	for (size_t i = 0; i < MESSAGE_HEADER_SIZE; i++) {
		w->a.budget.witnesses = (struct bucket){ 0 };
		buckets_init(&w->a.budget.witness_sources, 1);
		buckets_init(&w->a.budget.witness_clients, 1);
		lost(w, &s, 9);
		s.header[i] ^= 1;
		claims(&s, true);
		assert_int_equal(testimony_take(&w->a, &s.w), 0);
	}
	buckets_init(&w->a.budget.witness_clients, 1);
	crypto_sign_keypair(other_pk, other_sk);
	lost(w, &s, 9);
	crypto_sign_detached(s.header + BATCH_HEADER, NULL, s.header, BATCH_HEADER, other_sk);
	assert_int_equal(testimony_take(&w->a, &s.w), 0);
	/* Another hash, or another number, than it shows. */
	for (int i = 0; i < MESSAGE_WITNESS_SIZE; i++) {
		lost(w, &s, 9);
		s.claim[i] ^= 2;
		assert_int_equal(testimony_take(&w->a, &s.w), 0);
	}
	memset(s.claim, 0, 8);
	assert_int_equal(testimony_take(&w->a, &s.w), 0);
	assert_int_equal(staged(w), 0);
}

/* More than are looked at in a second: they are asked for again, and none is lost. */
static void
test_budget(void **state)
{
	struct world *w = *state;
	unsigned taken = 0, again = 0;
	uint8_t each[16] = { 0 };
	struct said s;

	for (uint64_t n = 100; n < 150; n++) {
		lost(w, &s, n);
		memcpy(each, &n, sizeof(n));
		s.w.cmid = each;
		if (testimony_take(&w->a, &s.w) == n)
			again++;
		else
			taken++;
	}
	assert_int_equal(taken, BUDGET_WITNESS_SOURCE);
	assert_int_equal(again, 50 - BUDGET_WITNESS_SOURCE);
	assert_int_equal(staged(w), taken);
	w->a.now += 100;
	lost(w, &s, 149);
	assert_int_equal(testimony_take(&w->a, &s.w), 0);
	assert_int_equal(staged(w), taken + 1);
}

static void
test_last(void **state)
{
	struct kmsdb_client row = { .batch = 0x0102030405060708, .header = { 1, 2, 3 } };
	uint8_t claim[MESSAGE_WITNESS_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3 };

	assert_true(testimony_is_last(claim, &row));
	claim[7]++;
	assert_false(testimony_is_last(claim, &row));
	claim[7]--;
	claim[15]++;
	assert_false(testimony_is_last(claim, &row));
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own, begin, world_remove),
		cmocka_unit_test_setup_teardown(test_lost, begin, world_remove),
		cmocka_unit_test_setup_teardown(test_forged, begin, world_remove),
		cmocka_unit_test_setup_teardown(test_budget, begin, world_remove),
		cmocka_unit_test(test_last),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("witness", tests, NULL, NULL);
}
