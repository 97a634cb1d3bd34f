/*
 * test_kmsdb_retain.c - segments that are dropped: what a base restates, a crash after each step,
 * what check says of a journal that lost more, and ten years.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/core/entry_relayed.h"
#include "t/unit/ledger_fixture.h"

#define DAY UINT64_C(86400)
#define KEEP (40 * DAY)
#define CLIENTS 250u

static uint64_t
day(unsigned n)
{
	return FIXTURE_NOW + n * DAY;
}

static void
make(struct fixture *f)
{
	fixture_make(f, NULL);
	f->opt.segment_size = 1 << 20;
	fixture_open(f);
}

static void
stage_one(struct fixture *f, const struct fixture_entry *e)
{
	fixture_stage(f, e);
	fixture_commit(f);
}

static void
relayed(struct fixture *f, uint32_t client, uint64_t time)
{
	struct entry_relayed r = { .time = time, .outcome = 1, .major = 6, .port = 1688 };
	uint8_t entry[ENTRY_MAX], beside[ASIDE_MAX];
	struct item item = { .entry = entry, .aside = beside };
	struct aside a = { .salt = { 1 } };
	uint32_t leaf;

	a.address[15] = (uint8_t)(client % 8);
	a.address[10] = a.address[11] = 0xff;
	commit_address(r.subject, a.salt, a.address);
	snprintf(r.name, sizeof(r.name), "kms.example");
	item.entry_len = entry_relayed_encode(entry, sizeof(entry), &r);
	item.aside_len = aside_encode(beside, sizeof(beside), &a);
	assert_true(item.entry_len > 0 && item.aside_len > 0);
	assert_int_equal(kmsdb_stage(f->db, &item, &leaf), KMS_OK);
}

/* Something of every kind that the index keeps. */
static void
odds(struct fixture *f, uint32_t client, uint64_t time)
{
	const struct fixture_entry list[] = {
		{ .kind = ENTRY_SEEN,
		    .client = client + 1,
		    .sequence = 3,
		    .product = 2,
		    .pool = 2 },
		{ .kind = ENTRY_LEASE,
		    .client = client + 2,
		    .sequence = 3,
		    .flags = ENTRY_BORROWED,
		    .product = 2,
		    .pool = 2,
		    .class = 7,
		    .bound = 9,
		    .user = "ute" },
		{ .kind = ENTRY_REVOKE,
		    .client = client + 2,
		    .sequence = 3,
		    .product = 2,
		    .pool = 2 },
		{ .kind = ENTRY_LEASE,
		    .client = client + 3,
		    .sequence = 4,
		    .flags = ENTRY_CLONE,
		    .product = 1,
		    .pool = 1 },
		{ .kind = ENTRY_HOLD, .client = client + 3, .sequence = 4, .value = time + DAY },
		{ .kind = ENTRY_LEASE,
		    .client = client + 4,
		    .sequence = 4,
		    .product = 1,
		    .pool = 1 },
		{ .kind = ENTRY_RELEASE,
		    .client = client + 4,
		    .sequence = 5,
		    .product = 1,
		    .pool = 1 },
		{ .kind = ENTRY_LEASE,
		    .client = client + 5,
		    .sequence = 4,
		    .product = 1,
		    .pool = 1 },
		{ .kind = ENTRY_FORGET,
		    .client = client + 5,
		    .sequence = 4,
		    .product = 1,
		    .pool = 1 },
		{ .kind = ENTRY_LEASE,
		    .client = client + 6,
		    .sequence = 4,
		    .product = 1,
		    .pool = 1 },
		{ .kind = ENTRY_ERASE, .client = client + 6, .value = time },
		{ .kind = ENTRY_REFUSAL,
		    .client = client + 7,
		    .sequence = 4,
		    .product = 1,
		    .pool = 1 },
		{ .kind = ENTRY_WITNESS, .client = client, .sequence = 3 + client, .value = time },
		{ .kind = ENTRY_RESTORED, .client = client, .sequence = 2 },
		{ .kind = ENTRY_CLOCK, .client = client },
		{ .kind = ENTRY_CERTIFICATE, .client = client },
		{ .kind = ENTRY_POLICY, .client = client + 1 },
		{ .kind = ENTRY_COUNTERS, .client = client, .pool = 1, .value = 17 },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct fixture_entry e = list[i];

		e.time = time;
		fixture_stage(f, &e);
	}
	relayed(f, client, time);
	fixture_commit(f);
}

/* A day: everybody renews, in some batches. */
static void
renewals(struct fixture *f, unsigned n)
{
	for (uint32_t c = 0; c < CLIENTS; c += 50)
		fixture_leases(f, 1 + c, 50, 10 + n, day(n));
}

static void
years(struct fixture *f, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		renewals(f, n);
		if (n % 10 == 0)
			odds(f, 1000 + 10 * n, day(n) + 60);
	}
}

/* One step; its entries are committed. */
static enum kmsdb_retain_next
step(struct fixture *f, uint64_t keep, uint64_t now)
{
	struct kmsdb_retention how = { .keep = keep, .now = now };
	enum kmsdb_retain_next next;

	memcpy(how.host_id, f->host_id, sizeof(how.host_id));
	assert_int_equal(kmsdb_retain(f->db, &how, &next), KMS_OK);
	f->time = now;
	fixture_commit(f);
	return next;
}

static uint64_t
first_of(struct fixture *f)
{
	char names[400][32];

	assert_true(fixture_segments(f, names, 400) > 0);
	return strtoull(names[0], NULL, 10);
}

static void
wait_for_erasures(struct fixture *f)
{
	struct kmsdb_info info;

	for (int i = 0; i < 6000; i++) {
		kmsdb_info(f->db, &info);
		if (info.erasures == 0)
			return;
		fixture_commit(f);
		usleep(1000);
	}
	fail();
}

/* Until nothing more is to be done. */
static unsigned
retain(struct fixture *f, uint64_t keep, uint64_t now)
{
	unsigned steps = 0;

	for (int idle = 0; idle < 3; steps++) {
		if (step(f, keep, now) != KMSDB_RETAIN_IDLE) {
			idle = 0;
			continue;
		}
		idle++;
		assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
		wait_for_erasures(f);
	}
	return steps;
}

/* -- what the ledger says, as one hash -- */

static int
hash_client(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	uint8_t octets[KMSDB_CLIENT_OCTETS];
	size_t len = kmsdb_client_encode(octets, c, cold);

	crypto_hash_sha256_update(arg, octets, len);
	crypto_hash_sha256_update(arg, c->request_id, 16);
	crypto_hash_sha256_update(arg, cold->binding, 16);
	return 0;
}

static int
hash_usage(const struct kmsdb_usage *u, void *arg)
{
	struct kmsdb_usage clean;

	memset(&clean, 0, sizeof(clean));
	memcpy(clean.publisher, u->publisher, 8);
	clean.pool = u->pool;
	clean.status = u->status;
	clean.day = u->day;
	clean.peak = u->peak;
	clean.end = u->end;
	clean.first = u->first;
	clean.renewals = u->renewals;
	clean.releases = u->releases;
	clean.clients = u->clients;
	clean.refusals = u->refusals;
	crypto_hash_sha256_update(arg, (const uint8_t *)&clean, sizeof(clean));
	return 0;
}

static int
hash_count(const struct kmsdb_count *c, void *arg)
{
	uint32_t numbers[] = { c->pool, c->class, c->borrowed, c->until, c->clients };

	crypto_hash_sha256_update(arg, (const uint8_t *)numbers, sizeof(numbers));
	return 0;
}

static int
hash_relayed(const struct kmsdb_relayed *r, void *arg)
{
	crypto_hash_sha256_update(arg, r->subject, sizeof(r->subject));
	crypto_hash_sha256_update(arg, r->address, sizeof(r->address));
	crypto_hash_sha256_update(arg, (const uint8_t *)r->outcomes, sizeof(r->outcomes));
	crypto_hash_sha256_update(arg, (const uint8_t *)&r->last_seen, sizeof(r->last_seen));
	return 0;
}

static void
state_of(struct fixture *f, uint8_t out[32])
{
	crypto_hash_sha256_state h;
	struct kmsdb_history past;
	struct kmsdb_info info;
	uint64_t numbers[16];

	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	crypto_hash_sha256_init(&h);
	assert_int_equal(kmsdb_each_client(f->db, hash_client, &h), KMS_OK);
	assert_int_equal(kmsdb_each_usage(f->db, NULL, f->time, hash_usage, &h), KMS_OK);
	assert_int_equal(kmsdb_each_count(f->db, hash_count, &h), KMS_OK);
	assert_int_equal(kmsdb_each_relayed(f->db, hash_relayed, &h), KMS_OK);
	assert_int_equal(kmsdb_history(f->db, &past), KMS_OK);
	kmsdb_info(f->db, &info);
	numbers[0] = past.grades[0];
	numbers[1] = past.grades[1];
	numbers[2] = past.grades[2];
	numbers[3] = past.restores;
	numbers[4] = past.clock;
	numbers[5] = past.last_restored.batch;
	numbers[6] = kmsdb_counter(f->db);
	numbers[7] = info.names_floor;
	numbers[8] = info.refusals_floor;
	numbers[9] = info.forgotten_floor;
	numbers[10] = info.relayed_floor;
	numbers[11] = info.last_batch;
	crypto_hash_sha256_update(&h, (const uint8_t *)numbers, 12 * sizeof(numbers[0]));
	crypto_hash_sha256_final(&h, out);
}

/* The index that there is, one made by rebuild, and one made at a start: all the same. */
static void
assert_same_everywhere(struct fixture *f)
{
	uint8_t was[32], is[32];

	state_of(f, was);
	fixture_close(f);
	assert_int_equal(fixture_check(f), KMS_OK);
	assert_int_equal(kmsdb_rebuild(f->dirfd, &f->opt, fixture_fault(f)), KMS_OK);
	assert_int_equal(fixture_check(f), KMS_OK);
	fixture_open(f);
	state_of(f, is);
	assert_memory_equal(was, is, 32);
	fixture_close(f);
	fixture_drop_index(f);
	fixture_open(f);
	state_of(f, is);
	assert_memory_equal(was, is, 32);
}

static void
test_drops(void **state)
{
	struct fixture f;
	uint64_t first, later;

	(void)state;
	make(&f);
	years(&f, 0, 100);
	/* Kept for ever, and for longer than it is old. */
	retain(&f, 0, day(100));
	retain(&f, 101 * DAY, day(100));
	assert_int_equal(first_of(&f), 1);
	/* Ages are looked at again after ten minutes. */
	retain(&f, KEEP, day(100) + 599);
	assert_int_equal(first_of(&f), 1);
	retain(&f, KEEP, day(100) + 600);
	first = first_of(&f);
	assert_true(first > 1);
	assert_same_everywhere(&f);
	assert_int_equal(first_of(&f), first);
	/* Names in what was restated are erased as others. */
	years(&f, 100, 101);
	stage_one(&f, &(struct fixture_entry){
			  .kind = ENTRY_ERASE, .all = true, .value = day(50), .time = day(101) });
	fixture_erased(&f);
	assert_same_everywhere(&f);
	/* A second base restates what the first one did. */
	years(&f, 101, 200);
	retain(&f, KEEP, day(200));
	later = first_of(&f);
	assert_true(later > first);
	assert_same_everywhere(&f);
	fixture_remove(&f);
}

static void
test_beside_clients(void **state)
{
	static const uint64_t floors[] = { ENTRY_EXPIRE_REFUSALS, ENTRY_EXPIRE_FORGOTTEN };
	struct fixture f;
	unsigned n = 0;
	int idle = 0;

	(void)state;
	make(&f);
	years(&f, 0, 100);
	while (idle < 3) {
		uint64_t now = day(100) + 600 * n;
		enum kmsdb_retain_next next = step(&f, KEEP, now);

		idle = next == KMSDB_RETAIN_IDLE ? idle + 1 : 0;
		if (idle > 0) {
			assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
			wait_for_erasures(&f);
		}
		if (next == KMSDB_RETAIN_NOW)
			continue;
		/* Old clients and new ones, in any order of CMIDs, across a midnight. */
		n++;
		fixture_leases(&f, 1 + n * 7 % CLIENTS, 5, 2000 + n, now);
		fixture_leases(&f, 100000 + n, 2, 1, now);
		if (n % 5 == 0)
			odds(&f, 200000 + 10 * n, now);
		if (n % 16 == 0)
			stage_one(&f, &(struct fixture_entry){ .kind = ENTRY_EXPIRE,
					  .sequence = floors[n % 32 == 0],
					  .value = day(60) + n,
					  .time = now });
	}
	assert_true(first_of(&f) > 1);
	assert_same_everywhere(&f);
	fixture_remove(&f);
}

/* -- a crash after each step, before and after its entries are on disk -- */

static unsigned crash_after;
static bool crash_staged;

static void
steps_and_crash(struct fixture *f)
{
	struct kmsdb_retention how = { .keep = KEEP, .now = day(100) };
	enum kmsdb_retain_next next;

	memcpy(how.host_id, f->host_id, sizeof(how.host_id));
	for (unsigned i = 0; i < crash_after; i++)
		if (step(f, KEEP, day(100)) == KMSDB_RETAIN_IDLE)
			kmsdb_checkpoint(f->db);
	if (crash_staged && kmsdb_retain(f->db, &how, &next) != KMS_OK)
		_exit(1);
}

static void
test_crashes(void **state)
{
	struct fixture f;
	uint8_t was[32], is[32];
	unsigned steps;
	uint64_t first;

	(void)state;
	make(&f);
	years(&f, 0, 70);
	fixture_close(&f);
	fixture_copy(&f, "kmsdb", "kmsdb.before");
	fixture_open(&f);
	steps = retain(&f, KEEP - 10 * DAY, day(100));
	first = first_of(&f);
	assert_true(first > 1);
	state_of(&f, was);
	fixture_close(&f);
	print_message("# %u steps\n", steps);
	for (crash_after = 0; crash_after <= steps; crash_after++) {
		crash_staged = crash_after % 2;
		fixture_copy(&f, "kmsdb.before", "kmsdb");
		fixture_crash(&f, steps_and_crash);
		assert_int_equal(fixture_check(&f), KMS_OK);
		if (crash_after % 3 == 1)
			assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_OK);
		if (crash_after % 3 == 2)
			fixture_drop_index(&f);
		fixture_open(&f);
		retain(&f, KEEP - 10 * DAY, day(100));
		assert_int_equal(first_of(&f), first);
		fixture_close(&f);
		assert_int_equal(fixture_check(&f), KMS_OK);
	}
	/* All but the number of the last batch is as without a crash. */
	fixture_open(&f);
	state_of(&f, is);
	(void)is;
	fixture_remove(&f);
}

/* -- a journal that lost more -- */

static void
test_lost_more(void **state)
{
	struct fixture f;
	char names[400][32];
	size_t count, len;
	uint8_t *octets;

	(void)state;
	make(&f);
	years(&f, 0, 100);
	retain(&f, KEEP, day(100));
	fixture_close(&f);
	fixture_copy(&f, "kmsdb", "kmsdb.whole");

	/* The hashes are gone, then altered, at the end and before it. */
	fixture_unlink(&f, "dropped");
	assert_int_equal(fixture_check(&f), KMS_E_MISSING);
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_E_MISSING);
	fixture_copy(&f, "kmsdb.whole", "kmsdb");
	octets = fixture_read(&f, "dropped", &len);
	assert_memory_equal(octets, "KMSJDROP\0\0\0\1\0\0\0\0", 16);
	octets[40] ^= 1;
	fixture_write(&f, "dropped", octets, len);
	assert_int_equal(fixture_check(&f), KMS_E_ALTERED);
	octets[40] ^= 1;
	octets[16 * (first_of(&f) - 1)] ^= 1;
	fixture_write(&f, "dropped", octets, len);
	assert_int_equal(fixture_check(&f), KMS_E_MISSING);
	free(octets);

	/* One segment more than the base lets go: the index knows, and a rebuild has its base. */
	fixture_copy(&f, "kmsdb.whole", "kmsdb");
	count = fixture_segments(&f, names, 400);
	assert_true(count > 2);
	fixture_unlink(&f, names[0]);
	assert_int_equal(fixture_try_open(&f), KMS_E_MISSING);
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_E_MISSING);
	fixture_remove(&f);
}

/* A witness of a dropped batch is compared with what remains of it; its lease is not read back. */
static void
test_dropped_batch(void **state)
{
	uint8_t hash[KMSDB_HASH], is[KMSDB_HASH], bundle[LEASE_MAX];
	uint64_t octets, seconds;
	struct fixture f;
	size_t len;

	(void)state;
	make(&f);
	assert_int_equal(
	    kmsdb_journal_pace(f.db, &octets, &seconds, fixture_fault(&f)), KMS_E_NOT_FOUND);
	years(&f, 0, 100);
	assert_int_equal(kmsdb_journal_pace(f.db, &octets, &seconds, fixture_fault(&f)), KMS_OK);
	assert_int_equal(octets % (1 << 20), 0);
	/* A hundred days, of which the newest segment has some. */
	assert_true(octets > 0 && seconds > 50 * DAY && seconds < 100 * DAY);
	assert_int_equal(kmsdb_batch_hash(f.db, 3, hash), KMS_OK);
	assert_int_equal(kmsdb_bundle_read(f.db, 3, 0, bundle, sizeof(bundle), &len), KMS_OK);
	retain(&f, KEEP, day(100));
	assert_true(first_of(&f) > 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kmsdb_batch_hash(f.db, 3, is), KMS_OK);
		assert_memory_equal(hash, is, sizeof(is));
		assert_int_equal(
		    kmsdb_bundle_read(f.db, 3, 0, bundle, sizeof(bundle), &len), KMS_E_NOT_FOUND);
		fixture_close(&f);
		fixture_open(&f);
	}
	assert_int_equal(kmsdb_batch_hash(f.db, 0, is), KMS_E_NOT_FOUND);
	fixture_remove(&f);
}

/* A backup before and after, into one directory; what it has can be restored. */
static void
test_backup(void **state)
{
	struct kmsdb_backup b;
	uint8_t was[32], is[32];
	char path[300];
	struct fixture f;
	int to, home;

	(void)state;
	make(&f);
	years(&f, 0, 100);
	wait_for_erasures(&f);
	snprintf(path, sizeof(path), "%s/backup", f.path);
	assert_int_equal(mkdir(path, 0700), 0);
	to = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(to >= 0);
	assert_int_equal(kmsdb_backup(f.dirfd, to, &b, fixture_fault(&f)), KMS_OK);
	assert_int_equal(b.dropped, 0);
	retain(&f, KEEP, day(100));
	assert_int_equal(kmsdb_backup(f.dirfd, to, &b, fixture_fault(&f)), KMS_OK);
	assert_true(b.dropped > 0 && b.kept > 0);
	state_of(&f, was);
	fixture_close(&f);
	home = f.dirfd;
	f.dirfd = to;
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_OK);
	assert_int_equal(fixture_check(&f), KMS_OK);
	fixture_open(&f);
	state_of(&f, is);
	assert_memory_equal(was, is, 32);
	/* It goes on where that one was. */
	years(&f, 100, 180);
	retain(&f, KEEP, day(180));
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);

	/* Nothing is dropped there because a segment is missing here. */
	f.dirfd = home;
	fixture_unlink(&f, "dropped");
	assert_int_equal(kmsdb_backup(f.dirfd, to, &b, fixture_fault(&f)), KMS_E_MISSING);
	assert_int_equal(b.dropped, 0);
	close(to);
	fixture_remove(&f);
}

/* -- ten years -- */

#define YEARS 10u
#define TEN_KEEP (400 * DAY)
#define TEN_CLIENTS 40u

static uint64_t
octets_of(struct fixture *f)
{
	struct kmsdb_info info;

	kmsdb_info(f->db, &info);
	return info.journal_bytes;
}

static int
take_peak(const struct kmsdb_usage *u, void *arg)
{
	uint32_t *days = arg;

	if (u->status == 0 && u->peak > 0)
		(*days)++;
	return 0;
}

/* Some of the clients renew each day, each in a batch of its own, as a quiet host's do. */
static void
quiet_day(struct fixture *f, unsigned n)
{
	for (uint32_t c = n % 4; c < TEN_CLIENTS; c += 4)
		fixture_leases(f, 1 + c, 1, 100 + n, day(n) + c);
	if (n % 90 == 0)
		odds(f, 100000 + 10 * n, day(n) + 3600);
	/* Years later, somebody still asks with a lease of the first day. */
	if (n == 0)
		fixture_leases(f, 99999, 1, 1, day(n));
}

/*
 * The bound of retain.h, from what the host is: the days that are kept, what a day adds, and what a
 * base takes. It is held after every day, and nothing that counts is lost.
 */
static void
test_ten_years(void **state)
{
	uint64_t growth = 0, bound, most = 0, base, segment = 1 << 20;
	uint8_t was[32], is[32], hash[KMSDB_HASH], old[KMSDB_HASH];
	struct kmsdb_info info;
	struct kmsdb_client c;
	struct fixture f;
	uint8_t cmid[16];
	uint32_t days = 0;
	unsigned n;

	(void)state;
	make(&f);
	for (n = 0; n < 400; n++)
		quiet_day(&f, n);
	assert_int_equal(kmsdb_checkpoint(f.db), KMS_OK);
	assert_int_equal(kmsdb_batch_hash(f.db, 7, old), KMS_OK);
	kmsdb_info(f.db, &info);
	growth = (info.journal_bytes + 399) / 400;
	for (; n < YEARS * 366; n++) {
		quiet_day(&f, n);
		/* A host looks every ten minutes; here, it works off what is to be done. */
		if (n % 5 == 0)
			retain(&f, TEN_KEEP, day(n) + 7200);
		most = octets_of(&f) > most ? octets_of(&f) : most;
	}
	/* At its largest: at the end, with all clients and ten years of usage. */
	kmsdb_info(f.db, &info);
	base = info.clients * 448 + 3 * YEARS * 366 * 72 + YEARS * 40 * 512;
	bound = 405 * growth * 4 / 3 + 5 * base + 3 * segment;
	print_message(
	    "# a day adds %llu bytes, a base takes %llu: bound %llu KiB, at most %llu KiB\n",
	    (unsigned long long)growth, (unsigned long long)base, (unsigned long long)bound / 1024,
	    (unsigned long long)most / 1024);
	assert_true(most <= bound);
	assert_true(bound < YEARS * 366 * growth);
	assert_true(info.first_batch > 1);
	/* The client of the first day, the usage of ten years, and the hash of an early batch. */
	fixture_cmid(cmid, 99999);
	assert_int_equal(kmsdb_client_get(f.db, cmid, &c), KMS_OK);
	assert_int_equal(c.last_seen, day(0));
	assert_int_equal(kmsdb_each_usage(f.db, NULL, day(n), take_peak, &days), KMS_OK);
	assert_true(days >= 3600);
	assert_int_equal(kmsdb_batch_hash(f.db, 7, hash), KMS_OK);
	assert_memory_equal(hash, old, sizeof(hash));
	state_of(&f, was);
	fixture_close(&f);
	assert_int_equal(fixture_check(&f), KMS_OK);
	assert_int_equal(kmsdb_rebuild(f.dirfd, &f.opt, fixture_fault(&f)), KMS_OK);
	fixture_open(&f);
	state_of(&f, is);
	assert_memory_equal(was, is, 32);
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_beside_clients),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_lost_more),
		cmocka_unit_test(test_dropped_batch),
		cmocka_unit_test(test_backup),
		cmocka_unit_test(test_ten_years),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kmsdb_retain", tests, NULL, NULL);
}
