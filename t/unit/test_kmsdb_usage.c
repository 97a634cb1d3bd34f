/*
 * test_kmsdb_usage.c - the days of a pool: what each number counts, that a commit that fails and a
 * kill leave no trace in them, and that ten years are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsdb/index.h"
#include "kmsdb/usage.h"
#include "libkms/core/entry_counters.h"
#include "t/unit/ledger_fixture.h"

#define DAY UINT64_C(86400)

/* Rows as text, one a line: pool/day/status: peak end first renewals releases clients refusals. */
struct told {
	char text[8000];
	size_t len;
};

static int
tell(const struct kmsdb_usage *u, void *arg)
{
	struct told *t = arg;

	if (u->status != 0)
		t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len,
		    "%u/%d/%u: %llu\n", u->pool, (int)(u->day - FIXTURE_DAY), u->status,
		    (unsigned long long)u->refusals);
	else
		t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len,
		    "%u/%d: peak %u end %u first %llu renewals %llu releases %llu clients %llu\n",
		    u->pool, (int)(u->day - FIXTURE_DAY), u->peak, u->end,
		    (unsigned long long)u->first, (unsigned long long)u->renewals,
		    (unsigned long long)u->releases, (unsigned long long)u->clients);
	assert_true(t->len < sizeof(t->text));
	return 0;
}

static void
read_usage(struct fixture *f, uint64_t now, struct told *t)
{
	t->len = 0;
	t->text[0] = '\0';
	assert_int_equal(kmsdb_each_usage(f->db, NULL, now, tell, t), 0);
}

/* The same live, after a checkpoint, after a restart, and made anew. */
static void
is_usage(struct fixture *f, uint64_t now, const char *expected)
{
	struct told t;

	read_usage(f, now, &t);
	assert_string_equal(t.text, expected);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	read_usage(f, now, &t);
	assert_string_equal(t.text, expected);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
	fixture_open(f);
	read_usage(f, now, &t);
	assert_string_equal(t.text, expected);
	fixture_close(f);
	assert_int_equal(kmsdb_rebuild(f->dirfd, &f->opt, fixture_fault(f)), KMS_OK);
	fixture_open(f);
	read_usage(f, now, &t);
	assert_string_equal(t.text, expected);
}

static void
entry(
    struct fixture *f, int kind, uint32_t client, uint64_t sequence, uint32_t count, uint64_t time)
{
	struct fixture_entry e = { .kind = kind,
		.client = client,
		.product = 1,
		.pool = 1,
		.sequence = sequence,
		.count = count,
		.time = time };

	fixture_stage(f, &e);
}

static void
refusals(struct fixture *f, uint32_t status, uint64_t count, uint64_t time)
{
	struct fixture_entry e = {
		.kind = ENTRY_COUNTERS, .pool = 1, .status = status, .value = count, .time = time
	};

	fixture_stage(f, &e);
}

static void
test_numbers(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	fixture_open(&f);
	is_usage(&f, FIXTURE_NOW, "");
	/* Two come, one of them comes again and leaves; a refusal alone is no use of the pool. */
	entry(&f, ENTRY_LEASE, 1, 1, 7, FIXTURE_NOW);
	entry(&f, ENTRY_SEEN, 2, 1, 9, FIXTURE_NOW);
	entry(&f, ENTRY_LEASE, 1, 2, 8, FIXTURE_NOW + 60);
	entry(&f, ENTRY_REFUSAL, 3, 1, 99, FIXTURE_NOW + 60);
	fixture_commit(&f);
	entry(&f, ENTRY_RELEASE, 1, 3, 99, FIXTURE_NOW + 120);
	refusals(&f, KMS_E_CAPACITY, 5, FIXTURE_NOW + 120);
	refusals(&f, KMS_E_CAPACITY, 2, FIXTURE_NOW + 180);
	refusals(&f, KMS_E_VM_REFUSED, 1, FIXTURE_NOW + 180);
	fixture_commit(&f);
	is_usage(&f, FIXTURE_NOW + 200,
	    "1/0: peak 9 end 1 first 2 renewals 1 releases 1 clients 2\n"
	    "1/0/8: 1\n1/0/10: 7\n");
	/* After its release it takes a seat again; that is no new client of the day. */
	entry(&f, ENTRY_LEASE, 1, 4, 9, FIXTURE_NOW + 300);
	fixture_commit(&f);
	is_usage(&f, FIXTURE_NOW + 300,
	    "1/0: peak 9 end 2 first 3 renewals 1 releases 1 clients 2\n"
	    "1/0/8: 1\n1/0/10: 7\n");
	/* The next day it is one. */
	entry(&f, ENTRY_LEASE, 1, 5, 2, FIXTURE_NOW + DAY);
	fixture_commit(&f);
	is_usage(&f, FIXTURE_NOW + DAY,
	    "1/0: peak 9 end 2 first 3 renewals 1 releases 1 clients 2\n"
	    "1/0/8: 1\n1/0/10: 7\n"
	    "1/1: peak 2 end 2 first 0 renewals 1 releases 0 clients 1\n");
	fixture_remove(&f);
}

/* Days without entries, until the last seat has run out: seen on day 0, it counts up to day 30. */
static void
test_quiet_days(void **state)
{
	struct fixture_entry other = { .kind = ENTRY_LEASE,
		.client = 5,
		.product = 2,
		.pool = 2,
		.sequence = 1,
		.count = 1,
		.time = FIXTURE_NOW + 40 * DAY };
	char expected[4000];
	size_t len = 0;
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	fixture_open(&f);
	entry(&f, ENTRY_LEASE, 1, 1, 1, FIXTURE_NOW);
	fixture_commit(&f);
	is_usage(&f, FIXTURE_NOW + 2 * DAY,
	    "1/0: peak 1 end 1 first 1 renewals 0 releases 0 clients 1\n"
	    "1/1: peak 1 end 1 first 0 renewals 0 releases 0 clients 0\n"
	    "1/2: peak 1 end 1 first 0 renewals 0 releases 0 clients 0\n");
	fixture_stage(&f, &other);
	fixture_commit(&f);
	for (int day = 0; day <= 30; day++)
		len += (size_t)snprintf(expected + len, sizeof(expected) - len,
		    "1/%d: peak 1 end 1 first %d renewals 0 releases 0 clients %d\n", day, day == 0,
		    day == 0);
	snprintf(expected + len, sizeof(expected) - len,
	    "2/40: peak 1 end 1 first 1 renewals 0 releases 0 clients 1\n");
	is_usage(&f, FIXTURE_NOW + 40 * DAY, expected);
	fixture_remove(&f);
}

/* A batch that fails: its days and sums are as if it had not been, also over midnight and back. */
static void
test_undo(void **state)
{
	struct told before, after;
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	fixture_open(&f);
	for (int round = 0; round < 4; round++) {
		read_usage(&f, FIXTURE_NOW, &before);
		entry(&f, ENTRY_LEASE, 1, 1 + (unsigned)round, 50, FIXTURE_NOW);
		entry(&f, ENTRY_LEASE, 2, 1 + (unsigned)round, 51, FIXTURE_NOW + DAY);
		refusals(&f, KMS_E_CAPACITY, 3, FIXTURE_NOW + DAY);
		entry(&f, ENTRY_LEASE, 3, 1 + (unsigned)round, 52, FIXTURE_NOW - 2 * DAY);
		entry(&f, ENTRY_LEASE, 4, 1 + (unsigned)round, 53, FIXTURE_NOW + 2 * DAY);
		f.sign_fails = KMS_E_IO;
		assert_int_equal(fixture_try_commit(&f), KMS_E_IO);
		read_usage(&f, FIXTURE_NOW, &after);
		assert_string_equal(after.text, before.text);
		entry(&f, ENTRY_LEASE, 1, 1 + (unsigned)round, 1, FIXTURE_NOW);
		fixture_commit(&f);
		if (round == 1)
			assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
	}
	is_usage(&f, FIXTURE_NOW, "1/0: peak 1 end 1 first 1 renewals 3 releases 0 clients 1\n");
	fixture_remove(&f);
}

/* A clock that goes back: by a little, the day that is over stays so; by more, it begins again. */
static void
test_clock_back(void **state)
{
	uint64_t midnight = (FIXTURE_DAY + 1) * DAY;
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	fixture_open(&f);
	entry(&f, ENTRY_LEASE, 1, 1, 1, midnight - 10);
	entry(&f, ENTRY_LEASE, 2, 1, 2, midnight + 1);
	entry(&f, ENTRY_LEASE, 3, 1, 3, midnight - 1);
	fixture_commit(&f);
	is_usage(&f, midnight + 5,
	    "1/0: peak 3 end 1 first 2 renewals 0 releases 0 clients 2\n"
	    "1/1: peak 2 end 3 first 1 renewals 0 releases 0 clients 1\n");
	entry(&f, ENTRY_LEASE, 4, 1, 4, midnight + 9 * DAY);
	fixture_commit(&f);
	entry(&f, ENTRY_LEASE, 5, 1, 5, midnight + 2 * DAY);
	fixture_commit(&f);
	entry(&f, ENTRY_LEASE, 6, 1, 6, midnight + 3 * DAY);
	fixture_commit(&f);
	is_usage(&f, midnight + 3 * DAY + 1,
	    "1/0: peak 3 end 1 first 2 renewals 0 releases 0 clients 2\n"
	    "1/1: peak 2 end 3 first 1 renewals 0 releases 0 clients 1\n"
	    "1/2: peak 3 end 3 first 0 renewals 0 releases 0 clients 0\n"
	    "1/3: peak 5 end 5 first 1 renewals 0 releases 0 clients 1\n"
	    "1/4: peak 6 end 6 first 1 renewals 0 releases 0 clients 1\n"
	    "1/5: peak 3 end 3 first 0 renewals 0 releases 0 clients 0\n"
	    "1/6: peak 3 end 3 first 0 renewals 0 releases 0 clients 0\n"
	    "1/7: peak 3 end 3 first 0 renewals 0 releases 0 clients 0\n"
	    "1/8: peak 3 end 3 first 0 renewals 0 releases 0 clients 0\n"
	    "1/9: peak 3 end 3 first 0 renewals 0 releases 0 clients 0\n"
	    "1/10: peak 4 end 0 first 1 renewals 0 releases 0 clients 1\n");
	fixture_remove(&f);
}

/* Ten years are kept. */
static void
test_old_days(void **state)
{
	struct kmsdb_usage from = { .pool = 1, .day = FIXTURE_DAY + 2 };
	struct told t = { .len = 0 };
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	fixture_open(&f);
	for (unsigned day = 0; day < 3; day++) {
		refusals(&f, KMS_E_CAPACITY, 1 + day, FIXTURE_NOW + day * DAY);
		fixture_commit(&f);
	}
	refusals(&f, KMS_E_CAPACITY, 9, FIXTURE_NOW + (USAGE_DAYS + 1) * DAY);
	fixture_commit(&f);
	is_usage(&f, FIXTURE_NOW + (USAGE_DAYS + 1) * DAY, "1/2/10: 3\n1/3654/10: 9\n");
	memcpy(from.publisher, f.publisher, 8);
	from.status = 11;
	assert_int_equal(
	    kmsdb_each_usage(f.db, &from, FIXTURE_NOW + (USAGE_DAYS + 1) * DAY, tell, &t), 0);
	assert_string_equal(t.text, "1/3654/10: 9\n");
	fixture_remove(&f);
}

static void
over_midnight(struct fixture *f)
{
	for (uint64_t i = 0; i < 50; i++) {
		fixture_leases(f, (uint32_t)i, 3, 1 + i, FIXTURE_NOW + i * DAY / 3);
		refusals(f, KMS_E_CAPACITY, 1 + i, FIXTURE_NOW + i * DAY / 3);
		fixture_commit(f);
		if (i % 7 == 3)
			assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	}
}

/* Replay begins behind what the index has, and knows which days it has. */
static void
test_crash(void **state)
{
	uint64_t now = FIXTURE_NOW + 17 * DAY;
	struct told t, live;
	struct fixture f, g;

	(void)state;
	fixture_make(&f, NULL);
	fixture_make(&g, NULL);
	fixture_crash(&f, over_midnight);
	fixture_open(&g);
	over_midnight(&g);
	read_usage(&g, now, &live);
	fixture_open(&f);
	read_usage(&f, now, &t);
	assert_string_equal(t.text, live.text);
	is_usage(&f, now, live.text);
	fixture_remove(&f);
	fixture_remove(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_quiet_days),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_clock_back),
		cmocka_unit_test(test_old_days),
		cmocka_unit_test(test_crash),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
