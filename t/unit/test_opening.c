/*
 * test_opening.c - what a batch begins with: START until it is on disk, RESTORED before it, CLOCK
 * when the time went back.
 */
#include "libkms/base/wire.h"
#include "t/unit/activate_world.h"

#define NOW UINT64_C(1700000000)

static void
test_start(void **state)
{
	struct world *w = *state;
	struct world_batch b;

	assert_int_equal(activate_record_start(&w->a), KMS_OK);
	world_last(w, &b);
	assert_int_equal(b.header.number, 1);
	assert_int_equal(b.count, 1);
	assert_int_equal(b.kinds[0], ENTRY_START);
	assert_false(w->a.opening.due);
	assert_int_equal(world_entry(w, w->a.now), KMS_OK);
	world_last(w, &b);
	assert_int_equal(b.count, 1);
	assert_int_equal(b.kinds[0], ENTRY_POLICY);
}

/* A START that could not be written is the beginning of the first batch that can. */
static void
test_start_late(void **state)
{
	struct world *w = *state;
	static const uint8_t passphrase[] = "correct horse";
	struct world_batch b;

	assert_int_equal(host_identity_seal(w->a.key, w->a.state_dir, IDENTITY_PASSPHRASE,
			     passphrase, sizeof(passphrase), &w->a.secrets),
	    KMS_OK);
	world_close(w);
	world_open(w);
	assert_true(host_identity_locked(w->a.key));
	assert_int_equal(activate_record_start(&w->a), KMS_E_LOCKED);
	world_last(w, &b);
	assert_int_equal(b.header.number, 0);
	assert_true(w->a.opening.due);
	assert_int_equal(world_entry(w, w->a.now), KMS_E_LOCKED);
	assert_int_equal(host_identity_unlock(w->a.key, passphrase, sizeof(passphrase)), KMS_OK);
	assert_int_equal(world_entry(w, w->a.now), KMS_OK);
	world_last(w, &b);
	assert_int_equal(b.header.number, 1);
	assert_int_equal(b.count, 2);
	assert_int_equal(b.kinds[0], ENTRY_START);
	assert_int_equal(b.kinds[1], ENTRY_POLICY);
	assert_false(w->a.opening.due);
}

static void
test_clock(void **state)
{
	static const struct {
		uint64_t now;
		bool back;
	} rows[] = {
		{ NOW, false },
		{ NOW - OPENING_SKEW, false }, /* as much as may be */
		{ NOW, false },
		{ NOW - OPENING_SKEW - 1, true },
		{ NOW - OPENING_SKEW - 1, false },
		{ NOW + 1000000, false },
		{ NOW, true },
		{ 1000, true },
		{ NOW, false },
	};
	struct world *w = *state;
	uint64_t last = 0;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct entry_admin e;
		struct wire_reader r;
		struct world_batch b;

		assert_int_equal(world_entry(w, rows[i].now), KMS_OK);
		world_last(w, &b);
		assert_int_equal(b.header.time, rows[i].now);
		assert_int_equal(b.count, rows[i].back ? 2 : 1);
		assert_int_equal(b.kinds[b.count - 1], ENTRY_POLICY);
		if (rows[i].back) {
			assert_int_equal(entry_admin_decode(&e, b.first, b.first_len), KMS_OK);
			assert_int_equal(e.kind, ENTRY_CLOCK);
			wire_reader_init(&r, e.blob, e.blob_len);
			assert_int_equal(wire_get_u64(&r), last);
			assert_int_equal(wire_get_u64(&r), last - rows[i].now);
		}
		last = rows[i].now;
	}
}

/* The entry names the batch before it, and is written once. */
static void
test_restored(void **state)
{
	struct world *w = *state;
	struct world_batch left, b;
	struct entry_admin e;
	struct wire_reader r;
	uint8_t hash[32];

	activate_clock(&w->a);
	for (int i = 0; i < 3; i++)
		assert_int_equal(world_entry(w, w->a.now), KMS_OK);
	world_last(w, &left);
	assert_int_equal(kmsdb_restored_tell(w->a.state_dir), KMS_OK);
	assert_int_equal(activate_record_start(&w->a), KMS_OK);
	world_last(w, &b);
	assert_int_equal(b.count, 2);
	assert_int_equal(b.kinds[0], ENTRY_RESTORED);
	assert_int_equal(b.kinds[1], ENTRY_START);
	assert_int_equal(entry_admin_decode(&e, b.first, b.first_len), KMS_OK);
	batch_header_hash(hash, left.octets);
	assert_memory_equal(e.digest, hash, 32);
	wire_reader_init(&r, e.blob, e.blob_len);
	assert_int_equal(wire_get_u64(&r), left.header.number);
	assert_int_equal(wire_get_u64(&r), left.header.time);
	assert_int_equal(wire_get_u8(&r), RESTORED_BACKUP);
	assert_false(kmsdb_restored_told(w->a.state_dir));
	assert_int_equal(activate_record_start(&w->a), KMS_OK);
	world_last(w, &b);
	assert_int_equal(b.count, 1);
	assert_int_equal(b.kinds[0], ENTRY_START);
}

/* Without a batch there is a lost ledger only where something was installed before. */
static void
test_lost(void **state)
{
	static struct publisher p = { .key_count = 1 };
	struct world *w = *state;

	w->a.publishers = (struct publishers){ .list = &p, .count = 1 };
	opening_start(&w->a);
	assert_false(w->a.opening.lost); /* this host was made just now */
	w->a.new_identity = false;
	opening_start(&w->a);
	assert_true(w->a.opening.lost);
	w->a.last_batch = 1;
	opening_start(&w->a);
	assert_false(w->a.opening.lost);
	w->a.last_batch = 0;
	p.key_count = 0;
	opening_start(&w->a);
	assert_false(w->a.opening.lost);
	w->a.publishers = (struct publishers){ 0 };
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start, world_make, world_remove),
		cmocka_unit_test_setup_teardown(test_start_late, world_make, world_remove),
		cmocka_unit_test_setup_teardown(test_clock, world_make, world_remove),
		cmocka_unit_test_setup_teardown(test_restored, world_make, world_remove),
		cmocka_unit_test_setup_teardown(test_lost, world_make, world_remove),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("opening", tests, NULL, NULL);
}
