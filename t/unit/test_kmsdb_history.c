/*
 * test_kmsdb_history.c - what the ledger says of its own history: headers that clients brought,
 * restores, clocks that went back, and what was installed; live, undone, replayed and rebuilt.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/core/entry_blobs.h"
#include "t/unit/ledger_fixture.h"

/* The hash that a WITNESS of these has. */
static void
hash_of(const struct fixture *f, uint8_t hash[32], uint32_t client, uint64_t number, uint64_t time)
{
	uint8_t header[BATCH_HEADER];

	fixture_header(f, header, client, number, time);
	batch_header_hash(hash, header);
}

static void
put(struct fixture *f, int kind, uint32_t client, uint64_t number, uint64_t value, uint64_t time)
{
	fixture_stage(f,
	    &(struct fixture_entry){
		.kind = kind, .client = client, .sequence = number, .value = value, .time = time });
}

static int
look(struct fixture *f, uint32_t client, uint64_t number, uint64_t time, struct kmsdb_witness *w)
{
	uint8_t hash[32];

	hash_of(f, hash, client, number, time);
	return kmsdb_witness_get(f->db, number, hash, w);
}

static enum history_grade
grade(struct fixture *f, uint32_t client, uint64_t number, uint64_t time)
{
	struct kmsdb_witness w;
	enum history_grade g;

	assert_int_equal(look(f, client, number, time, &w), KMS_OK);
	assert_int_equal(kmsdb_grade(f->db, &w, &g), KMS_OK);
	return g;
}

/* Batch 1 to 3 are leases; the rest as the tests make it. */
static void
begin(struct fixture *f)
{
	fixture_make(f, NULL);
	fixture_open(f);
	for (uint32_t i = 1; i <= 3; i++)
		fixture_leases(f, i, 1, 1, FIXTURE_NOW + i);
}

static void
test_batch_hash(void **state)
{
	struct fixture f;
	struct kmsdb_info info;
	uint8_t hash[KMSDB_HASH], other[KMSDB_HASH];

	(void)state;
	begin(&f);
	kmsdb_info(f.db, &info);
	assert_int_equal(kmsdb_batch_hash(f.db, 3, hash), KMS_OK);
	assert_memory_equal(hash, info.last_hash, sizeof(hash));
	assert_int_equal(kmsdb_batch_hash(f.db, 0, hash), KMS_E_NOT_FOUND);
	assert_int_equal(kmsdb_batch_hash(f.db, 4, hash), KMS_E_NOT_FOUND);
	fixture_stage(
	    &f, &(struct fixture_entry){
		    .kind = ENTRY_LEASE, .product = 1, .sequence = 1, .time = FIXTURE_NOW });
	assert_int_equal(kmsdb_batch_hash(f.db, 4, hash), KMS_E_NOT_FOUND);
	assert_int_equal(kmsdb_batch_hash(f.db, 2, hash), KMS_OK);
	assert_int_equal(kmsdb_last_time(f.db), FIXTURE_NOW + 3);
	fixture_commit(&f);
	assert_int_equal(kmsdb_last_time(f.db), FIXTURE_NOW);
	fixture_close(&f);
	fixture_open(&f);
	assert_int_equal(kmsdb_batch_hash(f.db, 2, other), KMS_OK);
	assert_memory_equal(hash, other, sizeof(hash));
	assert_int_equal(kmsdb_last_time(f.db), FIXTURE_NOW);
	fixture_remove(&f);
}

static void
test_witness(void **state)
{
	struct fixture f;
	struct kmsdb_witness w;

	(void)state;
	begin(&f);
	assert_int_equal(look(&f, 1, 9, 7000, &w), KMS_E_NOT_FOUND);
	put(&f, ENTRY_WITNESS, 1, 9, 7000, FIXTURE_NOW + 10);
	assert_int_equal(look(&f, 1, 9, 7000, &w), KMS_OK); /* staged already */
	f.sign_fails = KMS_E_IO;
	assert_int_equal(fixture_try_commit(&f), KMS_E_IO);
	assert_int_equal(look(&f, 1, 9, 7000, &w), KMS_E_NOT_FOUND);
	put(&f, ENTRY_WITNESS, 1, 9, 7000, FIXTURE_NOW + 10);
	fixture_commit(&f);
	/* Of the same header again, the first counts. */
	put(&f, ENTRY_WITNESS, 1, 9, 7000, FIXTURE_NOW + 20);
	fixture_commit(&f);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(look(&f, 1, 9, 7000, &w), KMS_OK);
		assert_int_equal(w.number, 9);
		assert_int_equal(w.batch, 4);
		assert_int_equal(w.time, 7000);
		assert_int_equal(w.told, FIXTURE_NOW + 10);
		assert_int_equal(look(&f, 2, 9, 7000, &w), KMS_E_NOT_FOUND);
		if (round == 0)
			assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
		fixture_close(&f);
		if (round == 1)
			fixture_drop_index(&f);
		fixture_open(&f);
	}
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_remove(&f);
}

/* The grade of a header follows from the chain as it is now. */
static void
test_grade(void **state)
{
	struct fixture f;
	struct kmsdb_history h;
	uint64_t restored = FIXTURE_NOW + 100;

	(void)state;
	begin(&f);
	put(&f, ENTRY_WITNESS, 1, 7, 7000, FIXTURE_NOW + 10);
	put(&f, ENTRY_WITNESS, 2, 2, 7000, FIXTURE_NOW + 10);
	fixture_commit(&f); /* batch 4 */
	assert_int_equal(grade(&f, 1, 7, 7000), HISTORY_UNEXPLAINED);
	assert_int_equal(grade(&f, 2, 2, 7000), HISTORY_CONTRADICTION);
	/* One that does not name the batch before it explains nothing. */
	put(&f, ENTRY_RESTORED, 0, 3, FIXTURE_NOW, restored);
	fixture_commit(&f); /* 5 */
	assert_int_equal(grade(&f, 1, 7, 7000), HISTORY_UNEXPLAINED);
	put(&f, ENTRY_RESTORED, 0, 5, FIXTURE_NOW, restored);
	assert_int_equal(grade(&f, 1, 7, 7000), HISTORY_NOTE); /* staged */
	f.sign_fails = KMS_E_IO;
	assert_int_equal(fixture_try_commit(&f), KMS_E_IO);
	assert_int_equal(grade(&f, 1, 7, 7000), HISTORY_UNEXPLAINED);
	put(&f, ENTRY_RESTORED, 0, 5, FIXTURE_NOW, restored);
	fixture_commit(&f);                    /* 6 */
	fixture_leases(&f, 1, 1, 2, restored); /* 7: the chain has that number now */
	put(&f, ENTRY_WITNESS, 3, 7, restored + 1, restored + 2);
	fixture_commit(&f);
	assert_int_equal(grade(&f, 1, 7, 7000), HISTORY_NOTE);
	assert_int_equal(grade(&f, 2, 2, 7000), HISTORY_CONTRADICTION);
	assert_int_equal(grade(&f, 3, 7, restored + 1), HISTORY_CONTRADICTION);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(kmsdb_history(f.db, &h), KMS_OK);
		assert_int_equal(h.grades[HISTORY_NOTE], 1);
		assert_int_equal(h.grades[HISTORY_UNEXPLAINED], 0);
		assert_int_equal(h.grades[HISTORY_CONTRADICTION], 2);
		assert_int_equal(h.newest[HISTORY_CONTRADICTION], restored + 2);
		assert_int_equal(h.restores, 2);
		assert_int_equal(h.last_restored.number, 5);
		assert_int_equal(h.last_restored.time, restored);
		assert_int_equal(h.last_restored.batch, 6);
		assert_int_equal(h.last_restored.cause, RESTORED_BACKUP);
		assert_int_equal(h.clock, 0);
		assert_false(h.more);
		fixture_close(&f);
		fixture_open(&f);
	}
	fixture_remove(&f);
}

/* Some in the index, some that wait: each is counted once, and no more than the limit. */
static void
test_many(void **state)
{
	struct fixture f;
	struct kmsdb_history h;

	(void)state;
	begin(&f);
	for (uint32_t i = 0; i < KMSDB_HISTORY_MAX + 500; i++) {
		put(&f, ENTRY_WITNESS, i, 1000 + i, 7000, FIXTURE_NOW);
		if (i % 1000 == 999)
			fixture_commit(&f);
		if (i == 5000) {
			assert_int_equal(kmsdb_history(f.db, &h), KMS_OK);
			assert_int_equal(h.grades[HISTORY_UNEXPLAINED], 5001);
			assert_false(h.more);
		}
	}
	fixture_commit(&f);
	assert_int_equal(kmsdb_history(f.db, &h), KMS_OK);
	assert_int_equal(h.grades[HISTORY_UNEXPLAINED], KMSDB_HISTORY_MAX);
	assert_true(h.more);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_remove(&f);
}

static void
test_clock(void **state)
{
	struct fixture f;
	struct kmsdb_history h;

	(void)state;
	begin(&f);
	put(&f, ENTRY_CLOCK, 0, FIXTURE_NOW, 100, FIXTURE_NOW - 100);
	f.sign_fails = KMS_E_IO;
	assert_int_equal(fixture_try_commit(&f), KMS_E_IO);
	assert_int_equal(kmsdb_history(f.db, &h), KMS_OK);
	assert_int_equal(h.clock, 0);
	put(&f, ENTRY_CLOCK, 0, FIXTURE_NOW, 100, FIXTURE_NOW - 100);
	fixture_commit(&f);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(kmsdb_history(f.db, &h), KMS_OK);
		assert_int_equal(h.clock, FIXTURE_NOW - 100);
		fixture_close(&f);
		if (round == 1)
			fixture_drop_index(&f);
		fixture_open(&f);
	}
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_remove(&f);
}

static void
test_installed(void **state)
{
	struct fixture f;
	uint8_t certificate[32], key[32] = { 0 }, none[32] = { 3 };
	uint32_t client = 5;

	(void)state;
	begin(&f);
	crypto_hash_sha256(certificate, (const uint8_t *)&client, sizeof(client));
	fixture_cmid(key, 6);
	assert_int_equal(kmsdb_installed(f.db, certificate), KMS_E_NOT_FOUND);
	put(&f, ENTRY_CERTIFICATE, client, 0, 0, FIXTURE_NOW);
	put(&f, ENTRY_KEY, 6, 0, 0, FIXTURE_NOW);
	fixture_commit(&f);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(kmsdb_installed(f.db, certificate), KMS_OK);
		assert_int_equal(kmsdb_installed(f.db, key), KMS_OK);
		assert_int_equal(kmsdb_installed(f.db, none), KMS_E_NOT_FOUND);
		fixture_close(&f);
		if (round == 1)
			fixture_drop_index(&f);
		fixture_open(&f);
	}
	fixture_remove(&f);
}

/* A WITNESS of something that is no header: the host wrote nonsense, and the index has nothing. */
static void
test_no_header(void **state)
{
	struct fixture f;
	struct fixture_item item;
	struct kmsdb_history h;
	uint32_t leaf;

	(void)state;
	begin(&f);
	fixture_encode(&f, &item,
	    &(struct fixture_entry){
		.kind = ENTRY_WITNESS, .client = 1, .sequence = 6, .time = FIXTURE_NOW });
	item.entry[66 + 4 + 2] ^= 1; /* the first byte of the blob, behind a text of four */
	assert_int_equal(kmsdb_stage(f.db, &item.item, &leaf), KMS_OK);
	fixture_commit(&f);
	assert_int_equal(kmsdb_history(f.db, &h), KMS_OK);
	assert_int_equal(h.grades[HISTORY_UNEXPLAINED], 0);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_remove(&f);
}

/* What kmsctl leaves for kmsd. */
static void
test_told(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_false(kmsdb_restored_told(f.dirfd));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kmsdb_restored_tell(f.dirfd), KMS_OK);
		assert_true(kmsdb_restored_told(f.dirfd));
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kmsdb_restored_forget(f.dirfd), KMS_OK);
		assert_false(kmsdb_restored_told(f.dirfd));
	}
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch_hash),
		cmocka_unit_test(test_witness),
		cmocka_unit_test(test_grade),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_installed),
		cmocka_unit_test(test_no_header),
		cmocka_unit_test(test_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kmsdb history", tests, NULL, NULL);
}
