/*
 * test_kmsdb_seats.c - seats that count by the minute: what is counted live, what a replay and a
 * rebuild count, and what the journal alone says are the same at every minute, whatever windows the
 * packs had meanwhile.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/unit/ledger_fixture.h"
#include "t/unit/seeded.h"

#define CLIENTS 60
#define MINUTES 2500
#define BEGIN (FIXTURE_DAY * 1440u + 700) /* so that a day ends meanwhile */

static int
setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f, NULL);
	fixture_open(f);
	*state = f;
	start_seed("seats");
	return 0;
}

static int
teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static struct kmsdb_pool
pool_at(struct fixture *f, uint32_t minute)
{
	struct kmsdb_pool p;

	kmsdb_pool_get(f->db, f->publisher, 1, minute, &p);
	assert_int_equal(p.counted, kmsdb_pool_count(f->db, f->publisher, 1, minute));
	return p;
}

/* What the test itself knows of each client. */
struct life {
	uint64_t sequence;
	uint32_t until;
	bool borrowed;
};

static struct kmsdb_pool
by_hand(const struct life *lives, uint32_t minute)
{
	struct kmsdb_pool p = { 0 };

	for (unsigned i = 0; i < CLIENTS; i++) {
		if (lives[i].until <= minute)
			continue;
		p.counted++;
		p.borrowed += lives[i].borrowed;
		if (p.next == 0 || lives[i].until < p.next)
			p.next = lives[i].until;
		if (lives[i].borrowed && (p.next_borrowed == 0 || lives[i].until < p.next_borrowed))
			p.next_borrowed = lives[i].until;
	}
	return p;
}

static void
agree(const struct kmsdb_pool *a, const struct kmsdb_pool *b, uint32_t minute)
{
	if (a->counted != b->counted || a->borrowed != b->borrowed || a->next != b->next ||
	    a->next_borrowed != b->next_borrowed)
		fail_msg("minute %u: %u counted, %u borrowed, next %u; expected %u, %u, %u",
		    minute - BEGIN, a->counted, a->borrowed, a->next, b->counted, b->borrowed,
		    b->next);
}

/* From then on, minute by minute; and back, because a clock may go back. */
static void
agree_from(struct fixture *f, const struct life *lives, uint32_t minute)
{
	uint32_t most = minute + 3 * 1440;

	for (uint32_t m = minute; m < most; m++) {
		struct kmsdb_pool got = pool_at(f, m), hand = by_hand(lives, m);
		agree(&got, &hand, m);
	}
	for (uint32_t m = most; m-- > minute;) {
		struct kmsdb_pool got = pool_at(f, m), hand = by_hand(lives, m);
		agree(&got, &hand, m);
	}
}

/* Each minute: a few requests, under the window that the pack has now. */
static void
live(struct fixture *f, struct life *lives, uint32_t minute, uint32_t window)
{
	static const int kinds[] = { ENTRY_LEASE, ENTRY_LEASE, ENTRY_LEASE, ENTRY_SEEN,
		ENTRY_RELEASE, ENTRY_FORGET, ENTRY_RECLAIM };
	struct life before[CLIENTS];

	memcpy(before, lives, sizeof(before));
	for (uint32_t n = pick(5); n > 0; n--) {
		struct fixture_entry e = { .kind = kinds[pick(7)],
			.client = pick(CLIENTS),
			.product = 1,
			.pool = 1,
			.time = minute * UINT64_C(60) + pick(60),
			.window = window };
		struct life *l = &lives[e.client];

		if (e.kind == ENTRY_LEASE || e.kind == ENTRY_SEEN)
			e.flags = pick(4) == 0 ? ENTRY_BORROWED : 0;
		l->sequence += entry_kind_is_client(e.kind);
		if (l->sequence == 0)
			continue;
		e.sequence = l->sequence;
		fixture_stage(f, &e);
		l->until = e.kind == ENTRY_LEASE || e.kind == ENTRY_SEEN
			       ? entry_counts_until(e.time, window)
			       : 0;
		l->borrowed = (e.flags & ENTRY_BORROWED) != 0;
	}
	if (kmsdb_staged(f->db) > 0 && pick(20) == 0) {
		f->sign_fails = KMS_E_IO;
		assert_int_equal(fixture_try_commit(f), KMS_E_IO);
		memcpy(lives, before, sizeof(before));
	} else {
		fixture_commit(f);
	}
}

/* The journal alone, as kms.journal(5), COUNTING, has it. */
struct recount {
	struct fixture *f;
	const struct kmsdb_pool *live;
	struct life lives[CLIENTS];
	uint32_t minute; /* up to which it is compared */
};

static void
compare_to(struct recount *r, uint32_t minute)
{
	for (; r->minute < minute; r->minute++) {
		struct kmsdb_pool hand = by_hand(r->lives, r->minute);
		agree(&r->live[r->minute - BEGIN], &hand, r->minute);
	}
}

static struct life *
life_of(struct recount *r, const uint8_t cmid[16])
{
	uint8_t other[16];

	for (uint32_t i = 0; i < CLIENTS; i++) {
		fixture_cmid(other, i);
		if (memcmp(cmid, other, 16) == 0)
			return &r->lives[i];
	}
	fail_msg("an entry of nobody");
	return NULL;
}

static int
recount_batch(const struct kmsdb_batch_view *b, void *arg)
{
	struct recount *r = arg;

	for (uint32_t i = 0; i < b->header.size; i++) {
		const struct item *item = &b->items[i];
		struct entry_client e = { 0 };

		compare_to(r, (uint32_t)(entry_time(item->entry, item->entry_len) / 60));
		if (entry_kind_is_client(entry_kind(item->entry, item->entry_len))) {
			assert_int_equal(
			    entry_client_decode(&e, item->entry, item->entry_len), KMS_OK);
			*life_of(r, e.cmid) = (struct life){ .until = e.until,
				.borrowed = (e.flags & ENTRY_BORROWED) != 0 };
		} else {
			struct entry_about a;

			assert_int_equal(
			    entry_about_decode(&a, item->entry, item->entry_len), KMS_OK);
			*life_of(r, a.cmid) = (struct life){ 0 };
		}
	}
	return 0;
}

static void
test_every_minute(void **state)
{
	static const uint32_t windows[] = { 5, 64, 65, 90, 240, 1439, 1441, 1440, 2880 };
	static struct kmsdb_pool counts[MINUTES];
	struct fixture *f = *state;
	struct life lives[CLIENTS] = { { 0 } };
	struct recount recount = { .f = f, .live = counts, .minute = BEGIN };
	uint32_t window = 90;

	for (uint32_t m = BEGIN; m < BEGIN + MINUTES; m++) {
		struct kmsdb_pool hand;

		if (pick(60) == 0)
			window = windows[pick(9)];
		live(f, lives, m, window);
		counts[m - BEGIN] = pool_at(f, m);
		hand = by_hand(lives, m);
		agree(&counts[m - BEGIN], &hand, m);
		if (pick(400) == 0) {
			agree_from(f, lives, m);
			fixture_close(f);
			fixture_open(f);
			agree_from(f, lives, m);
		}
		if (pick(150) == 0)
			assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	}
	assert_int_equal(
	    kmsdb_journal_each(f->dirfd, 1, recount_batch, &recount, fixture_fault(f)), KMS_OK);
	compare_to(&recount, BEGIN + MINUTES);
	agree_from(f, lives, BEGIN + MINUTES - 1);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
	assert_int_equal(kmsdb_rebuild(f->dirfd, &f->opt, fixture_fault(f)), KMS_OK);
	fixture_open(f);
	agree_from(f, lives, BEGIN + MINUTES - 1);
}

/* A seat comes back within one slot of its window, and not before it. */
static void
test_edges(void **state)
{
	static const struct {
		uint32_t seen, window, until;
	} rows[] = {
		{ BEGIN, 5, BEGIN + 6 },
		{ BEGIN + 59, 90, (BEGIN + 59) / 2 * 2 + 92 },
		{ BEGIN + 1, 240, (BEGIN + 1) / 4 * 4 + 244 },
		{ BEGIN, 1439, ((BEGIN + 1439) / 23 + 1) * 23 },
		{ BEGIN, 1440, (FIXTURE_DAY + 2) * 1440 },
		{ BEGIN, 1441, ((BEGIN + 1441) / 23 + 1) * 23 },
	};
	struct fixture *f = *state;

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture_entry e = { .kind = ENTRY_LEASE,
			.client = 0,
			.product = 1,
			.pool = 1,
			.sequence = 1 + i,
			.time = rows[i].seen * UINT64_C(60) + 59,
			.window = rows[i].window };

		fixture_stage(f, &e);
		fixture_commit(f);
		assert_int_equal(pool_at(f, rows[i].seen).counted, 1);
		assert_int_equal(pool_at(f, rows[i].seen).next, rows[i].until);
		assert_int_equal(pool_at(f, rows[i].until - 1).counted, 1);
		assert_int_equal(pool_at(f, rows[i].until).counted, 0);
		assert_int_equal(pool_at(f, rows[i].until).next, 0);
		assert_true(rows[i].until > rows[i].seen + rows[i].window);
		assert_true(rows[i].until <=
			    rows[i].seen + rows[i].window + entry_slot_width(rows[i].window));
	}
}

/* Seats whose clients never came back stay in the table, and are found again. */
static void
test_many_slots(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = {
		.kind = ENTRY_LEASE, .product = 1, .pool = 1, .sequence = 1, .window = 5
	};

	for (e.client = 0; e.client < 1500; e.client++) {
		e.time = (BEGIN + e.client) * UINT64_C(60);
		fixture_stage(f, &e);
		if (e.client % 5 == 4)
			fixture_commit(f);
	}
	assert_int_equal(pool_at(f, BEGIN + 1499).counted, 6);
	e.sequence = 2;
	for (e.client = 0; e.client < 1500; e.client += 7)
		fixture_stage(f, &e);
	fixture_commit(f);
	assert_int_equal(pool_at(f, BEGIN + 1499).counted, 6 + 215 - 1);
	assert_int_equal(pool_at(f, BEGIN + 1506).counted, 0);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
	fixture_open(f);
	assert_int_equal(pool_at(f, BEGIN + 1499).counted, 6 + 215 - 1);
}

/* Of a pool in classes: each is counted apart, and so are the borrowed seats of it. */
static void
test_classes(void **state)
{
	struct kmsdb_class classes[] = { { 7, 9, 9 }, { 300, 9, 9 }, { 8, 9, 9 } };
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = BEGIN * UINT64_C(60),
		.window = 64 };

	for (e.client = 0; e.client < 12; e.client++) {
		e.class = e.client < 3 ? 0 : e.client < 7 ? 7 : 300;
		e.flags = e.client % 2 ? ENTRY_BORROWED : 0;
		e.pool = e.client == 11 ? 2 : 1;
		e.time += 60;
		fixture_stage(f, &e);
	}
	fixture_commit(f);
	kmsdb_class_counts(f->db, f->publisher, 1, BEGIN, classes, 3);
	assert_int_equal(classes[0].counted, 4);
	assert_int_equal(classes[0].next, BEGIN + 4 + 65);
	assert_int_equal(classes[1].counted, 4);
	assert_int_equal(classes[1].next, BEGIN + 8 + 65);
	assert_int_equal(classes[2].counted, 0);
	assert_int_equal(classes[2].next, 0);
	assert_int_equal(pool_at(f, BEGIN).counted, 11);
	kmsdb_class_counts(f->db, f->publisher, 1, BEGIN + 5 + 65, classes, 3);
	assert_int_equal(classes[0].counted, 2);
	assert_int_equal(classes[0].next, BEGIN + 6 + 65);
	/* It moves to another class, which is the same seat. */
	e.client = 3;
	e.class = 8;
	e.sequence = 2;
	e.pool = 1;
	fixture_stage(f, &e);
	fixture_commit(f);
	kmsdb_class_counts(f->db, f->publisher, 1, BEGIN, classes, 3);
	assert_int_equal(classes[0].counted, 3);
	assert_int_equal(classes[2].counted, 1);
	assert_int_equal(pool_at(f, BEGIN).counted, 11);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
}

/* A seat that is taken and the lease that gets it are in one batch, whole or not at all. */
static void
test_abandoned(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.client = 1,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = BEGIN * UINT64_C(60),
		.window = 64 };
	struct fixture_entry taken = e;

	kmsdb_abandon(f->db); /* of nothing */
	fixture_stage(f, &e);
	fixture_commit(f);
	taken.kind = ENTRY_RECLAIM;
	assert_true(kmsdb_has_room(f->db, KMSDB_BATCH_MAX));
	assert_false(kmsdb_has_room(f->db, KMSDB_BATCH_MAX + 1));
	fixture_stage(f, &taken);
	assert_int_equal(pool_at(f, BEGIN).counted, 0);
	assert_false(kmsdb_has_room(f->db, KMSDB_BATCH_MAX));
	kmsdb_abandon(f->db);
	assert_int_equal(fixture_try_commit(f), KMS_E_LIMIT);
	assert_int_equal(pool_at(f, BEGIN).counted, 1);
	/* The next batch is another one. */
	fixture_stage(f, &taken);
	e.client = 2;
	fixture_stage(f, &e);
	fixture_commit(f);
	assert_int_equal(pool_at(f, BEGIN).counted, 1);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_minute, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_slots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abandoned, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
