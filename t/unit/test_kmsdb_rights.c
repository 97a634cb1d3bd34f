/*
 * test_kmsdb_rights.c - the purse of each host that counts together with others is what a plain
 * scan of all entries that the host has says, in whatever order batches met, after kills, restarts
 * and rebuilds; no rebuild gives more than there was before; and an entry that is undone changes
 * nothing.
 *
 * KMS_SEED=n repeats a run; the seed is printed. KMS_ROUNDS=n runs so many, each with another seed.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kmsdb/parcel.h"
#include "kmsdb/share.h"
#include "kmsdb/share_rights.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/entry_blobs.h"
#include "t/unit/ledger_fixture.h"
#include "t/unit/seeded.h"

#define HOSTS 4
#define CLIENTS 24
#define POOLS 3 /* 1 and 2 by the day, 3 by the minute */
#define ACTS 8192
#define GIVES 2048

static uint8_t parcel[PARCEL_ONE_MAX];

static struct share {
	struct fixture hosts[HOSTS];
	unsigned count;
	uint64_t time;
	uint64_t sequences[CLIENTS];
	/* Of each host: what it was told by heartbeats, which never goes back. */
	uint64_t heard[HOSTS][HOSTS];
	uint32_t since[HOSTS];
} world;

/* -- what is written -- */

static void
stage_blob(struct fixture *f, uint8_t kind, const char *text, const uint8_t *blob, size_t len)
{
	struct entry_admin a = { .kind = kind, .time = world.time, .text = text, .blob = blob };
	uint8_t octets[ENTRY_MAX];
	struct item item = { .entry = octets };
	uint32_t leaf;

	memcpy(a.subject, f->host_id, 16);
	a.text_len = strlen(text);
	a.blob_len = len;
	item.entry_len = entry_admin_encode(octets, sizeof(octets), &a);
	assert_true(item.entry_len > 0);
	f->time = world.time;
	assert_int_equal(kmsdb_stage(f->db, &item, &leaf), KMS_OK);
}

static void
stage_share(struct fixture *f, bool first)
{
	const uint8_t octet = first;

	stage_blob(f, ENTRY_SHARE, "acme", &octet, 1);
}

static void
stage_give(struct fixture *f, const struct fixture *to)
{
	struct entry_give g = { .pool = (uint16_t)(1 + pick(POOLS)), .rights = 1 + pick(9) };
	uint8_t blob[ENTRY_GIVE_BLOB];

	memcpy(g.publisher, f->publisher, 8);
	memcpy(g.to, to->host_id, 16);
	stage_blob(f, ENTRY_GIVE, "", blob, entry_give_put(blob, sizeof(blob), &g));
}

static void
stage_held(struct fixture *f)
{
	struct entry_held h = { .pool = (uint16_t)(1 + pick(POOLS)), .rights = 1 + pick(9) };
	uint8_t blob[ENTRY_HELD_BLOB];

	memcpy(h.publisher, f->publisher, 8);
	h.until = world.time + 1 + pick(5 * 86400);
	stage_blob(f, ENTRY_HELD, "", blob, entry_held_put(blob, sizeof(blob), &h));
}

static int
by_host(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void
stage_heard(struct fixture *f)
{
	struct entry_heard list[HOSTS];
	uint8_t blob[HOSTS * ENTRY_HEARD_ONE];
	struct kmsdb_member m;
	unsigned n = 0;

	for (unsigned h = 0; h < world.count; h++) {
		if (&world.hosts[h] == f ||
		    kmsdb_share_member(f->db, world.hosts[h].host_id, &m) != KMS_OK || m.last == 0)
			continue;
		memcpy(list[n].host, m.host, 16);
		memcpy(list[n].hash, m.hash, 32);
		list[n++].number = m.last;
	}
	qsort(list, n, sizeof(list[0]), by_host);
	if (n > 0)
		stage_blob(f, ENTRY_HEARD, "", blob, entry_heard_put(blob, sizeof(blob), list, n));
}

static void
one_entry(struct fixture *f)
{
	static const int kinds[] = { ENTRY_LEASE, ENTRY_LEASE, ENTRY_LEASE, ENTRY_SEEN,
		ENTRY_RELEASE, ENTRY_REFUSAL, ENTRY_FORGET, ENTRY_RECLAIM, ENTRY_UNREVOKE };
	struct fixture_entry e = { .client = pick(CLIENTS), .time = world.time };
	const uint8_t alone = (uint8_t)pick(2);

	switch (pick(14)) {
	case 0:
		stage_give(
		    f, &world.hosts[(f - world.hosts + 1 + pick(world.count - 1)) % world.count]);
		return;
	case 1:
		stage_held(f);
		return;
	case 2:
		stage_heard(f);
		return;
	case 3:
		stage_blob(f, ENTRY_ALONE, "", &alone, 1);
		return;
	}
	e.kind = kinds[pick(sizeof(kinds) / sizeof(kinds[0]))];
	e.pool = (uint16_t)(1 + (pick(5) == 0 ? pick(POOLS) : e.client % POOLS));
	e.product = e.pool;
	world.sequences[e.client] += pick(4) > 0;
	e.sequence = world.sequences[e.client] + 1;
	e.counter = kmsdb_counter(f->db) + 1;
	/* Some ends are earlier than those before: what was borrowed is renewed. */
	e.window = e.pool == 3 ? 10 : (1 + pick(6)) * 1440;
	if (e.kind == ENTRY_LEASE || e.kind == ENTRY_SEEN)
		e.flags = pick(2) == 0 ? ENTRY_RIGHT : 0;
	if (entry_kind_is_client(e.kind) && pick(9) == 0 && e.kind < ENTRY_RELEASE)
		e.flags |= ENTRY_BORROWED;
	f->time = e.time;
	fixture_stage(f, &e);
}

static void
write_batch(struct fixture *f)
{
	world.time += pick(3) == 0 ? pick(43200) : pick(600);
	for (unsigned n = 1 + pick(6); n > 0; n--)
		one_entry(f);
	if (kmsdb_staged(f->db) == 0)
		return;
	if (pick(10) == 0) {
		f->sign_fails = KMS_E_IO;
		assert_int_equal(fixture_try_commit(f), KMS_E_IO);
	} else {
		fixture_commit(f);
	}
}

static void
hear(struct fixture *to, struct fixture *from)
{
	struct kmsdb_member m;
	unsigned count, taken;
	size_t len;

	assert_int_equal(kmsdb_share_member(to->db, from->host_id, &m), KMS_OK);
	assert_int_equal(kmsdb_share_parcel(
			     from->db, NULL, m.last + 1, parcel, &len, &count, fixture_fault(from)),
	    KMS_OK);
	if (count > 0)
		assert_int_equal(
		    kmsdb_share_take(to->db, parcel, len, &taken, fixture_fault(to)), KMS_OK);
}

/* -- a plain scan -- */

struct act {
	unsigned client, host, pool;
	int kind;
	uint64_t sequence, batch;
	uint32_t leaf, until;
	bool ends, right;
};
struct given {
	bool held;
	unsigned host, pool, to;
	uint32_t rights;
	uint64_t until;
};
static struct scanned {
	struct act acts[ACTS];
	unsigned act_count;
	struct given gives[GIVES];
	unsigned give_count;
	bool first;
} scanned;

static unsigned
client_of(const uint8_t cmid[16])
{
	uint8_t is[16];

	for (unsigned c = 0; c < CLIENTS; c++) {
		fixture_cmid(is, c);
		if (memcmp(is, cmid, 16) == 0)
			return c;
	}
	fail();
	return 0;
}

static unsigned
host_of(const uint8_t id[16])
{
	for (unsigned h = 0; h < world.count; h++)
		if (memcmp(world.hosts[h].host_id, id, 16) == 0)
			return h;
	fail();
	return 0;
}

static void
scan_client(const struct item *item, struct act a)
{
	struct entry_client e;

	assert_int_equal(entry_client_decode(&e, item->entry, item->entry_len), KMS_OK);
	if (e.kind == ENTRY_REFUSAL)
		return;
	a.client = client_of(e.cmid);
	a.kind = e.kind;
	a.sequence = e.sequence;
	a.pool = e.pool;
	a.until = e.until;
	a.right = (e.flags & ENTRY_RIGHT) != 0;
	scanned.acts[scanned.act_count++] = a;
}

static void
scan_about(const struct item *item, struct act a)
{
	struct entry_about e;

	assert_int_equal(entry_about_decode(&e, item->entry, item->entry_len), KMS_OK);
	a.client = client_of(e.cmid);
	a.kind = e.kind;
	a.sequence = e.through;
	a.ends = true;
	scanned.acts[scanned.act_count++] = a;
}

static void
scan_admin(const struct item *item, unsigned host, bool own)
{
	struct given *to = &scanned.gives[scanned.give_count];
	struct entry_admin a;
	struct entry_give g;
	struct entry_held h;

	assert_int_equal(entry_admin_decode(&a, item->entry, item->entry_len), KMS_OK);
	if (a.kind == ENTRY_SHARE && own)
		scanned.first = a.blob[0] == 1;
	if (a.kind == ENTRY_GIVE) {
		entry_give_get(&g, a.blob);
		*to = (struct given){ false, host, g.pool, host_of(g.to), g.rights, 0 };
		scanned.give_count++;
	} else if (a.kind == ENTRY_HELD) {
		entry_held_get(&h, a.blob);
		*to = (struct given){ true, host, h.pool, 0, h.rights, h.until };
		scanned.give_count++;
	}
	assert_true(scanned.give_count < GIVES);
}

static void
scan_chain(struct fixture *f, unsigned host)
{
	static struct item items[RECORD_ENTRIES];
	bool own = f == &world.hosts[host];
	struct parcel_reader p;
	struct foreign_batch b;
	unsigned count;
	size_t len;

	for (uint64_t from = 1;; from += count) {
		assert_int_equal(kmsdb_share_parcel(f->db, own ? NULL : world.hosts[host].host_id,
				     from, parcel, &len, &count, fixture_fault(f)),
		    KMS_OK);
		if (count == 0)
			return;
		assert_int_equal(parcel_open(&p, parcel, len, items), KMS_OK);
		for (uint64_t n = from; parcel_next(&p, &b) == KMS_OK; n++)
			for (uint32_t i = 0; i < b.count; i++) {
				struct act a = { .host = host, .batch = n, .leaf = i };
				int kind = entry_kind(b.items[i].entry, b.items[i].entry_len);

				assert_true(scanned.act_count < ACTS);
				if (entry_kind_is_client(kind))
					scan_client(&b.items[i], a);
				else if (entry_kind_is_about(kind))
					scan_about(&b.items[i], a);
				else
					scan_admin(&b.items[i], host, own);
			}
	}
}

static void
scan(struct fixture *f)
{
	memset(&scanned, 0, sizeof(scanned));
	for (unsigned h = 0; h < world.count; h++)
		scan_chain(f, h);
}

/* kms.journal(5), COUNTING. */
static int
order(const struct act *a, const struct act *b)
{
	int hosts = memcmp(world.hosts[a->host].host_id, world.hosts[b->host].host_id, 16);

	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	if (a->ends != b->ends)
		return a->ends ? 1 : -1;
	if (hosts != 0)
		return hosts;
	if (a->batch != b->batch)
		return a->batch < b->batch ? -1 : 1;
	return a->leaf < b->leaf ? -1 : a->leaf > b->leaf;
}

static const struct act *
highest(unsigned client, unsigned right_in)
{
	const struct act *best = NULL;

	for (unsigned i = 0; i < scanned.act_count; i++) {
		const struct act *a = &scanned.acts[i];

		if (a->client == client && (right_in == 0 || (a->right && a->pool == right_in)) &&
		    (best == NULL || order(a, best) > 0))
			best = a;
	}
	return best;
}

/* May a member that heard at least this see an act of the client there? */
static bool
seen(unsigned client, unsigned pool, uint32_t since, const uint64_t *heard)
{
	for (unsigned i = 0; i < scanned.act_count; i++) {
		const struct act *x = &scanned.acts[i];
		bool over = false;

		if (x->client != client || x->pool != pool || x->until <= since)
			continue;
		for (unsigned k = 0; k < scanned.act_count && !over; k++) {
			const struct act *y = &scanned.acts[k];

			over = y->client == client && order(y, x) > 0 && heard[y->host] >= y->batch;
		}
		if (!over)
			return true;
	}
	return false;
}

/* Bound rights: the fewest that are safe, and those until the last act itself was heard by all. */
static void
bound(unsigned host, unsigned pool, uint32_t since, const uint64_t *heard, uint64_t *least,
    uint64_t *most)
{
	*least = *most = 0;
	for (unsigned c = 0; c < CLIENTS; c++) {
		const struct act *row = highest(c, 0), *right = highest(c, pool);
		uint32_t longest = 0;

		if (right != NULL ? right->host != host : !scanned.first)
			continue;
		for (unsigned i = 0; i < scanned.act_count; i++)
			if (scanned.acts[i].client == c && scanned.acts[i].pool == pool &&
			    scanned.acts[i].until > longest)
				longest = scanned.acts[i].until;
		*least += (row != NULL && row->pool == pool && row->until > since) ||
			  seen(c, pool, since, heard);
		*most += (row != NULL && row->pool == pool && row->until > since) ||
			 (longest > since && heard[row->host] < row->batch);
	}
}

/* -- the comparison -- */

static void
ask(unsigned host, unsigned pool, struct rights_purse *out)
{
	struct fixture *f = &world.hosts[host];
	struct kmsdb_heard heard[HOSTS];
	struct kmsdb_beats beats = {
		.since = world.since[host], .now = world.time, .heard = heard
	};

	for (unsigned h = 0; h < world.count; h++) {
		if (world.heard[host][h] == 0)
			continue;
		memcpy(heard[beats.count].host, world.hosts[h].host_id, 16);
		heard[beats.count++].number = world.heard[host][h];
	}
	assert_int_equal(
	    kmsdb_rights(f->db, f->publisher, (uint16_t)pool, &beats, 100, out), KMS_OK);
}

static void
check_pool(unsigned host, unsigned pool, bool exactly)
{
	struct rights_purse is, should = { .first = scanned.first ? 100 : 0 };
	uint64_t least, most;

	ask(host, pool, &is);
	for (unsigned i = 0; i < scanned.give_count; i++) {
		const struct given *g = &scanned.gives[i];

		if (g->pool != pool)
			continue;
		if (g->held)
			should.held += g->host == host && g->until > world.time ? g->rights : 0;
		else if (g->host == host)
			should.given += g->rights;
		else if (g->to == host)
			should.received += g->rights;
	}
	bound(host, pool, world.since[host], world.heard[host], &least, &most);
	assert_int_equal(is.first, should.first);
	assert_int_equal(is.given, should.given);
	assert_int_equal(is.received, should.received);
	assert_int_equal(is.held, should.held);
	if (is.bound < least || is.bound > most || (exactly && is.bound != most))
		fail_msg("host %u, pool %u: %llu bound, %llu to %llu are", host, pool,
		    (unsigned long long)is.bound, (unsigned long long)least,
		    (unsigned long long)most);
}

static void
check(unsigned host)
{
	scan(&world.hosts[host]);
	for (unsigned pool = 1; pool <= POOLS; pool++)
		check_pool(host, pool, false);
}

/* Heartbeats: the ends that some clock still sees, and how far all have heard each chain. */
static void
beat(unsigned host)
{
	uint32_t since = (uint32_t)(world.time / 60) - pick(3 * 1440);
	struct kmsdb_member m;

	if (since > world.since[host])
		world.since[host] = since;
	for (unsigned h = 0; h < world.count; h++) {
		uint64_t *heard = &world.heard[host][h], all;

		assert_int_equal(
		    kmsdb_share_member(world.hosts[host].db, world.hosts[h].host_id, &m), KMS_OK);
		all = m.last - (m.last > 0 ? pick(m.last < 4 ? (uint32_t)m.last : 4) : 0);
		if (all > *heard)
			*heard = all;
	}
}

static void
die_at_work(struct fixture *f)
{
	for (unsigned n = pick(4); n > 0; n--)
		write_batch(f);
	if (pick(2) == 0)
		kmsdb_checkpoint(f->db);
	for (unsigned n = pick(4); n > 0; n--)
		write_batch(f);
	one_entry(f);
}

static void
kill_one(unsigned host)
{
	struct fixture *f = &world.hosts[host];

	fixture_close(f);
	fixture_crash(f, die_at_work);
	fixture_open(f);
	world.time += 10 * 86400;
	for (unsigned c = 0; c < CLIENTS; c++)
		world.sequences[c] += 20;
	check(host);
}

static void
rebuild_one(unsigned host)
{
	struct rights_purse before[POOLS + 1], after;
	struct fixture *f = &world.hosts[host];

	for (unsigned pool = 1; pool <= POOLS; pool++)
		ask(host, pool, &before[pool]);
	fixture_close(f);
	assert_int_equal(kmsdb_rebuild(f->dirfd, &f->opt, fixture_fault(f)), KMS_OK);
	fixture_open(f);
	scan(f);
	for (unsigned pool = 1; pool <= POOLS; pool++) {
		ask(host, pool, &after);
		assert_true(after.bound >= before[pool].bound);
		assert_true(rights_left(&after) <= rights_left(&before[pool]));
		check_pool(host, pool, true);
	}
}

static void
make_world(unsigned hosts)
{
	memset(&world, 0, sizeof(world));
	world.count = hosts;
	world.time = FIXTURE_NOW;
	for (unsigned h = 0; h < hosts; h++) {
		fixture_make(&world.hosts[h], NULL);
		fixture_host(&world.hosts[h], (uint8_t)(1 + h));
		world.hosts[h].opt.overlay_records = 200;
		fixture_open(&world.hosts[h]);
	}
	for (unsigned a = 0; a < hosts; a++) {
		stage_share(&world.hosts[a], a == 0);
		fixture_commit(&world.hosts[a]);
		for (unsigned k = 1; k < hosts; k++)
			assert_int_equal(kmsdb_share_follow(world.hosts[a].db,
					     world.hosts[(a + k) % hosts].sign_pk,
					     fixture_fault(&world.hosts[a])),
			    KMS_OK);
	}
}

static void
remove_world(void)
{
	for (unsigned h = 0; h < world.count; h++)
		fixture_remove(&world.hosts[h]);
}

static void
one_history(void)
{
	make_world(2 + pick(HOSTS - 1));
	for (unsigned step = 0; step < 90; step++) {
		unsigned a = pick(world.count), b = pick(world.count);

		switch (pick(24)) {
		case 0:
			kill_one(a);
			break;
		case 1:
			rebuild_one(a);
			break;
		case 2:
			fixture_close(&world.hosts[a]);
			fixture_open(&world.hosts[a]);
			check(a);
			break;
		case 3:
			kmsdb_checkpoint(world.hosts[a].db);
			break;
		case 4:
		case 5:
			beat(a);
			check(a);
			break;
		default:
			if (a == b || pick(2) == 0)
				write_batch(&world.hosts[a]);
			else
				hear(&world.hosts[a], &world.hosts[b]);
			check(a);
		}
	}
	for (unsigned h = 0; h < world.count; h++) {
		fixture_close(&world.hosts[h]);
		assert_int_equal(fixture_check(&world.hosts[h]), KMS_OK);
		fixture_open(&world.hosts[h]);
		check(h);
	}
	remove_world();
}

static void
test_histories(void **state)
{
	const char *rounds = getenv("KMS_ROUNDS");
	unsigned n = rounds != NULL ? (unsigned)strtoul(rounds, NULL, 10) : 6;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		start_seed("histories");
		one_history();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
