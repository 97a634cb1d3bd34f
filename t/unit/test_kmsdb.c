/*
 * test_kmsdb.c - the everyday life of a ledger: entries and what they do to rows and
 * counters, batches and their bundles, undo, close and open.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/core/entry_blobs.h"
#include "libkms/core/lease.h"
#include "t/unit/ledger_fixture.h"

static int
setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f, NULL);
	fixture_open(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static uint32_t
pool_count_at(struct fixture *f, uint16_t pool, uint32_t day)
{
	return kmsdb_pool_count(f->db, f->publisher, pool, FIXTURE_MINUTE(day));
}

static struct kmsdb_client
client(struct fixture *f, uint32_t number)
{
	struct kmsdb_client c;
	uint8_t cmid[16];

	memset(&c, 0, sizeof(c));
	fixture_cmid(cmid, number);
	assert_int_equal(kmsdb_client_get(f->db, cmid, &c), KMS_OK);
	return c;
}

static void
is_absent(struct fixture *f, uint32_t number)
{
	struct kmsdb_client c;
	uint8_t cmid[16];

	fixture_cmid(cmid, number);
	assert_int_equal(kmsdb_client_get(f->db, cmid, &c), KMS_E_NOT_FOUND);
}

static struct certificate
certificate_of(const struct fixture *f)
{
	struct certificate cert;

	memset(&cert, 0, sizeof(cert));
	memcpy(cert.publisher, f->publisher, 8);
	memcpy(cert.sign_pk, f->sign_pk, 32);
	memcpy(cert.host_id, f->host_id, 16);
	cert.not_after = UINT64_MAX;
	cert.product_count = 1;
	memset(cert.products[0], 0x41, 16);
	return cert;
}

static void
test_lease_is_seen_at_once(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.client = 1,
		.product = 2,
		.pool = 3,
		.sequence = 9,
		.time = FIXTURE_NOW,
		.flags = ENTRY_VM };
	struct kmsdb_client c;
	struct kmsdb_cold h;

	is_absent(f, 1);
	assert_int_equal(fixture_stage(f, &e), 0);
	c = client(f, 1);
	assert_int_equal(c.product[0], 0x42);
	assert_memory_equal(c.publisher, f->publisher, 8);
	assert_int_equal(c.pool, 3);
	assert_int_equal(c.kind, ENTRY_LEASE);
	assert_int_equal(c.flags, ENTRY_VM);
	assert_int_equal(c.until, (FIXTURE_DAY + 31) * 1440);
	assert_int_equal(c.last_seen, FIXTURE_NOW);
	assert_int_equal(c.expires, FIXTURE_NOW + 180 * 86400);
	assert_int_equal(c.sequence, 9);
	assert_int_equal(c.request_id[0], 9);
	assert_int_equal(c.batch, 1);
	assert_int_equal(c.leaf, 0);
	assert_int_equal(kmsdb_cold_get(f->db, c.cmid, &h), KMS_OK);
	assert_string_equal(h.name, "client-1.example");
	assert_int_equal(h.first_seen, FIXTURE_NOW);
	assert_int_equal(pool_count_at(f, 3, FIXTURE_DAY), 1);
	fixture_commit(f);
	assert_int_equal(pool_count_at(f, 3, FIXTURE_DAY), 1);
}

/* Through close, open and a checkpoint nothing changes. */
static void
test_survives_close(void **state)
{
	struct fixture *f = *state;
	struct kmsdb_client before, after;

	fixture_leases(f, 1, 50, 1, FIXTURE_NOW);
	before = client(f, 7);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	after = client(f, 7);
	assert_memory_equal(&before, &after, sizeof(before));
	fixture_close(f);
	fixture_open(f);
	after = client(f, 7);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 50);
}

static void
test_window(void **state)
{
	struct fixture *f = *state;

	fixture_leases(f, 1, 3, 1, FIXTURE_NOW);
	fixture_leases(f, 10, 4, 1, FIXTURE_NOW + 86400);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 7);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY + 30), 7);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY + 31), 4);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY + 32), 0);
	/* A renewal moves the seat to its new day. */
	fixture_leases(f, 1, 2, 2, FIXTURE_NOW + 31 * 86400);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY + 31), 6);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY + 61), 2);
	assert_int_equal(pool_count_at(f, 2, FIXTURE_DAY), 0);
}

static void
test_product_moves_the_seat(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_SEEN,
		.client = 1,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = FIXTURE_NOW,
		.status = KMS_E_COUNT_TOO_LOW };

	fixture_stage(f, &e);
	e.product = 2;
	e.pool = 2;
	e.sequence = 2;
	e.kind = ENTRY_LEASE;
	e.status = 0;
	fixture_stage(f, &e);
	fixture_commit(f);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 0);
	assert_int_equal(pool_count_at(f, 2, FIXTURE_DAY), 1);
	assert_int_equal(client(f, 1).product[3], 0x42);
}

static void
test_release_and_return(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.client = 1,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = FIXTURE_NOW };

	fixture_stage(f, &e);
	e.kind = ENTRY_RELEASE;
	e.sequence = 2;
	fixture_stage(f, &e);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 0);
	assert_int_equal(client(f, 1).flags, KMSDB_RELEASED);
	assert_int_equal(client(f, 1).expires, 0);
	assert_int_equal(client(f, 1).until, 0);
	e.kind = ENTRY_LEASE;
	e.sequence = 3;
	fixture_stage(f, &e);
	assert_int_equal(client(f, 1).flags, 0);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 1);
	fixture_commit(f);
}

static void
test_refusal_changes_no_count(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.client = 1,
		.product = 1,
		.pool = 1,
		.sequence = 5,
		.time = FIXTURE_NOW };
	struct fixture_entry r = { .kind = ENTRY_REFUSAL,
		.client = 1,
		.product = 2,
		.pool = 2,
		.sequence = 6,
		.time = FIXTURE_NOW + 9 * 86400,
		.status = KMS_E_CLONE,
		.flags = ENTRY_CLONE };
	struct kmsdb_client c;
	struct kmsdb_cold h;

	fixture_stage(f, &e);
	fixture_stage(f, &r);
	c = client(f, 1);
	assert_int_equal(c.status, KMS_E_CLONE);
	assert_int_equal(kmsdb_cold_get(f->db, c.cmid, &h), KMS_OK);
	assert_int_equal(h.last_clone, FIXTURE_NOW + 9 * 86400);
	assert_int_equal(c.sequence, 5);
	assert_int_equal(c.leaf, 0);
	assert_int_equal(c.pool, 1);
	assert_int_equal(c.kind, ENTRY_LEASE);
	assert_int_equal(c.until, (FIXTURE_DAY + 31) * 1440);
	assert_int_equal(c.last_seen, FIXTURE_NOW + 9 * 86400);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 1);
	assert_int_equal(pool_count_at(f, 2, FIXTURE_DAY), 0);
	/* A stranger refused for an unknown product has a row, and no product. */
	r.client = 2;
	r.status = KMS_E_UNKNOWN_PRODUCT;
	fixture_stage(f, &r);
	c = client(f, 2);
	assert_true(sodium_is_zero(c.product, 16));
	assert_int_equal(c.sequence, 0);
	assert_int_equal(c.until, 0);
	fixture_commit(f);
}

/* A revocation ends the seat and refuses; forgetting ends the seat and leaves the revocation. */
static void
test_revoke_and_forget(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = {
		.kind = ENTRY_REVOKE, .client = 3, .sequence = 1, .time = FIXTURE_NOW
	};
	struct kmsdb_client c;
	struct kmsdb_cold h;

	fixture_leases(f, 1, 5, 1, FIXTURE_NOW);
	fixture_stage(f, &e);
	assert_int_equal(client(f, 3).flags, KMSDB_REVOKED | KMSDB_ENDED);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 4);
	e.client = 99;
	e.sequence = 0;
	fixture_stage(f, &e);
	assert_int_equal(client(f, 99).flags, KMSDB_REVOKED | KMSDB_ENDED);
	fixture_commit(f);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	e.kind = ENTRY_FORGET;
	e.time += 1000;
	e.sequence = 1;
	for (e.client = 3; e.client <= 4; e.client++)
		fixture_stage(f, &e);
	fixture_commit(f);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(client(f, 3).flags, KMSDB_REVOKED | KMSDB_ENDED | KMSDB_FORGOTTEN);
		c = client(f, 4);
		assert_int_equal(c.flags, KMSDB_ENDED | KMSDB_FORGOTTEN);
		assert_int_equal(c.sequence, 1);
		assert_true(sodium_is_zero(c.request_id, 16));
		assert_int_equal(c.expires, 0);
		assert_int_equal(kmsdb_cold_get(f->db, c.cmid, &h), KMS_OK);
		assert_string_equal(h.name, "");
		assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 3);
		assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	}
	/* A request from before does not bring it back; the next one does. */
	fixture_leases(f, 4, 1, 1, FIXTURE_NOW + 1000);
	assert_int_equal(client(f, 4).flags, KMSDB_ENDED | KMSDB_FORGOTTEN);
	fixture_leases(f, 4, 1, 2, FIXTURE_NOW + 1000);
	c = client(f, 4);
	assert_int_equal(c.flags, 0);
	assert_int_equal(kmsdb_cold_get(f->db, c.cmid, &h), KMS_OK);
	assert_string_equal(h.name, "client-4.example");
	/* Revoked, it may have a lease in the journal of another host: it does not count here. */
	fixture_leases(f, 3, 1, 2, FIXTURE_NOW + 1000);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 4);
	e.kind = ENTRY_UNREVOKE;
	e.client = 3;
	e.sequence = 2;
	fixture_stage(f, &e);
	assert_int_equal(client(f, 3).flags, KMSDB_ENDED);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 4);
	fixture_commit(f);
}

/* The register of a hold: the highest counter wins, whenever it comes; FORGET ends it. */
static void
test_hold(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_HOLD,
		.client = 1,
		.time = FIXTURE_NOW,
		.value = FIXTURE_NOW + 5000,
		.counter = 10 };
	struct kmsdb_cold h;
	uint8_t cmid[16];

	fixture_cmid(cmid, 1);
	fixture_leases(f, 1, 1, 1, FIXTURE_NOW);
	fixture_stage(f, &e);
	assert_int_equal(client(f, 1).flags, KMSDB_HELD);
	assert_int_equal(kmsdb_counter(f->db), 11);
	e.value += 100;
	e.counter = 9;
	fixture_stage(f, &e);
	assert_int_equal(kmsdb_cold_get(f->db, cmid, &h), KMS_OK);
	assert_int_equal(h.hold_end, FIXTURE_NOW + 5000);
	assert_int_equal(kmsdb_counter(f->db), 11);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 1);
	e.kind = ENTRY_FORGET;
	e.value = 0;
	e.counter = 11;
	fixture_stage(f, &e);
	/* Through is 0: the client's own act is newer. */
	assert_int_equal(client(f, 1).flags, 0);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 1);
	fixture_commit(f);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(kmsdb_counter(f->db), 12);
}

/* Classes of one pool are counted together, and apart in the index. */
static int
one_count(const struct kmsdb_count *c, void *arg)
{
	uint32_t *seen = arg;

	assert_int_equal(c->until, (FIXTURE_DAY + 31) * 1440);
	seen[c->class + 2 * c->borrowed] += c->clients;
	return 0;
}

static void
test_classes(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = {
		.kind = ENTRY_LEASE, .product = 1, .pool = 1, .sequence = 1, .time = FIXTURE_NOW
	};
	uint32_t seen[4] = { 0 };

	for (e.client = 0; e.client < 12; e.client++) {
		e.class = e.client % 2;
		e.flags = e.client % 3 == 0 ? ENTRY_BORROWED : 0;
		fixture_stage(f, &e);
	}
	fixture_commit(f);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 12);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	assert_int_equal(kmsdb_each_count(f->db, one_count, seen), 0);
	assert_int_equal(seen[0], 4);
	assert_int_equal(seen[1], 4);
	assert_int_equal(seen[2], 2);
	assert_int_equal(seen[3], 2);
}

/* A row says in which batch its act is, by number and hash, as soon as that is committed. */
static void
test_header_of_row(void **state)
{
	struct fixture *f = *state;
	struct kmsdb_info info;
	struct kmsdb_client c;

	fixture_leases(f, 1, 3, 1, FIXTURE_NOW);
	kmsdb_info(f->db, &info);
	c = client(f, 2);
	assert_memory_equal(c.header, info.last_hash, 8);
	fixture_leases(f, 3, 3, 2, FIXTURE_NOW);
	c = client(f, 2);
	assert_memory_equal(c.header, info.last_hash, 8);
	kmsdb_info(f->db, &info);
	c = client(f, 3);
	assert_memory_equal(c.header, info.last_hash, 8);
	assert_int_equal(c.batch, 2);
}

/* Names: of the entry last seen; erased for one client, and for all up to a time. */
static void
test_erase(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = {
		.kind = ENTRY_ERASE, .client = 2, .time = FIXTURE_NOW + 10, .value = FIXTURE_NOW
	};
	struct kmsdb_cold h;

	fixture_leases(f, 1, 3, 1, FIXTURE_NOW);
	fixture_stage(f, &e);
	assert_int_equal(kmsdb_cold_get(f->db, client(f, 1).cmid, &h), KMS_OK);
	assert_string_equal(h.name, "client-1.example");
	assert_int_equal(kmsdb_cold_get(f->db, client(f, 2).cmid, &h), KMS_OK);
	assert_string_equal(h.name, "");
	assert_true(sodium_is_zero(h.address, 16));
	assert_int_equal(h.erased, FIXTURE_NOW);
	fixture_commit(f);
	/* It renews with the same name, which is shown again. */
	fixture_leases(f, 2, 1, 2, FIXTURE_NOW + 20);
	assert_int_equal(kmsdb_cold_get(f->db, client(f, 2).cmid, &h), KMS_OK);
	assert_string_equal(h.name, "client-2.example");
	e.all = true;
	e.time = e.value = FIXTURE_NOW + 15;
	fixture_stage(f, &e);
	fixture_commit(f);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(kmsdb_cold_get(f->db, client(f, 1).cmid, &h), KMS_OK);
		assert_string_equal(h.name, "");
		assert_int_equal(kmsdb_cold_get(f->db, client(f, 2).cmid, &h), KMS_OK);
		assert_string_equal(h.name, "client-2.example");
		if (round == 0)
			assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
		fixture_close(f);
		fixture_open(f);
	}
	fixture_leases(f, 1, 1, 2, FIXTURE_NOW + 30);
	assert_int_equal(kmsdb_cold_get(f->db, client(f, 1).cmid, &h), KMS_OK);
	assert_string_equal(h.name, "client-1.example");
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
}

static int
count_clients(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	(void)c;
	(void)cold;
	++*(unsigned *)arg;
	return 0;
}

static bool
known(struct fixture *f, uint32_t client)
{
	struct kmsdb_client c;
	uint8_t cmid[16];

	fixture_cmid(cmid, client);
	return kmsdb_client_get(f->db, cmid, &c) == KMS_OK;
}

/*
 * EXPIRE: rows of refusals and of forgotten clients go, others stay; one that comes back is new. So
 * it is at once, after a checkpoint, after a start, and in an index that is made anew.
 */
static void
test_expire(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry refused = {
		.kind = ENTRY_REFUSAL, .product = 1, .pool = 1, .sequence = 1, .time = FIXTURE_NOW
	};
	struct fixture_entry about = { .sequence = 9, .time = FIXTURE_NOW + 1 };
	struct fixture_entry expire = {
		.kind = ENTRY_EXPIRE, .sequence = 1, .time = FIXTURE_NOW + 20, .value = FIXTURE_NOW
	};
	struct kmsdb_cold cold;
	uint8_t cmid[16];

	/* 1, 2 and 3 have leases, 2 is forgotten, 3 revoked; 11 to 14 are only refused, 14 later.
	 */
	fixture_leases(f, 1, 3, 1, FIXTURE_NOW);
	for (refused.client = 11; refused.client <= 13; refused.client++)
		fixture_stage(f, &refused);
	refused.time = FIXTURE_NOW + 1;
	fixture_stage(f, &refused);
	about.client = 2;
	about.kind = ENTRY_FORGET;
	fixture_stage(f, &about);
	about.client = 3;
	about.kind = ENTRY_REVOKE;
	fixture_stage(f, &about);
	about.client = 13;
	fixture_stage(f, &about);
	fixture_commit(f);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	fixture_stage(f, &expire);
	assert_false(known(f, 11));
	assert_true(known(f, 2));
	expire.sequence = 2;
	expire.time = FIXTURE_NOW + 21;
	fixture_stage(f, &expire);
	fixture_commit(f);
	for (int round = 0; round < 4; round++) {
		unsigned rows = 0;

		for (uint32_t i = 1; i <= 14; i++)
			assert_int_equal(known(f, i), i == 1 || i == 3 || i >= 13);
		if (round == 0)
			continue;
		if (round == 1)
			assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
		assert_int_equal(kmsdb_each_client(f->db, count_clients, &rows), 0);
		assert_int_equal(rows, 4);
		fixture_close(f);
		if (round == 2)
			fixture_drop_index(f);
		fixture_open(f);
		assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	}
	/* It comes back: nothing of before is known. */
	refused.client = 11;
	refused.time = FIXTURE_NOW + 30;
	fixture_stage(f, &refused);
	fixture_leases(f, 2, 1, 2, FIXTURE_NOW + 30);
	fixture_cmid(cmid, 11);
	assert_int_equal(kmsdb_cold_get(f->db, cmid, &cold), KMS_OK);
	assert_int_equal(cold.first_seen, FIXTURE_NOW + 30);
	assert_true(known(f, 2));
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
}

static int
sum_counts(const struct kmsdb_count *c, void *arg)
{
	*(uint32_t *)arg += c->clients;
	return 0;
}

static uint32_t
all_counts(struct fixture *f)
{
	uint32_t sum = 0;

	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	assert_int_equal(kmsdb_each_count(f->db, sum_counts, &sum), KMS_OK);
	return sum;
}

/*
 * The rows of clients without state go with those that were forgotten, when seat and lease are over
 * by the floor, and what they counted goes, too. A seat that was given back or taken back is over
 * at once; a client that is revoked stays, and so does one that keeps state.
 */
static void
test_expire_stateless(void **state)
{
	enum { SEEN = 21, GIVEN_BACK, TAKEN_BACK, KEEPS, REVOKED, LEASED, LATER };
	struct fixture *f = *state;
	struct fixture_entry one = { .kind = ENTRY_SEEN,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = FIXTURE_NOW,
		.window = 5 };
	uint64_t end = entry_counts_until(FIXTURE_NOW, one.window) * UINT64_C(60);
	struct fixture_entry about = { .sequence = 1, .product = 1, .pool = 1 };
	struct fixture_entry expire = {
		.kind = ENTRY_EXPIRE, .sequence = 2, .time = end + 60, .value = end - 1
	};
	uint8_t cmid[16];

	for (one.client = SEEN; one.client <= LATER; one.client++) {
		one.flags = one.client == KEEPS ? 0 : ENTRY_STATELESS;
		one.kind =
		    one.client == LEASED || one.client == TAKEN_BACK ? ENTRY_LEASE : ENTRY_SEEN;
		one.window = one.client == LATER ? 65 : 5;
		fixture_stage(f, &one);
	}
	one.kind = ENTRY_RELEASE;
	one.client = GIVEN_BACK;
	one.sequence = 2;
	fixture_stage(f, &one);
	about.time = FIXTURE_NOW;
	about.client = TAKEN_BACK;
	about.kind = ENTRY_RECLAIM;
	fixture_stage(f, &about);
	about.client = REVOKED;
	about.kind = ENTRY_REVOKE;
	fixture_stage(f, &about);
	fixture_commit(f);
	assert_int_equal(all_counts(f), 4); /* SEEN, KEEPS, LEASED, LATER */
	fixture_stage(f, &expire);
	fixture_commit(f);
	for (uint32_t i = SEEN; i <= LATER; i++)
		assert_int_equal(known(f, i), i != GIVEN_BACK && i != TAKEN_BACK);
	assert_int_equal(all_counts(f), 4);
	expire.value = end;
	fixture_stage(f, &expire);
	fixture_commit(f);
	for (int round = 0; round < 4; round++) {
		unsigned rows = 0;

		for (uint32_t i = SEEN; i <= LATER; i++)
			assert_int_equal(known(f, i), i >= KEEPS);
		assert_int_equal(all_counts(f), 3);
		assert_int_equal(kmsdb_each_client(f->db, count_clients, &rows), 0);
		assert_int_equal(rows, 4);
		fixture_close(f);
		assert_int_equal(fixture_check(f), KMS_OK);
		if (round == 2)
			fixture_drop_index(f);
		fixture_open(f);
	}
	/* It comes back: a client as any other. */
	one = (struct fixture_entry){ .kind = ENTRY_LEASE,
		.client = SEEN,
		.product = 1,
		.pool = 1,
		.sequence = 9,
		.time = end + 90 };
	fixture_stage(f, &one);
	fixture_commit(f);
	fixture_cmid(cmid, SEEN);
	assert_true(known(f, SEEN));
	assert_int_equal(all_counts(f), 4);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
}

struct pages {
	uint8_t next[16];
	unsigned left, rows, batches;
	uint64_t batch;
};

/* Each client as bytes and back: the same, but for what only a decision needs. */
static int
take_portable(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	uint8_t octets[KMSDB_CLIENT_OCTETS];
	size_t len = kmsdb_client_encode(octets, c, cold);
	struct pages *p = arg;
	struct kmsdb_client back;
	struct kmsdb_cold back_cold;

	assert_true(memcmp(c->cmid, p->next, 16) >= 0);
	assert_int_equal(kmsdb_client_decode(&back, &back_cold, octets, len), KMS_OK);
	assert_memory_equal(back.cmid, c->cmid, 16);
	assert_memory_equal(back.product, c->product, 16);
	assert_memory_equal(back.publisher, c->publisher, 8);
	assert_int_equal(back.pool, c->pool);
	assert_int_equal(back.seated, c->seated);
	assert_int_equal(back.sequence, c->sequence);
	assert_int_equal(back.expires, c->expires);
	assert_int_equal(back.until, c->until);
	assert_string_equal(back_cold.name, cold->name);
	assert_memory_equal(back_cold.address, cold->address, 16);
	assert_int_equal(back_cold.first_seen, cold->first_seen);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(kmsdb_client_decode(&back, &back_cold, octets, i), KMS_E_FORMAT);
	memcpy(p->next, c->cmid, 16);
	p->next[15]++; /* fixture_cmid leaves room */
	p->rows++;
	return --p->left == 0 ? 1 : 0;
}

static int
take_batch(const struct kmsdb_batch_view *b, void *arg)
{
	struct pages *p = arg;

	assert_int_equal(b->header.number, p->batch);
	p->batch++;
	p->batches++;
	return p->batches % 2 == 0 ? 1 : 0;
}

/* A reader that may not open the files asks kmsd for pages. A page can begin anywhere. */
static void
test_pages(void **state)
{
	struct fixture *f = *state;
	struct pages p = { .left = 0 };
	struct fault fault = { 0 };
	struct kmsdb_info info;
	int rc = 1;

	for (uint32_t i = 0; i < 7; i++)
		fixture_leases(f, 1 + i, 1, 1, FIXTURE_NOW + i);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	for (unsigned pages = 0; rc == 1; pages++) {
		assert_true(pages < 9);
		p.left = 2;
		rc = kmsdb_each_client_from(f->db, p.next, take_portable, &p);
	}
	assert_int_equal(rc, KMS_OK);
	assert_int_equal(p.rows, 7);
	kmsdb_info(f->db, &info);
	p.batch = 1;
	do
		rc = kmsdb_journal_from(f->db, p.batch, take_batch, &p, &fault);
	while (rc == 1);
	assert_int_equal(rc, KMS_OK);
	assert_int_equal(p.batches, info.last_batch);
	assert_int_equal(
	    kmsdb_journal_from(f->db, info.last_batch + 1, take_batch, &p, &fault), KMS_OK);
	assert_int_equal(p.batches, info.last_batch);
}

/* A batch that fails takes the floor with it. */
static void
test_expire_undone(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry refused = { .kind = ENTRY_REFUSAL,
		.client = 11,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = FIXTURE_NOW };
	struct fixture_entry expire = {
		.kind = ENTRY_EXPIRE, .sequence = 1, .time = FIXTURE_NOW + 20, .value = FIXTURE_NOW
	};

	fixture_stage(f, &refused);
	fixture_commit(f);
	fixture_stage(f, &expire);
	assert_false(known(f, 11));
	f->sign_fails = KMS_E_IO;
	assert_int_equal(fixture_try_commit(f), KMS_E_IO);
	assert_true(known(f, 11));
}

/* How often the text is in the journal. */
static unsigned
in_journal(struct fixture *f, const char *text)
{
	char names[8][32];
	unsigned found = 0;

	for (size_t n = fixture_segments(f, names, 8); n > 0; n--) {
		size_t len;
		uint8_t *octets = fixture_read(f, names[n - 1], &len), *at = octets;

		while ((at = memmem(at, len - (size_t)(at - octets), text, strlen(text))) != NULL) {
			found++;
			at++;
		}
		free(octets);
	}
	return found;
}

static void
erase_and_die(struct fixture *f)
{
	struct fixture_entry e = { .kind = ENTRY_ERASE,
		.client = 3,
		.time = FIXTURE_NOW + 20,
		.value = FIXTURE_NOW + 20 };

	fixture_stage(f, &e);
	fixture_commit(f);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
}

/* Erased names leave the disk, beside a writer and after a crash; all that was proved still is. */
static void
test_erase_on_disk(void **state)
{
	struct fixture *f = *state;
	struct certificate cert = certificate_of(f);
	struct fixture_entry e = {
		.kind = ENTRY_ERASE, .client = 2, .time = FIXTURE_NOW + 10, .value = FIXTURE_NOW
	};
	uint8_t bundle[LEASE_MAX];
	struct entry_client lease;
	struct aside names;
	struct kmsdb_cold h;
	size_t len;

	fixture_leases(f, 1, 5, 1, FIXTURE_NOW);
	fixture_leases(f, 2, 2, 2, FIXTURE_NOW + 5);
	assert_int_equal(in_journal(f, "client-2.example"), 2);
	fixture_stage(f, &e);
	fixture_commit(f);
	/* Gone for a reader at once. */
	assert_int_equal(kmsdb_bundle_read(f->db, 1, 1, bundle, sizeof(bundle), &len), KMS_OK);
	assert_int_equal(lease_verify(&lease, bundle, len, &cert, NULL, NULL), KMS_OK);
	assert_int_equal(lease_names(&names, bundle, len, &lease), KMS_E_NOT_FOUND);
	fixture_erased(f);
	assert_int_equal(in_journal(f, "client-2.example"), 1);
	assert_int_equal(in_journal(f, "client-3.example"), 2);
	/* The next append writes the same block of the disk. */
	fixture_leases(f, 6, 1, 1, FIXTURE_NOW + 6);
	assert_int_equal(in_journal(f, "client-2.example"), 1);
	assert_int_equal(kmsdb_bundle_read(f->db, 2, 0, bundle, sizeof(bundle), &len), KMS_OK);
	assert_int_equal(lease_verify(&lease, bundle, len, &cert, NULL, NULL), KMS_OK);
	assert_int_equal(lease_names(&names, bundle, len, &lease), KMS_OK);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
	/* Killed between the entry and its work: the next start does it. */
	fixture_crash(f, erase_and_die);
	fixture_open(f);
	fixture_erased(f);
	assert_int_equal(in_journal(f, "client-3.example"), 0);
	assert_int_equal(in_journal(f, "client-4.example"), 1);
	/* All clients, up to a time. */
	e.all = true;
	e.time = FIXTURE_NOW + 40;
	e.value = FIXTURE_NOW + 4;
	fixture_stage(f, &e);
	fixture_commit(f);
	fixture_erased(f);
	assert_int_equal(in_journal(f, "client-1.example"), 0);
	assert_int_equal(in_journal(f, "client-4.example"), 0);
	assert_int_equal(in_journal(f, "client-2.example"), 1);
	assert_int_equal(kmsdb_cold_get(f->db, client(f, 4).cmid, &h), KMS_OK);
	assert_string_equal(h.name, "");
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
	fixture_drop_index(f);
	fixture_open(f);
	assert_int_equal(kmsdb_cold_get(f->db, client(f, 2).cmid, &h), KMS_OK);
	assert_string_equal(h.name, "client-2.example");
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
}

/* The row on disk is of before the time, the one in memory of after it: its names stay. */
static void
test_erase_keeps_later(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_ERASE,
		.all = true,
		.time = FIXTURE_NOW + 20,
		.value = FIXTURE_NOW + 10 };
	struct kmsdb_cold h;

	fixture_leases(f, 1, 2, 1, FIXTURE_NOW);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	fixture_leases(f, 2, 1, 2, FIXTURE_NOW + 20);
	fixture_stage(f, &e);
	fixture_commit(f);
	fixture_erased(f);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	assert_int_equal(kmsdb_cold_get(f->db, client(f, 1).cmid, &h), KMS_OK);
	assert_string_equal(h.name, "");
	assert_int_equal(kmsdb_cold_get(f->db, client(f, 2).cmid, &h), KMS_OK);
	assert_string_equal(h.name, "client-2.example");
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
}

static void
test_host_changes(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.client = 1,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = FIXTURE_NOW,
		.name = "alpha" };
	struct kmsdb_cold h;
	uint8_t cmid[16];

	fixture_cmid(cmid, 1);
	fixture_stage(f, &e);
	fixture_commit(f);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	e.sequence = 2;
	e.time += 1000;
	e.name = "b\xc3\xa9ta";
	fixture_stage(f, &e);
	assert_int_equal(kmsdb_cold_get(f->db, cmid, &h), KMS_OK);
	assert_string_equal(h.name, "b\xc3\xa9ta");
	assert_int_equal(h.first_seen, FIXTURE_NOW);
	fixture_commit(f);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	assert_int_equal(kmsdb_cold_get(f->db, cmid, &h), KMS_OK);
	assert_string_equal(h.name, "b\xc3\xa9ta");
}

/* A commit that fails leaves rows, hosts, counters and the journal as they were. */
static void
test_undo(void **state)
{
	struct fixture *f = *state;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.product = 2,
		.pool = 2,
		.sequence = 2,
		.time = FIXTURE_NOW + 5 * 86400,
		.name = "renamed" };
	struct kmsdb_client before[6], after;
	struct kmsdb_info info;
	struct kmsdb_cold h;

	fixture_leases(f, 1, 5, 1, FIXTURE_NOW);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	fixture_leases(f, 4, 1, 2, FIXTURE_NOW);
	for (uint32_t i = 1; i <= 5; i++)
		before[i] = client(f, i);
	for (e.client = 1; e.client <= 8; e.client++)
		fixture_stage(f, &e);
	e.client = 2;
	e.kind = ENTRY_FORGET;
	fixture_stage(f, &e);
	e.kind = ENTRY_LEASE;
	e.sequence = 3;
	fixture_stage(f, &e);
	e.kind = ENTRY_ERASE;
	e.sequence = 0;
	e.all = true;
	e.value = e.time;
	fixture_stage(f, &e);
	assert_int_equal(kmsdb_staged(f->db), 11);
	f->sign_fails = KMS_E_NO_MEMORY;
	assert_int_equal(fixture_try_commit(f), KMS_E_NO_MEMORY);
	assert_int_equal(kmsdb_staged(f->db), 0);
	for (uint32_t i = 1; i <= 5; i++) {
		after = client(f, i);
		assert_memory_equal(&before[i], &after, sizeof(after));
		assert_int_equal(kmsdb_cold_get(f->db, after.cmid, &h), KMS_OK);
		assert_string_not_equal(h.name, "renamed");
		assert_string_not_equal(h.name, "");
	}
	is_absent(f, 6);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 5);
	assert_int_equal(pool_count_at(f, 2, FIXTURE_DAY + 5), 0);
	kmsdb_info(f->db, &info);
	assert_int_equal(info.last_batch, 2);
	fixture_leases(f, 6, 1, 1, FIXTURE_NOW);
	kmsdb_info(f->db, &info);
	assert_int_equal(info.last_batch, 3);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), 6);
}

static void
test_bounds(void **state)
{
	struct fixture *f = *state;
	uint8_t big[ENTRY_MAX + 1] = { ENTRY_VERSION, ENTRY_START };
	struct item item = { .entry = big, .entry_len = sizeof(big) };
	struct fixture_item made;
	struct fixture_entry e = {
		.kind = ENTRY_SEEN, .product = 1, .pool = 1, .sequence = 1, .time = FIXTURE_NOW
	};
	uint32_t leaf;

	assert_int_equal(kmsdb_stage(f->db, &item, &leaf), KMS_E_TOO_LARGE);
	big[1] = 127;
	item.entry_len = 16;
	assert_int_equal(kmsdb_stage(f->db, &item, &leaf), KMS_E_SCHEMA);
	fixture_encode(f, &made, &e);
	made.item.entry_len--;
	assert_int_not_equal(kmsdb_stage(f->db, &made.item, &leaf), KMS_OK);
	assert_int_equal(kmsdb_staged(f->db), 0);
	fixture_commit(f);
	for (uint32_t i = 0; i < KMSDB_BATCH_MAX; i++) {
		assert_false(kmsdb_full(f->db));
		e.client = i;
		fixture_stage(f, &e);
	}
	assert_true(kmsdb_full(f->db));
	assert_int_equal(fixture_try_stage(f, &e), KMS_E_TOO_LARGE);
	fixture_commit(f);
	assert_int_equal(pool_count_at(f, 1, FIXTURE_DAY), KMSDB_BATCH_MAX);
}

/* A batch is bounded in bytes too: 1,024 of the largest entries take several commits. */
static void
test_bounds_in_bytes(void **state)
{
	static uint8_t entry[ENTRY_MAX], text[ENTRY_MAX];
	struct fixture *f = *state;
	struct entry_admin a = { .kind = ENTRY_POLICY, .time = FIXTURE_NOW, .text = (char *)text };
	struct item item = { .entry = entry };
	struct kmsdb_info info;
	uint32_t leaf, commits = 0;
	int rc;

	memset(text, 'x', sizeof(text));
	a.text_len = ENTRY_MAX - 68;
	item.entry_len = entry_admin_encode(entry, sizeof(entry), &a);
	assert_int_equal(item.entry_len, ENTRY_MAX);
	for (uint32_t i = 0; i < 1024; i++) {
		if ((rc = kmsdb_stage(f->db, &item, &leaf)) == KMS_E_TOO_LARGE) {
			assert_int_equal(kmsdb_staged(f->db), RECORD_OCTETS / item_size(&item));
			assert_true(kmsdb_full(f->db));
			fixture_commit(f);
			commits++;
			rc = kmsdb_stage(f->db, &item, &leaf);
		}
		assert_int_equal(rc, KMS_OK);
	}
	fixture_commit(f);
	assert_int_equal(commits, 1024 / (RECORD_OCTETS / item_size(&item)));
	kmsdb_info(f->db, &info);
	assert_int_equal(info.last_batch, commits + 1);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
}

/* 1,024 of the largest entries of clients always fit. */
static void
test_largest_clients(void **state)
{
	struct fixture *f = *state;
	char name[MESSAGE_NAME + 1] = { 0 };
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = FIXTURE_NOW,
		.name = name,
		.user = name };
	struct fixture_item made;
	uint32_t leaf;

	memset(name, 'n', MESSAGE_NAME);
	for (e.client = 0; e.client < KMSDB_BATCH_MAX; e.client++) {
		fixture_encode(f, &made, &e);
		/* The longest tail, of one type that nobody knows. */
		memset(made.entry + ENTRY_CLIENT_FIXED, 0, TAIL_ENTRY_CLIENT);
		made.entry[ENTRY_CLIENT_FIXED] = 0x10;
		made.entry[ENTRY_CLIENT_FIXED + 3] = TAIL_ENTRY_CLIENT - 4;
		made.item.entry_len = ENTRY_CLIENT_MAX;
		assert_int_equal(item_size(&made.item), ITEM_CLIENT_MAX);
		assert_int_equal(kmsdb_stage(f->db, &made.item, &leaf), KMS_OK);
	}
	fixture_commit(f);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
	fixture_open(f);
}

/* Bundles of the batch just committed, and of older ones read back, are leases that verify. */
static void
test_bundles(void **state)
{
	struct fixture *f = *state;
	struct certificate cert = certificate_of(f);
	uint8_t out[LEASE_MAX], again[LEASE_MAX], cmid[16];
	struct entry_client e;
	size_t len, len2;

	assert_int_equal(kmsdb_bundle(f->db, 0, out, sizeof(out)), 0);
	for (uint32_t n = 1; n <= 70; n += 23) {
		fixture_leases(f, 100 * n, n, 1, FIXTURE_NOW);
		for (uint32_t i = 0; i < n; i++) {
			len = kmsdb_bundle(f->db, i, out, sizeof(out));
			assert_true(len > 0 && len <= LEASE_MAX);
			fixture_cmid(cmid, 100 * n + i);
			assert_int_equal(lease_verify(&e, out, len, &cert, cmid, NULL), KMS_OK);
			assert_int_equal(kmsdb_bundle_read(f->db, client(f, 100 * n + i).batch, i,
					     again, sizeof(again), &len2),
			    KMS_OK);
			assert_int_equal(len, len2);
			assert_memory_equal(out, again, len);
		}
		assert_int_equal(kmsdb_bundle(f->db, n, out, sizeof(out)), 0);
		assert_int_equal(kmsdb_bundle(f->db, 0, out, 100), 0);
	}
	fixture_close(f);
	fixture_open(f);
	fixture_cmid(cmid, 100);
	assert_int_equal(kmsdb_bundle_read(f->db, 1, 0, out, sizeof(out), &len), KMS_OK);
	assert_int_equal(lease_verify(&e, out, len, &cert, cmid, NULL), KMS_OK);
	assert_int_equal(kmsdb_bundle_read(f->db, 1, 1, out, sizeof(out), &len), KMS_E_NOT_FOUND);
	assert_int_equal(kmsdb_bundle_read(f->db, 0, 0, out, sizeof(out), &len), KMS_E_NOT_FOUND);
	assert_int_equal(kmsdb_bundle_read(f->db, 99, 0, out, sizeof(out), &len), KMS_E_NOT_FOUND);
	assert_int_equal(kmsdb_bundle_read(f->db, 2, 0, out, 10, &len), KMS_E_TOO_LARGE);
}

/* In a process of its own, as kmsctl is: LMDB wants an index opened once in a process. */
static int
reader_sees(struct fixture *f, uint32_t number, uint32_t count)
{
	struct kmsdb_options ro = { .read_only = true };
	struct kmsdb *reader = NULL;
	struct kmsdb_client c;
	uint8_t cmid[16];
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_cmid(cmid, number);
		if (kmsdb_open(&reader, f->dirfd, &ro, fixture_fault(f)) != KMS_OK) {
			fprintf(stderr, "# %s\n", f->fault.text);
			_exit(100);
		}
		if (kmsdb_stage(reader, &(struct item){ .entry = cmid, .entry_len = 16 },
			&c.leaf) == KMS_OK)
			_exit(101);
		if (kmsdb_pool_count(reader, f->publisher, 1, FIXTURE_MINUTE(FIXTURE_DAY)) != count)
			_exit(102);
		status = kmsdb_client_get(reader, cmid, &c);
		kmsdb_close(reader);
		_exit(status == KMS_OK ? 1 : status == KMS_E_NOT_FOUND ? 0 : 103);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_one_writer_many_readers(void **state)
{
	struct fixture *f = *state;
	struct kmsdb *second;
	struct fault fault = { 0 };

	assert_int_equal(kmsdb_open(&second, f->dirfd, &f->opt, &fault), KMS_E_EXISTS);
	fixture_leases(f, 1, 10, 1, FIXTURE_NOW);
	assert_int_equal(reader_sees(f, 1, 0), 0);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	assert_int_equal(reader_sees(f, 1, 10), 1);
	assert_int_equal(reader_sees(f, 11, 10), 0);
	fixture_close(f);
	assert_int_equal(reader_sees(f, 10, 10), 1);
	fixture_open(f);
}

static void
test_nothing_there(void **state)
{
	struct kmsdb_options ro = { .read_only = true };
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	f.opt = ro;
	assert_int_equal(fixture_try_open(&f), KMS_E_NOT_FOUND);
	assert_non_null(strstr(f.fault.text, "no ledger"));
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lease_is_seen_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_survives_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_product_moves_the_seat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release_and_return, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusal_changes_no_count, setup, teardown),
		cmocka_unit_test_setup_teardown(test_revoke_and_forget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_of_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_erase, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expire_stateless, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expire_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_erase_on_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_erase_keeps_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_undo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds_in_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bundles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_writer_many_readers, setup, teardown),
		cmocka_unit_test(test_nothing_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
