/*
 * test_kmsdb_index.c - the index is what the journal says, whatever happens: random
 * lives of clients, kills during checkpoints, maps and overlays that are too small, full disks.
 *
 * KMS_SEED=n repeats a run; the seed is printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsdb/apply.h"
#include "kmsdb/index.h"
#include "kmsdb/seats.h"
#include "kmsdb/usage.h"
#include "libkms/base/file.h"
#include "libkms/core/entry_blobs.h"
#include "t/unit/ledger_fixture.h"
#include "t/unit/seeded.h"

/* What a client must look like: as much of apply.h as one can say in another way. */
struct model {
	bool known, revoked;
	uint32_t until;
	uint16_t pool;
	uint64_t sequence;
};
#define CLIENTS 3000
static struct model model[CLIENTS];

static void
one_entry(struct fixture *f, uint64_t time)
{
	static const int kinds[] = { ENTRY_LEASE, ENTRY_LEASE, ENTRY_LEASE, ENTRY_LEASE, ENTRY_SEEN,
		ENTRY_SEEN, ENTRY_RELEASE, ENTRY_REFUSAL, ENTRY_REVOKE, ENTRY_UNREVOKE,
		ENTRY_FORGET, ENTRY_ERASE, ENTRY_HOLD, ENTRY_RECLAIM, ENTRY_POLICY, ENTRY_WITNESS,
		ENTRY_RESTORED, ENTRY_CLOCK, ENTRY_CERTIFICATE, ENTRY_COUNTERS };
	struct fixture_entry e = { .kind = kinds[pick(20)], .client = pick(CLIENTS), .time = time };
	struct model *m = &model[e.client];
	char name[32];

	e.product = 1 + pick(3);
	e.pool = (uint16_t)(1 + e.product % 2);
	e.class = (uint16_t)pick(2);
	e.sequence = m->sequence + (entry_kind_is_client(e.kind) ? 1 : 0);
	e.flags = pick(9) == 0 ? ENTRY_CLONE : 0;
	e.bound = (uint8_t)pick(3);
	e.value = e.kind == ENTRY_ERASE ? time - pick(9000) : e.kind == ENTRY_HOLD ? time + 9 : 0;
	if (e.kind == ENTRY_ERASE) {
		e.sequence = 0;
		e.all = pick(8) == 0;
	}
	if (entry_blobs_kind(e.kind)) {
		e.client = pick(40); /* so that some come twice */
		e.sequence = 1 + pick(300);
		e.value = time - pick(50000);
	}
	if (e.kind == ENTRY_COUNTERS)
		e.value = 1 + pick(9);
	e.count = 1 + pick(99);
	snprintf(name, sizeof(name), "h%u", pick(20) == 0 ? pick(9) : e.client);
	e.name = name;
	fixture_stage(f, &e);
	if (entry_blobs_kind(e.kind) || e.all)
		return;
	m->known = true;
	if (e.kind == ENTRY_REFUSAL || e.kind == ENTRY_ERASE || e.kind == ENTRY_HOLD)
		return;
	m->sequence = e.sequence;
	m->until = 0;
	m->pool = e.pool;
	if (e.kind == ENTRY_LEASE || e.kind == ENTRY_SEEN)
		m->until = entry_counts_until(time, FIXTURE_WINDOW);
	if (e.kind == ENTRY_REVOKE || e.kind == ENTRY_UNREVOKE)
		m->revoked = e.kind == ENTRY_REVOKE;
}

static void
matches_model(struct fixture *f)
{
	uint32_t counts[3] = { 0 };

	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct kmsdb_client c;
		uint8_t cmid[16];
		fixture_cmid(cmid, i);
		assert_int_equal(
		    kmsdb_client_get(f->db, cmid, &c), model[i].known ? KMS_OK : KMS_E_NOT_FOUND);
		if (!model[i].known)
			continue;
		assert_int_equal(c.sequence, model[i].sequence);
		assert_int_equal(c.until, model[i].until);
		assert_int_equal(c.flags & KMSDB_REVOKED ? 1 : 0, model[i].revoked);
		counts[model[i].pool] += model[i].until != 0 && !model[i].revoked;
	}
	for (uint16_t pool = 1; pool <= 2; pool++)
		assert_int_equal(
		    kmsdb_pool_count(f->db, f->publisher, pool, FIXTURE_MINUTE(FIXTURE_DAY)),
		    counts[pool]);
}

static int
hash_client(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	crypto_generichash_update(arg, (const uint8_t *)c, sizeof(*c));
	crypto_generichash_update(arg, (const uint8_t *)cold, sizeof(*cold));
	return 0;
}

static int
hash_count(const struct kmsdb_count *c, void *arg)
{
	uint32_t v[5] = { c->pool, c->class, c->borrowed, c->until, c->clients };

	crypto_generichash_update(arg, c->publisher, 8);
	crypto_generichash_update(arg, (const uint8_t *)v, sizeof(v));
	return 0;
}

static int
hash_usage(const struct kmsdb_usage *u, void *arg)
{
	uint64_t v[10] = { u->pool, u->status, u->day, u->peak, u->end, u->first, u->renewals,
		u->releases, u->clients, u->refusals };

	crypto_generichash_update(arg, u->publisher, 8);
	crypto_generichash_update(arg, (const uint8_t *)v, sizeof(v));
	return 0;
}

/* Is it installed? */
static void
hash_certificate(struct fixture *f, crypto_generichash_state *state, uint32_t client)
{
	uint8_t digest[32], is;

	crypto_hash_sha256(digest, (const uint8_t *)&client, sizeof(client));
	is = kmsdb_installed(f->db, digest) == KMS_OK;
	crypto_generichash_update(state, &is, 1);
}

static void
index_hash(struct fixture *f, uint8_t out[32])
{
	crypto_generichash_state state;
	struct kmsdb_history history;

	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	crypto_generichash_init(&state, NULL, 0, 32);
	assert_int_equal(kmsdb_each_client(f->db, hash_client, &state), 0);
	assert_int_equal(kmsdb_each_count(f->db, hash_count, &state), 0);
	assert_int_equal(kmsdb_each_usage(f->db, NULL, f->time, hash_usage, &state), 0);
	assert_int_equal(kmsdb_history(f->db, &history), KMS_OK);
	crypto_generichash_update(&state, (const uint8_t *)&history, sizeof(history));
	for (uint32_t i = 0; i < 40; i++)
		hash_certificate(f, &state, i);
	crypto_generichash_final(&state, out, 32);
}

struct looked {
	struct kmsdb_client row;
	int status;
};
static void
look_at_all(struct fixture *f, struct looked looked[CLIENTS])
{
	uint8_t cmid[16];

	for (uint32_t i = 0; i < CLIENTS; i++) {
		fixture_cmid(cmid, i);
		looked[i].status = kmsdb_client_get(f->db, cmid, &looked[i].row);
	}
}

/* Rows that are remembered are those of overlay and index. */
static void
remembers_right(struct fixture *f)
{
	static struct looked with[CLIENTS], without[CLIENTS];

	look_at_all(f, with);
	kmsdb_remember(f->db, 0, 0);
	look_at_all(f, without);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		assert_int_equal(with[i].status, without[i].status);
		if (with[i].status == KMS_OK)
			assert_memory_equal(&with[i].row, &without[i].row, sizeof(with[i].row));
	}
	kmsdb_remember(f->db, 1 + pick(2 * CLIENTS), 2 * CLIENTS);
}

/*
 * Random entries, commits that fail, checkpoints, restarts; then check, rebuild, compare.
 */
static void
test_random(void **state)
{
	struct fixture f;
	uint8_t before[32], after[32];
	uint64_t time = FIXTURE_NOW;

	(void)state;
	start_seed("random");
	fixture_make(&f, NULL);
	f.opt.overlay_records = 700;
	fixture_open(&f);
	memset(model, 0, sizeof(model));
	for (int batch = 0; batch < 300; batch++) {
		static struct model saved[CLIENTS];
		static struct looked looked[CLIENTS];
		bool fails = pick(10) == 0;
		memcpy(saved, model, sizeof(model));
		time += pick(20000);
		for (uint32_t n = 1 + pick(pick(4) == 0 ? 300 : 20); n > 0; n--)
			one_entry(&f, time);
		if (pick(3) == 0)
			look_at_all(&f, looked);
		if (pick(20) == 0)
			remembers_right(&f);
		if (fails) {
			f.sign_fails = KMS_E_IO;
			assert_int_equal(fixture_try_commit(&f), KMS_E_IO);
			memcpy(model, saved, sizeof(model));
		} else {
			fixture_commit(&f);
		}
		if (pick(20) == 0)
			assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
		if (pick(40) == 0) {
			fixture_close(&f);
			fixture_open(&f);
		}
		if (pick(8) == 0)
			remembers_right(&f);
		if (batch % 60 == 0)
			matches_model(&f);
	}
	matches_model(&f);
	index_hash(&f, before);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_OK);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_open(&f);
	matches_model(&f);
	index_hash(&f, after);
	assert_memory_equal(before, after, 32);
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_E_EXISTS);
	fixture_remove(&f);
}

/* -- order -- */

#define MANY 400
#define FEW 12 /* clients */
#define HOSTS 3

struct one {
	struct fixture_item made;
	struct apply_place place;
};
struct rows {
	struct client_row row;
	struct kmsdb_cold cold;
	bool exists;
};

/*
 * Entries of a few clients in chains of so many hosts: sequence numbers, times, counters and asides
 * at random. Counters of different hosts meet.
 */
static void
make_many(struct fixture *f, struct one *many, uint16_t hosts)
{
	struct chain {
		uint64_t batch, counter;
		uint32_t leaf;
	} chains[HOSTS] = { 0 };

	static const int kinds[] = { ENTRY_LEASE, ENTRY_SEEN, ENTRY_RELEASE, ENTRY_REFUSAL,
		ENTRY_REVOKE, ENTRY_UNREVOKE, ENTRY_FORGET, ENTRY_RECLAIM, ENTRY_HOLD,
		ENTRY_ERASE };
	static const char *const names[] = { "a", "b", "c", "d" };
	static const uint32_t statuses[] = { KMS_E_CAPACITY, KMS_E_UNKNOWN_PRODUCT, KMS_E_CLONE };

	for (uint32_t i = 0; i < MANY; i++) {
		uint64_t time = FIXTURE_NOW + pick(40);
		struct fixture_entry e = { .kind = kinds[pick(10)], .client = pick(FEW) };
		uint16_t host = (uint16_t)pick(hosts);
		struct chain *c = &chains[host];

		e.time = time;
		e.product = pick(3);
		e.pool = (uint16_t)pick(2);
		e.sequence = e.kind == ENTRY_ERASE ? 0 : 1 + pick(20);
		e.value = e.kind == ENTRY_ERASE  ? time - pick(40)
			  : e.kind == ENTRY_HOLD ? time + pick(99)
						 : 0;
		e.flags = (uint16_t)(pick(4) | (pick(4) == 0 ? ENTRY_STATELESS : 0));
		e.name = names[pick(4)];
		e.nameless = pick(5) == 0;
		e.bound = (uint8_t)pick(3);
		e.request = 1 + pick(9);
		if (e.kind == ENTRY_REFUSAL)
			e.status = statuses[pick(3)];
		f->counter = c->counter;
		fixture_encode(f, &many[i].made, &e);
		c->counter = f->counter;
		if (c->batch == 0 || ++c->leaf == 7) {
			c->batch++;
			c->leaf = 0;
		}
		many[i].place =
		    (struct apply_place){ .chain = host, .batch = c->batch, .leaf = c->leaf };
	}
}

/* numbers: those that this index gave the chains. */
static void
apply_one(struct rows *all, const struct one *o, const struct merge_chains *chains,
    const uint16_t *numbers)
{
	struct apply_place place = o->place;
	struct item item = o->made.item;
	struct apply_entry e;
	struct kmsdb_cold *cold;
	struct rows *r = NULL;
	uint8_t cmid[16];

	item.entry = o->made.entry;
	item.aside = o->made.aside;
	place.chains = chains;
	place.chain = numbers != NULL ? numbers[place.chain] : 0;
	assert_int_equal(apply_decode(&e, &item, &place), KMS_OK);
	for (uint32_t i = 0; i < FEW; i++) {
		fixture_cmid(cmid, i);
		if (memcmp(cmid, e.key, 16) == 0)
			r = &all[i];
	}
	assert_non_null(r);
	cold = apply_needs_cold(&r->row, r->exists, &e, 0) ? &r->cold : NULL;
	apply(&r->row, cold, r->exists, &e);
	r->exists = true;
}

static void
same_rows(struct rows *a, struct rows *b)
{
	uint8_t x[ROW_COLD], y[ROW_COLD];

	for (uint32_t i = 0; i < FEW; i++) {
		a[i].row.shown = b[i].row.shown = 0;
		row_hot_encode(x, &a[i].row);
		row_hot_encode(y, &b[i].row);
		assert_memory_equal(x, y, ROW_HOT);
		assert_memory_equal(a[i].row.c.product, b[i].row.c.product, 16);
		assert_int_equal(a[i].row.c.pool, b[i].row.c.pool);
		assert_int_equal(a[i].row.c.seated, b[i].row.c.seated);
		assert_int_equal(row_cold_encode(x, &a[i].cold), row_cold_encode(y, &b[i].cold));
		assert_memory_equal(x, y, row_cold_encode(x, &a[i].cold));
	}
}

/* The chain of each row, as its host; nothing but that differs when chains have other numbers. */
static void
name_hosts(struct rows *all, const uint16_t *numbers)
{
	uint16_t host[HOSTS] = { 0 };

	for (uint16_t h = 0; h < HOSTS; h++)
		host[numbers[h]] = h;
	for (uint32_t i = 0; i < FEW; i++) {
		all[i].row.c.chain = host[all[i].row.c.chain];
		all[i].cold.revocation.chain = host[all[i].cold.revocation.chain];
		all[i].cold.hold.chain = host[all[i].cold.hold.chain];
	}
}

/* A row or register that nobody wrote has chain 0 at any host. */
static void
clear_unwritten(struct rows *all)
{
	for (uint32_t i = 0; i < FEW; i++) {
		if (all[i].row.c.kind == 0)
			all[i].row.c.chain = 0;
		if (all[i].cold.revocation.counter == 0)
			all[i].cold.revocation.chain = 0;
		if (all[i].cold.hold.counter == 0)
			all[i].cold.hold.chain = 0;
	}
}

/*
 * The same entries in any order, and some of them twice: the same rows. With several chains also
 * when each host has given them other numbers.
 */
static void
any_order(uint16_t hosts)
{
	static const uint8_t ids[HOSTS][16] = { { 5 }, { 2, 1 }, { 2, 7 } };
	static struct one many[MANY];
	struct rows first[FEW], other[FEW];
	struct fixture f;

	fixture_make(&f, NULL);
	for (int round = 0; round < 60; round++) {
		uint16_t plain[HOSTS] = { 0, 1, 2 }, turned[HOSTS];
		uint8_t turned_ids[HOSTS][16];
		const struct merge_chains one_list = { ids, HOSTS },
					  other_list = { turned_ids, HOSTS };
		uint16_t turn = (uint16_t)pick(HOSTS);
		uint32_t order[2 * MANY];
		uint32_t n = MANY;

		for (uint16_t h = 0; h < HOSTS; h++) {
			turned[h] = (uint16_t)((h + turn) % HOSTS);
			memcpy(turned_ids[turned[h]], ids[h], 16);
		}
		make_many(&f, many, hosts);
		memset(first, 0, sizeof(first));
		memset(other, 0, sizeof(other));
		for (uint32_t i = 0; i < MANY; i++) {
			apply_one(first, &many[i], hosts > 1 ? &one_list : NULL,
			    hosts > 1 ? plain : NULL);
			order[i] = i;
		}
		while (n < 2 * MANY - pick(MANY))
			order[n++] = pick(MANY);
		for (uint32_t i = n - 1; i > 0; i--) {
			uint32_t k = pick(i + 1), x = order[i];
			order[i] = order[k];
			order[k] = x;
		}
		for (uint32_t i = 0; i < n; i++)
			apply_one(other, &many[order[i]], hosts > 1 ? &other_list : NULL,
			    hosts > 1 ? turned : NULL);
		if (hosts > 1) {
			name_hosts(other, turned);
			clear_unwritten(other);
		}
		same_rows(first, other);
		f.counter = 0;
	}
	fixture_remove(&f);
}

static void
test_any_order(void **state)
{
	(void)state;
	start_seed("order");
	any_order(1);
}

static void
test_any_order_of_chains(void **state)
{
	(void)state;
	start_seed("order of chains");
	any_order(2);
	any_order(HOSTS);
}

/* Chains that are not in the list: an order, and the same one in both directions. */
static void
test_merge_order(void **state)
{
	static const uint8_t ids[2][16] = { { 9 }, { 3 } };
	const struct merge_chains chains = { ids, 2 };

	assert_int_equal(merge_order(NULL, 0, 0), 0);
	assert_int_equal(merge_order(&chains, 1, 1), 0);
	assert_int_equal(merge_order(&chains, 7, 7), 0);
	assert_true(merge_order(&chains, 0, 1) > 0);
	assert_true(merge_order(&chains, 1, 0) < 0);
	assert_true(merge_order(&chains, 2, 1) < 0);
	assert_true(merge_order(&chains, 1, 2) > 0);
	assert_true(merge_order(&chains, 2, 3) < 0);
	assert_true(merge_order(NULL, 3, 2) > 0);
}

/*
 * A case that random orders met once in many runs: the newest entry has no names, and the same
 * commitments as the one before it.
 */
static void
test_nameless_order(void **state)
{
	static const struct fixture_entry three[] = {
		{ .kind = ENTRY_SEEN, .time = FIXTURE_NOW + 14, .sequence = 2, .name = "a" },
		{ .kind = ENTRY_RELEASE,
		    .time = FIXTURE_NOW + 39,
		    .sequence = 10,
		    .name = "a",
		    .nameless = true },
		{ .kind = ENTRY_LEASE, .time = FIXTURE_NOW + 8, .sequence = 12, .name = "b" },
	};
	static const uint32_t orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
		{ 2, 0, 1 }, { 2, 1, 0 } };
	static struct one many[3];
	struct rows first[FEW] = { 0 }, other[FEW];
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	for (uint32_t i = 0; i < 3; i++) {
		fixture_encode(&f, &many[i].made, &three[i]);
		many[i].place = (struct apply_place){ .batch = 1 + i };
	}
	for (size_t o = 0; o < 6; o++) {
		memset(other, 0, sizeof(other));
		for (uint32_t i = 0; i < 3; i++)
			apply_one(o == 0 ? first : other, &many[orders[o][i]], NULL, NULL);
		if (o > 0)
			same_rows(first, other);
	}
	assert_string_equal(first[0].cold.name, "");
	fixture_remove(&f);
}

/* Batches for ever, each number told through the pipe once it is committed. */
static void
load(struct fixture *f, int report)
{
	struct fixture_entry e = { .kind = ENTRY_LEASE, .product = 1, .pool = 1 };

	fixture_open(f);
	for (uint32_t batch = 0;; batch++) {
		struct kmsdb_info info;
		uint64_t time = FIXTURE_NOW + pick(40) * 86400;
		for (uint32_t n = 1 + pick(600); n > 0; n--) {
			e.kind = pick(50) == 0 ? ENTRY_FORGET : ENTRY_LEASE;
			e.client = pick(40000);
			e.sequence = batch + 1;
			e.time = time + pick(3600);
			fixture_stage(f, &e);
		}
		fixture_commit(f);
		kmsdb_info(f->db, &info);
		if (write(report, &info.last_batch, 8) != 8)
			_exit(1);
	}
}

/* Killed at a random moment, mostly during checkpoints of several slices, again and again. */
static void
test_kill(void **state)
{
	struct fixture f;
	struct kmsdb_info info;

	(void)state;
	start_seed("kill");
	fixture_make(&f, NULL);
	f.opt.overlay_records = 9000;
	for (int round = 0; round < 12; round++) {
		uint32_t until = 1 + pick(60);
		uint64_t last = 0;
		int fds[2], status;
		pid_t pid;
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			seed += (uint64_t)round;
			load(&f, fds[1]);
		}
		close(fds[1]);
		for (uint32_t n = 0; n < until; n++)
			assert_int_equal(read(fds[0], &last, 8), 8);
		usleep(pick(3000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (read(fds[0], &last, 8) == 8)
			continue;
		close(fds[0]);
		status = fixture_check(&f);
		assert_true(status == KMS_OK || status == KMS_E_TORN);
		fixture_open(&f);
		kmsdb_info(f.db, &info);
		assert_in_range(info.last_batch, last, last + 1);
		fixture_close(&f);
		assert_int_equal(fixture_check(&f), KMS_OK);
	}
	fixture_remove(&f);
}

/* The check beside a writer at full speed: the same moment for index and journal, no false alarm.
 */
static void
test_check_beside_writer(void **state)
{
	struct fixture f;
	uint64_t last;
	int fds[2];
	pid_t pid;

	(void)state;
	start_seed("check");
	fixture_make(&f, NULL);
	f.opt.overlay_records = 5000;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		load(&f, fds[1]);
	}
	close(fds[1]);
	for (int round = 0; round < 6; round++) {
		for (int n = 0; n < 30; n++)
			assert_int_equal(read(fds[0], &last, 8), 8);
		assert_int_equal(fixture_check(&f), KMS_OK);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
	fixture_remove(&f);
}

static void
test_small_map(void **state)
{
	struct fixture f;
	struct kmsdb_info info;

	(void)state;
	fixture_make(&f, NULL);
	f.opt.map_size = 16384;
	f.opt.overlay_records = 2500;
	fixture_open(&f);
	for (uint32_t i = 0; i < 20; i++)
		fixture_leases(&f, i * 1000, 1000, 1, FIXTURE_NOW);
	assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
	assert_true(f.maps > 0);
	assert_int_equal(f.failed, 0);
	kmsdb_info(f.db, &info);
	assert_int_equal(info.clients, 20000);
	assert_true(info.map_size >= info.index_bytes && info.index_bytes > 20000 * 83);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_open(&f);
	assert_int_equal(
	    kmsdb_pool_count(f.db, f.publisher, 1, FIXTURE_MINUTE(FIXTURE_DAY)), 20000);
	fixture_remove(&f);
}

/* An overlay smaller than a batch: commits wait for the writer thread and lose nothing. */
static void
test_small_overlay(void **state)
{
	struct fixture f;
	struct kmsdb_info info;

	(void)state;
	fixture_make(&f, NULL);
	f.opt.overlay_records = 500;
	fixture_open(&f);
	for (uint32_t i = 0; i < 60; i++) {
		fixture_leases(&f, i * 300, KMSDB_BATCH_MAX, i + 1, FIXTURE_NOW);
		kmsdb_info(f.db, &info);
		assert_in_range(info.overlay, 0, 2 * (500 + KMSDB_BATCH_MAX));
	}
	assert_int_equal(
	    kmsdb_pool_count(f.db, f.publisher, 1, FIXTURE_MINUTE(FIXTURE_DAY)), 59 * 300 + 1024);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_remove(&f);
}

/* Gone or spoilt, the index comes back from the journal. */
static void
test_lost_index(void **state)
{
	struct fixture f;
	uint8_t before[32], after[32];
	char path[512];
	int fd;

	(void)state;
	fixture_make(&f, NULL);
	fixture_open(&f);
	fixture_leases(&f, 1, 1000, 1, FIXTURE_NOW);
	fixture_leases(&f, 500, 1000, 2, FIXTURE_NOW + 86400);
	index_hash(&f, before);
	fixture_close(&f);
	fixture_drop_index(&f);
	fixture_open(&f);
	index_hash(&f, after);
	assert_memory_equal(before, after, 32);
	fixture_close(&f);
	snprintf(path, sizeof(path), "%s/kmsdb/index/data.mdb", f.path);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, path, 300, 0), 300);
	assert_int_equal(pwrite(fd, path, 300, 4096), 300);
	close(fd);
	assert_int_not_equal(fixture_try_open(&f), KMS_OK);
	assert_non_null(strstr(f.fault.text, "index"));
	assert_int_not_equal(fixture_check(&f), KMS_OK);
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_OK);
	fixture_open(&f);
	index_hash(&f, after);
	assert_memory_equal(before, after, 32);
	fixture_remove(&f);
}

static void
edit_index(struct fixture *f, void (*edit)(struct index *ix))
{
	struct index *ix;
	int fd = openat(f->dirfd, "kmsdb", O_RDONLY | O_DIRECTORY);

	assert_int_equal(
	    index_open(&ix, fd, "index", INDEX_WRITE, 64 << 20, fixture_fault(f)), KMS_OK);
	assert_int_equal(index_begin(ix), KMS_OK);
	edit(ix);
	assert_int_equal(index_commit(ix), KMS_OK);
	index_close(ix);
	close(fd);
}

static uint32_t schema_to_write;
static uint64_t last_to_write;
static unsigned busy_calls;

static void
other_schema(struct index *ix)
{
	struct index_meta meta;

	assert_int_equal(index_get_meta(ix, &meta), KMS_OK);
	meta.schema = schema_to_write;
	if (last_to_write != 0)
		meta.last = last_to_write;
	index_put_meta(ix, &meta);
}

static void
wrong_counter(struct index *ix)
{
	struct seat seat = { .pool = 1 };
	uint8_t key[ROW_COUNT_KEY];

	memcpy(seat.publisher, "PUBLISHR", 8);
	seats_count_key(
	    key, &seat, false, ROW_HOLDER_NONE, entry_counts_until(FIXTURE_NOW, FIXTURE_WINDOW));
	index_count(ix, key, 1);
}

static void
wrong_client(struct index *ix)
{
	uint8_t cmid[16], old[ROW_HOT], row[ROW_HOT];
	bool had;

	fixture_cmid(cmid, 4);
	memset(row, 0, sizeof(row));
	index_swap_hot(ix, cmid, row, old, &had);
	assert_true(had);
	old[15] ^= 1; /* its sequence number */
	index_swap_hot(ix, cmid, old, row, &had);
}

static void
wrong_names(struct index *ix)
{
	struct kmsdb_cold cold = { .first_seen = FIXTURE_NOW, .name = "another" };
	uint8_t cmid[16], row[ROW_COLD];

	fixture_cmid(cmid, 4);
	index_put(ix, INDEX_COLD, cmid, 16, row, row_cold_encode(row, &cold));
}

static void
wrong_witness(struct index *ix)
{
	uint8_t key[ROW_OWN_KEY] = { 9 }, row[ROW_WITNESS] = { 0, 0, 0, 0, 0, 0, 0, 1 };

	index_put(ix, INDEX_WITNESSES, key, sizeof(key), row, sizeof(row));
}

static void
no_restored(struct index *ix)
{
	static const uint8_t key[ROW_OWN_KEY] = { 0, 0, 0, 0, 0, 0, 0, 2 };

	index_delete(ix, INDEX_RESTORED, key, sizeof(key));
}

static void
wrong_clock(struct index *ix)
{
	struct index_meta meta;

	assert_int_equal(index_get_meta(ix, &meta), KMS_OK);
	meta.floors.clock++;
	index_put_meta(ix, &meta);
}

static void
wrong_usage(struct index *ix)
{
	uint8_t key[ROW_USAGE_KEY], row[ROW_USAGE] = { 0 };

	usage_key(key, (const uint8_t *)"PUBLISHR", 1, FIXTURE_DAY, 0);
	index_put(ix, INDEX_USAGE, key, sizeof(key), row, sizeof(row));
}

static void
other_usage(struct index *ix)
{
	uint8_t key[ROW_USAGE_KEY], row[8] = { 1 };

	usage_key(key, (const uint8_t *)"PUBLISHR", 1, FIXTURE_DAY, KMS_E_CAPACITY);
	index_put(ix, INDEX_USAGE, key, sizeof(key), row, sizeof(row));
}

static void
no_client(struct index *ix)
{
	uint8_t cmid[16];

	fixture_cmid(cmid, 5);
	index_delete(ix, INDEX_HOT, cmid, 16);
}

/*
 * A schema of tomorrow is refused, and one of yesterday is made again; what the index should not
 * say is found by the check.
 */
static void
count_busy(void *arg)
{
	(void)arg;
	busy_calls++;
}

static void
test_wrong_index(void **state)
{
	static void (*const edits[])(struct index *) = { wrong_counter, wrong_client, wrong_names,
		no_client, wrong_witness, no_restored, wrong_clock, wrong_usage, other_usage };
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	fixture_open(&f);
	fixture_leases(&f, 1, 9, 1, FIXTURE_NOW);
	fixture_stage(&f, &(struct fixture_entry){ .kind = ENTRY_RESTORED, .time = FIXTURE_NOW });
	fixture_commit(&f);
	fixture_close(&f);
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		assert_int_equal(fixture_check(&f), KMS_OK);
		edit_index(&f, edits[i]);
		assert_int_equal(fixture_check(&f), KMS_E_ALTERED);
		assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_OK);
	}
	schema_to_write = INDEX_SCHEMA + 1;
	edit_index(&f, other_schema);
	fixture_copy(&f, "kmsdb/index/data.mdb", "before");
	assert_int_equal(fixture_try_open(&f), KMS_E_SCHEMA);
	assert_non_null(strstr(f.fault.text, "kmsdb/index: written by another version"));
	assert_non_null(strstr(f.fault.text, "(by kmsd " PACKAGE_VERSION ")"));
	assert_non_null(strstr(f.fault.text, "Install kmsd " PACKAGE_VERSION " again."));
	assert_non_null(strstr(f.fault.text, "run kmsctl ledger rebuild"));
	fixture_same(&f, "kmsdb/index/data.mdb", "before");
	/* This version knows the whole journal, so rebuild may go back from a later index. */
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_OK);
	schema_to_write = INDEX_SCHEMA - 1;
	edit_index(&f, other_schema);
	f.opt.read_only = true;
	assert_int_equal(fixture_try_open(&f), KMS_E_SCHEMA);
	assert_non_null(strstr(f.fault.text, "Start kmsd, which makes it again"));
	f.opt.read_only = false;
	f.opt.busy = count_busy;
	fixture_open(&f);
	/* Each batch, and the end, in which the disk may take its time. */
	assert_true(busy_calls >= 3);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	assert_false(kmsdb_restored_told(f.dirfd));
	fixture_remove(&f);
}

/* An index of yesterday that has a batch of which the journal lost the end: the host must say so.
 */
static void
test_old_index_ahead(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, NULL);
	fixture_open(&f);
	fixture_leases(&f, 1, 9, 1, FIXTURE_NOW);
	fixture_close(&f);
	schema_to_write = INDEX_SCHEMA - 1;
	last_to_write = 99;
	edit_index(&f, other_schema);
	last_to_write = 0;
	fixture_open(&f);
	assert_true(kmsdb_restored_told(f.dirfd));
	fixture_remove(&f);
}

static void
file_is(struct fixture *f, const char *path, const char *text)
{
	char found[128];
	size_t len;

	assert_int_equal(
	    file_read_into(f->dirfd, path, FILE_OURS, found, sizeof(found), &len), KMS_OK);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(found, text, len);
}

/* What packages of an earlier version read. */
static void
test_version_file(void **state)
{
	char want[128];
	struct fixture f;

	(void)state;
	snprintf(want, sizeof(want), "index %d\nkmsd %s\n", INDEX_SCHEMA, PACKAGE_VERSION);
	fixture_make(&f, NULL);
	fixture_open(&f);
	fixture_close(&f);
	file_is(&f, "kmsdb/version", want);
	assert_int_equal(
	    file_write(f.dirfd, "kmsdb/version", "index 6\nkmsd 0.0.9\n", 19, 0600, true), KMS_OK);
	f.opt.read_only = true;
	fixture_open(&f);
	fixture_close(&f);
	file_is(&f, "kmsdb/version", "index 6\nkmsd 0.0.9\n");
	f.opt.read_only = false;
	fixture_open(&f);
	file_is(&f, "kmsdb/version", want);
	fixture_remove(&f);
}

/* A small file system of our own, seen by this process alone. false: not allowed here. */
static bool
small_disk(const char *at, const char *size)
{
	char map[64], option[64];
	uid_t uid = getuid();
	static bool apart;
	int fd;

	if (!apart) {
		if (unshare(CLONE_NEWNS | (uid != 0 ? CLONE_NEWUSER : 0)) != 0)
			return false;
		if (uid != 0) {
			snprintf(map, sizeof(map), "0 %u 1", uid);
			fd = open("/proc/self/uid_map", O_WRONLY);
			if (fd < 0 || write(fd, map, strlen(map)) < 0)
				return false;
			close(fd);
		}
		if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
			return false;
		apart = true;
	}
	snprintf(option, sizeof(option), "size=%s", size);
	return mount("tmpfs", at, "tmpfs", 0, option) == 0;
}

static bool
disk_setup(struct fixture *f, char at[64], const char *size)
{
	snprintf(at, 64, "/tmp/kmsdb-disk-XXXXXX");
	assert_non_null(mkdtemp(at));
	if (!small_disk(at, size)) {
		rmdir(at);
		fprintf(stderr,
		    "*** NOT TESTED: a full disk under the ledger: no mount (%s). Run as root%s.\n",
		    strerror(errno),
		    errno == EINVAL ? ", and not in a chroot that is no mount point" : "");
		return false;
	}
	fixture_make(f, at);
	return true;
}

static void
disk_done(struct fixture *f, const char *at)
{
	fixture_remove(f);
	umount(at);
	rmdir(at);
}

/* Everything that is left but `spare` bytes. */
static void
fill_disk(struct fixture *f, size_t spare)
{
	static uint8_t octets[4096];
	char path[512];
	off_t size = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/filler", f->path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	memset(octets, 1, sizeof(octets));
	while (write(fd, octets, sizeof(octets)) == (ssize_t)sizeof(octets))
		size += (off_t)sizeof(octets);
	assert_true(size > (off_t)spare);
	assert_int_equal(ftruncate(fd, size - (off_t)spare), 0);
	close(fd);
}

static void
free_disk(struct fixture *f)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/filler", f->path);
	assert_int_equal(unlink(path), 0);
}

/* No room for another segment: refused, undone, nothing written; then there is room, and it goes
 * on. */
static void
test_full_journal(void **state)
{
	struct fixture_entry e = {
		.kind = ENTRY_LEASE, .product = 1, .pool = 1, .sequence = 9, .time = FIXTURE_NOW
	};
	struct kmsdb_info before, info;
	struct fixture f;
	uint32_t n, status = KMS_OK;
	char at[64];

	(void)state;
	if (!disk_setup(&f, at, "16m"))
		return; /* skip() of cmocka 1.1 is "not ok" to prove */
	f.opt.map_size = 4 << 20;
	f.opt.overlay_records = 30000;
	fixture_open(&f);
	fixture_leases(&f, 1, 100, 1, FIXTURE_NOW);
	assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
	fill_disk(&f, 0);
	for (n = 0; n < 12000 && status == KMS_OK; n += status == KMS_OK ? 500 : 0) {
		kmsdb_info(f.db, &before);
		for (uint32_t i = 0; i < 500; i++) {
			e.client = 1000 + n + i;
			fixture_stage(&f, &e);
		}
		status = (uint32_t)fixture_try_commit(&f);
	}
	assert_int_equal(status, KMS_E_FULL);
	assert_true(n >= 1000);
	for (int again = 0; again < 3; again++) {
		e.client = 1000 + n;
		fixture_stage(&f, &e);
		/* One small batch may still fit where 500 entries did not. */
		status = (uint32_t)fixture_try_commit(&f);
		assert_true(status == KMS_E_FULL || (status == KMS_OK && again == 0));
		if (status == KMS_OK)
			break;
		kmsdb_info(f.db, &info);
		assert_int_equal(info.last_batch, before.last_batch);
		assert_memory_equal(info.last_hash, before.last_hash, 32);
		assert_int_equal(
		    kmsdb_pool_count(f.db, f.publisher, 1, FIXTURE_MINUTE(FIXTURE_DAY)), 100 + n);
	}
	free_disk(&f);
	fixture_leases(&f, 100000, 700, 1, FIXTURE_NOW);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	disk_done(&f, at);
}

/* Room in the journal and none for the index: commits go on while the overlay has room. */
static void
test_full_index(void **state)
{
	struct kmsdb_info before, info;
	struct fixture_entry e = {
		.kind = ENTRY_LEASE, .product = 1, .pool = 1, .sequence = 1, .time = FIXTURE_NOW
	};
	struct fixture f;
	uint32_t n = 0;
	int rc;
	char at[64];

	(void)state;
	if (!disk_setup(&f, at, "32m"))
		return; /* skip() of cmocka 1.1 is "not ok" to prove */
	f.opt.segment_size = 16 << 20;
	f.opt.map_size = 16 << 20;
	f.opt.overlay_records = 2000;
	fixture_open(&f);
	fixture_leases(&f, 1, 100, 1, FIXTURE_NOW);
	assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
	fill_disk(&f, 8192);
	kmsdb_info(f.db, &before);
	do {
		n += 100;
		for (e.client = 1000 + n; e.client < 1100 + n; e.client++)
			fixture_stage(&f, &e);
		rc = fixture_try_commit(&f);
	} while (rc == KMS_OK && n < 20000);
	assert_int_equal(rc, KMS_E_FULL);
	n -= 100;
	assert_in_range(n, 2000, 2 * (2000 + KMSDB_BATCH_MAX));
	assert_int_equal(f.failed, 1);
	kmsdb_info(f.db, &info);
	assert_int_equal(info.index_batch, before.index_batch);
	assert_int_equal(info.last_batch, before.last_batch + n / 100);
	assert_int_equal(
	    kmsdb_pool_count(f.db, f.publisher, 1, FIXTURE_MINUTE(FIXTURE_DAY)), 100 + n);
	assert_int_equal(kmsdb_checkpoint(f.db), KMS_E_FULL);
	free_disk(&f);
	fixture_leases(&f, 50000, 50, 1, FIXTURE_NOW);
	assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
	kmsdb_info(f.db, &info);
	assert_int_equal(info.clients, 100 + n + 50);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	disk_done(&f, at);
}

/* A disk too full to begin with, or to open again. */
static void
test_full_open(void **state)
{
	struct fixture f;
	char at[64];

	(void)state;
	if (!disk_setup(&f, at, "8m"))
		return; /* skip() of cmocka 1.1 is "not ok" to prove */
	fill_disk(&f, 600000);
	assert_int_equal(fixture_try_open(&f), KMS_E_FULL);
	assert_non_null(strstr(f.fault.text, "space"));
	free_disk(&f);
	fixture_open(&f);
	fixture_leases(&f, 1, 10, 1, FIXTURE_NOW);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	disk_done(&f, at);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_any_order_of_chains),
		cmocka_unit_test(test_merge_order),
		cmocka_unit_test(test_nameless_order),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_check_beside_writer),
		cmocka_unit_test(test_small_map),
		cmocka_unit_test(test_small_overlay),
		cmocka_unit_test(test_lost_index),
		cmocka_unit_test(test_wrong_index),
		cmocka_unit_test(test_old_index_ahead),
		cmocka_unit_test(test_version_file),
		cmocka_unit_test(test_full_journal),
		cmocka_unit_test(test_full_index),
		cmocka_unit_test(test_full_open),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
