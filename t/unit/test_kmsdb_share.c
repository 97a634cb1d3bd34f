/*
 * test_kmsdb_share.c - several hosts write chains of their own and follow each other's: whatever
 * order batches meet in, and whatever a host was doing when it was killed, all have one index, and
 * it is that of a rebuild; and names that any of them erased are in no file of any of them.
 *
 * KMS_SEED=n repeats a run; the seed is printed. KMS_ROUNDS=n runs so many, each with another seed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsdb/foreign.h"
#include "kmsdb/parcel.h"
#include "kmsdb/share.h"
#include "libkms/base/hex.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/lease.h"
#include "t/unit/ledger_fixture.h"
#include "t/unit/seeded.h"

#define HOSTS 5
#define CLIENTS 120

static uint8_t parcel[PARCEL_ONE_MAX];
static size_t parcel_len;

/* The clients, who number their requests wherever they ask. */
static struct asker {
	uint64_t sequence;
} askers[CLIENTS];

struct share {
	struct fixture hosts[HOSTS];
	unsigned count;
	uint64_t time;
	uint64_t counter; /* of entries about clients, where no host was asked */
};

static void
share_make(struct share *s, unsigned hosts)
{
	memset(s, 0, sizeof(*s));
	memset(askers, 0, sizeof(askers));
	s->count = hosts;
	s->time = FIXTURE_NOW;
	for (unsigned h = 0; h < hosts; h++) {
		fixture_make(&s->hosts[h], NULL);
		fixture_host(&s->hosts[h], (uint8_t)(1 + h));
		s->hosts[h].opt.overlay_records = 300;
		fixture_open(&s->hosts[h]);
	}
}

static void
share_remove(struct share *s)
{
	for (unsigned h = 0; h < s->count; h++)
		fixture_remove(&s->hosts[h]);
}

/* -- what hosts write -- */

/* Its key lives as long as one process: nothing but activations is known of it. */
static bool
stateless(uint32_t client)
{
	return client % 8 == 3;
}

/* Two machines have its key. */
static bool
copied(uint32_t client)
{
	return client % 8 == 5;
}

static const int asked[] = { ENTRY_LEASE, ENTRY_LEASE, ENTRY_LEASE, ENTRY_SEEN, ENTRY_RELEASE,
	ENTRY_REFUSAL };
static const int done_to[] = { ENTRY_REVOKE, ENTRY_UNREVOKE, ENTRY_FORGET, ENTRY_RECLAIM,
	ENTRY_HOLD, ENTRY_ERASE };

static void
ask(struct fixture *f, struct fixture_entry *e)
{
	struct asker *a = &askers[e->client];

	e->kind = asked[pick(6)];
	a->sequence += copied(e->client) ? pick(2) : 1;
	e->sequence = a->sequence > 0 ? a->sequence : 1;
	e->request = copied(e->client) ? 1 + pick(3) : 0;
	e->flags = pick(6) == 0 ? ENTRY_CLONE : 0;
	if (stateless(e->client))
		e->flags = (uint16_t)(e->flags | ENTRY_STATELESS);
	if (e->kind == ENTRY_LEASE || e->kind == ENTRY_SEEN)
		e->flags = (uint16_t)(e->flags | (pick(5) == 0 ? ENTRY_BORROWED : 0) |
				      (pick(9) == 0 ? ENTRY_OVERDRAFT : 0) |
				      (pick(9) == 0 ? ENTRY_CAUGHT_UP : 0));
	if (e->kind == ENTRY_REFUSAL)
		e->status = pick(2) == 0 ? KMS_E_CAPACITY : KMS_E_UNKNOWN_PRODUCT;
	e->bound = (uint8_t)pick(3);
	e->window = e->pool == 2 ? 10 : 0; /* a pool by the minute */
	f->time = e->time;
}

static void
do_to(struct fixture *f, struct fixture_entry *e)
{
	struct kmsdb_client c;
	uint8_t cmid[16];

	e->kind = done_to[pick(6)];
	fixture_cmid(cmid, e->client);
	if (kmsdb_client_get(f->db, cmid, &c) == KMS_OK)
		e->sequence = c.sequence;
	e->counter = kmsdb_counter(f->db);
	e->value = e->kind == ENTRY_HOLD ? e->time + 1 + pick(90000) : 0;
	if (e->kind == ENTRY_ERASE) {
		e->sequence = 0;
		/* Up to now, where the clock of another host is behind. */
		e->value = e->time - (pick(3) == 0 ? 0 : pick(90000));
		e->all = pick(6) == 0;
	}
}

/* Rows of several chains do not go; those of the relay, which are a host's own, do. */
static void
expire(struct fixture *f, struct fixture_entry *e)
{
	e->kind = ENTRY_EXPIRE;
	e->counter = kmsdb_counter(f->db);
	e->sequence = 1 + pick(7);
	e->value = e->time - pick(30 * 86400);
}

/* A name says of which client and time it is. */
#define NAMED "host-"

static void
one_entry(struct share *s, struct fixture *f)
{
	struct fixture_entry e = { .client = pick(CLIENTS), .time = s->time };
	char name[48];

	/* Where hosts' clocks are apart. */
	e.time += (uint64_t)(f - s->hosts) * 60;
	e.product = 1 + pick(3);
	e.pool = (uint16_t)(1 + e.product % 2);
	e.class = (uint16_t)pick(2);
	e.count = 1 + pick(99);
	snprintf(
	    name, sizeof(name), NAMED "%u-%llu-%u", e.client, (unsigned long long)e.time, pick(3));
	e.name = name;
	if (pick(30) == 0)
		expire(f, &e);
	else if (pick(4) == 0)
		do_to(f, &e);
	else
		ask(f, &e);
	fixture_stage(f, &e);
}

static void
write_batch(struct share *s, struct fixture *f)
{
	bool fails = pick(12) == 0;

	s->time += pick(3) == 0 ? pick(90) : pick(86400);
	for (uint32_t n = 1 + pick(12); n > 0; n--)
		one_entry(s, f);
	if (!fails) {
		fixture_commit(f);
		return;
	}
	f->sign_fails = KMS_E_IO;
	assert_int_equal(fixture_try_commit(f), KMS_E_IO);
}

/* -- what they hear -- */

static int
take(struct fixture *f, unsigned *taken)
{
	int rc = kmsdb_share_take(f->db, parcel, parcel_len, taken, fixture_fault(f));

	if (rc != KMS_OK && rc != KMS_E_MISSING)
		print_message("# take: %d %s\n", rc, f->fault.text);
	return rc;
}

/* The next batches of a host, as another one has them; from: that host itself, or a third one. */
static bool
hand_over(struct fixture *to, struct fixture *from, const uint8_t host[16])
{
	struct kmsdb_member m;
	unsigned count, taken;
	bool own = memcmp(from->host_id, host, 16) == 0;

	assert_int_equal(kmsdb_share_member(to->db, host, &m), KMS_OK);
	/* Some of it again. */
	m.last -= m.last > 0 ? pick(2) : 0;
	assert_int_equal(kmsdb_share_parcel(from->db, own ? NULL : host, m.last + 1, parcel,
			     &parcel_len, &count, fixture_fault(from)),
	    KMS_OK);
	if (count == 0)
		return false;
	assert_true(count <= PARCEL_BATCHES);
	assert_int_equal(take(to, &taken), KMS_OK);
	return taken > 0;
}

static void
follow_each_other(struct share *s)
{
	for (unsigned a = 0; a < s->count; a++)
		for (unsigned k = 0; k < s->count; k++) {
			unsigned b = (a + k) % s->count; /* each gives them other numbers */

			if (a != b)
				assert_int_equal(
				    kmsdb_share_follow(s->hosts[a].db, s->hosts[b].sign_pk,
					fixture_fault(&s->hosts[a])),
				    KMS_OK);
		}
}

static void
hear_all(struct share *s)
{
	for (unsigned a = 0; a < s->count; a++)
		for (unsigned b = 0; b < s->count; b++)
			while (a != b && hand_over(&s->hosts[a], &s->hosts[b], s->hosts[b].host_id))
				;
}

/* -- kills -- */

static struct share *killed_share;

static void
die_at_work(struct fixture *f)
{
	unsigned taken;

	for (unsigned n = pick(4); n > 0; n--)
		write_batch(killed_share, f);
	if (parcel_len > 0)
		take(f, &taken);
	if (pick(2) == 0)
		kmsdb_checkpoint(f->db);
	for (unsigned n = pick(4); n > 0; n--)
		write_batch(killed_share, f);
	if (pick(2) == 0)
		one_entry(killed_share, f);
}

/* A child takes the parcel, writes batches, and dies; what it did is in the journals alone. */
static void
kill_one(struct share *s)
{
	struct fixture *f = &s->hosts[pick(s->count)], *other = &s->hosts[pick(s->count)];
	struct kmsdb_member m;
	unsigned count;

	if (f == other)
		return;
	assert_int_equal(kmsdb_share_member(f->db, other->host_id, &m), KMS_OK);
	assert_int_equal(kmsdb_share_parcel(other->db, NULL, m.last + 1, parcel, &parcel_len,
			     &count, fixture_fault(other)),
	    KMS_OK);
	fixture_close(f);
	killed_share = s;
	fixture_crash(f, die_at_work);
	fixture_open(f);
	/* What the child gave the clients is not known here: they go on behind it. */
	s->time += 8 * 86400;
	for (uint32_t i = 0; i < CLIENTS; i++)
		askers[i].sequence += 40;
}

/* -- names -- */

struct erased {
	struct fixture *f;
	uint64_t upto[CLIENTS];
	unsigned names; /* found that stay */
};

/* The bytes of one file. */
static void
check_octets(struct erased *e, const char *path, const char *octets, size_t len)
{
	const char *end = octets + len, *at = octets, *next;

	while ((next = memmem(at, (size_t)(end - at), NAMED, strlen(NAMED))) != NULL) {
		char text[48] = { 0 };
		unsigned long long time;
		unsigned client, last;

		at = next + strlen(NAMED);
		memcpy(text, at,
		    (size_t)(end - at) < sizeof(text) ? (size_t)(end - at) : sizeof(text) - 1);
		/* In a page of the index, what was moved may have overwritten a part of it. */
		if (sscanf(text, "%u-%llu-%u", &client, &time, &last) != 3 || client >= CLIENTS ||
		    time < FIXTURE_NOW)
			continue;
		if (time <= e->upto[client])
			print_message("# host %ld, %s: %.24s, erased up to %llu\n",
			    (long)e->f->host_id[0], path, text,
			    (unsigned long long)e->upto[client]);
		assert_true(time > e->upto[client]);
		e->names++;
	}
}

static struct erased *erased_files;
static bool erased_index;

static int
check_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char *octets;
	int fd;

	(void)ftw;
	/* Pages that LMDB no longer uses may have names until a rebuild; doc/privacy.md. */
	if (type != FTW_F || (!erased_index && strstr(path, "/index/") != NULL))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	octets = malloc((size_t)st->st_size + 1);
	assert_true(fd >= 0 && octets != NULL);
	assert_int_equal(read(fd, octets, (size_t)st->st_size), st->st_size);
	check_octets(erased_files, path, octets, (size_t)st->st_size);
	close(fd);
	free(octets);
	return 0;
}

/* All that was erased, as the rows say, is gone from every file. */
static void
no_erased_names(struct fixture *f, bool index)
{
	struct erased e = { .f = f };
	struct kmsdb_info info;
	struct kmsdb_cold cold;
	uint8_t cmid[16];

	for (int i = 0; i < 4000; i++) {
		kmsdb_info(f->db, &info);
		if (info.erasures == 0)
			break;
		fixture_commit(f);
		usleep(1000);
	}
	assert_int_equal(info.erasures, 0);
	for (uint32_t c = 0; c < CLIENTS; c++) {
		fixture_cmid(cmid, c);
		e.upto[c] = info.names_floor;
		if (kmsdb_cold_get(f->db, cmid, &cold) == KMS_OK && cold.erased > e.upto[c])
			e.upto[c] = cold.erased;
	}
	erased_files = &e;
	erased_index = index;
	assert_int_equal(nftw(f->path, check_file, 16, FTW_PHYS), 0);
}

/* -- one index -- */

/* A row, with hosts instead of the numbers that this index gave their chains. */
struct row {
	struct kmsdb_client c;
	struct kmsdb_cold cold;
	uint8_t act[16], revocation[16], hold[16];
};
struct rows {
	struct fixture *f;
	uint64_t floor, forgotten, names;
	struct row list[CLIENTS];
	unsigned count;
	struct kmsdb_count counts[8192];
	unsigned count_count;
};

static void
name_host(const struct rows *r, uint8_t host[16], uint16_t *chain, bool written)
{
	if (written)
		assert_int_equal(kmsdb_share_host(r->f->db, *chain, host), KMS_OK);
	*chain = 0;
}

static int
take_row(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct rows *r = arg;
	struct row *one = &r->list[r->count];

	assert_true(++r->count <= CLIENTS);
	memset(one, 0, sizeof(*one));
	one->c = *c;
	one->cold = *cold;
	name_host(r, one->act, &one->c.chain, c->kind != 0);
	name_host(r, one->revocation, &one->cold.revocation.chain, cold->revocation.counter != 0);
	name_host(r, one->hold, &one->cold.hold.chain, cold->hold.counter != 0);
	return 0;
}

static int
take_count(const struct kmsdb_count *c, void *arg)
{
	struct rows *r = arg;
	struct kmsdb_count *copy;

	assert_true(r->count_count < 8192);
	copy = &r->counts[r->count_count++];
	/* Field by field: they are compared with what is between the fields. */
	memset(copy, 0, sizeof(*copy));
	memcpy(copy->publisher, c->publisher, sizeof(copy->publisher));
	copy->pool = c->pool;
	copy->class = c->class;
	copy->borrowed = c->borrowed;
	copy->until = c->until;
	copy->clients = c->clients;
	return 0;
}

static void
read_rows(struct fixture *f, struct rows *r)
{
	struct kmsdb_info info;

	memset(r, 0, sizeof(*r));
	r->f = f;
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
	kmsdb_info(f->db, &info);
	r->floor = info.refusals_floor;
	r->forgotten = info.forgotten_floor;
	r->names = info.names_floor;
	assert_int_equal(kmsdb_each_client(f->db, take_row, r), 0);
	assert_int_equal(kmsdb_each_count(f->db, take_count, r), 0);
}

static void
show(const struct row *r)
{
	print_message(
	    "# %02x%02x kind %u flags %x status %u until %u seen %llu number %llu batch %llu/%u pool %u, first %llu erased %llu forgotten %llu revocation %llu hold %llu, name %s, host %02x\n",
	    r->c.cmid[0], r->c.cmid[1], r->c.kind, r->c.flags, r->c.status, r->c.until,
	    (unsigned long long)r->c.last_seen, (unsigned long long)r->c.sequence,
	    (unsigned long long)r->c.batch, r->c.leaf, r->c.pool,
	    (unsigned long long)r->cold.first_seen, (unsigned long long)r->cold.erased,
	    (unsigned long long)r->cold.forgotten, (unsigned long long)r->cold.revocation.counter,
	    (unsigned long long)r->cold.hold.counter, r->cold.name, r->act[0]);
}

/* The first row that only one of them has. */
static void
show_missing(const struct rows *a, const struct rows *b)
{
	unsigned i = 0;

	print_message("# floors %llu %llu, clients %u and %u\n", (unsigned long long)a->floor,
	    (unsigned long long)a->forgotten, a->count, b->count);
	while (
	    i < a->count && i < b->count && memcmp(a->list[i].c.cmid, b->list[i].c.cmid, 16) == 0)
		i++;
	show(&a->list[i]);
	show(&b->list[i]);
}

static void
same_row(const struct row *a, const struct row *b)
{
	if (memcmp(a, b, sizeof(*a)) != 0) {
		show(a);
		show(b);
	}
	assert_memory_equal(a, b, sizeof(*a));
}

static void
same_index(const struct rows *a, const struct rows *b)
{
	assert_int_equal(a->floor, b->floor);
	assert_int_equal(a->forgotten, b->forgotten);
	assert_int_equal(a->names, b->names);
	if (a->count != b->count)
		show_missing(a, b);
	assert_int_equal(a->count, b->count);
	for (unsigned i = 0; i < a->count; i++)
		same_row(&a->list[i], &b->list[i]);
	assert_int_equal(a->count_count, b->count_count);
	assert_memory_equal(a->counts, b->counts, a->count_count * sizeof(a->counts[0]));
}

static void
one_index(struct share *s)
{
	static struct rows first, other;

	for (unsigned h = 0; h < s->count; h++) {
		struct fixture *f = &s->hosts[h];

		no_erased_names(f, false);
		read_rows(f, h == 0 ? &first : &other);
		if (h > 0)
			same_index(&first, &other);
		fixture_close(f);
		assert_int_equal(fixture_check(f), KMS_OK);
		assert_int_equal(kmsdb_rebuild(f->dirfd, &f->opt, fixture_fault(f)), KMS_OK);
		assert_int_equal(fixture_check(f), KMS_OK);
		fixture_open(f);
		read_rows(f, &other);
		same_index(&first, &other);
		no_erased_names(f, true);
	}
}

static void
live(struct share *s, int steps)
{
	follow_each_other(s);
	for (int i = 0; i < steps; i++) {
		struct fixture *f = &s->hosts[pick(s->count)], *by = &s->hosts[pick(s->count)];
		const uint8_t *host = s->hosts[pick(s->count)].host_id;

		if (pick(2) == 0)
			write_batch(s, f);
		else if (f != by && memcmp(host, f->host_id, 16) != 0)
			hand_over(f, by, host);
		if (pick(12) == 0)
			assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
		if (pick(25) == 0) {
			fixture_close(f);
			fixture_open(f);
		}
		if (pick(40) == 0)
			kill_one(s);
		if (pick(20) == 0)
			no_erased_names(f, false);
	}
	hear_all(s);
}

static void
test_one_index(void **state)
{
	const char *rounds = getenv("KMS_ROUNDS");
	struct share s;

	(void)state;
	for (int i = rounds != NULL ? atoi(rounds) : 3; i > 0; i--) {
		start_seed("one index");
		share_make(&s, 2 + pick(HOSTS - 1));
		live(&s, 60 + (int)pick(120));
		one_index(&s);
		share_remove(&s);
	}
}

/* -- single cases -- */

static void
parcel_of(struct fixture *f, uint64_t from)
{
	unsigned count;

	assert_int_equal(
	    kmsdb_share_parcel(f->db, NULL, from, parcel, &parcel_len, &count, fixture_fault(f)),
	    KMS_OK);
}

static void
two_hosts(struct share *s)
{
	share_make(s, 2);
	for (unsigned h = 0; h < 2; h++)
		for (uint32_t n = 1; n <= 3; n++)
			fixture_leases(&s->hosts[h], 10 * h + n, n, n, FIXTURE_NOW + n);
}

/* Octets from outside: nothing changes, and the fault says why. */
static void
test_bad_parcels(void **state)
{
	struct share s;
	struct fixture *a, *b;
	struct kmsdb_member m;
	uint8_t *bad = malloc(PARCEL_ONE_MAX + 1);
	unsigned taken;

	(void)state;
	assert_non_null(bad);
	two_hosts(&s);
	a = &s.hosts[0];
	b = &s.hosts[1];
	parcel_of(b, 1);
	assert_int_equal(take(a, &taken), KMS_E_UNKNOWN_HOST);
	follow_each_other(&s);
	for (size_t len = 0; len < parcel_len; len += len < 200 ? 1 : 37) {
		int rc = kmsdb_share_take(a->db, parcel, len, &taken, fixture_fault(a));

		assert_int_not_equal(rc, KMS_OK);
		assert_true(a->fault.text[0] != '\0');
		assert_int_equal(kmsdb_share_member(a->db, b->host_id, &m), KMS_OK);
		/* Whole batches before the cut are what their host signed. */
		assert_true(m.last <= 3);
	}
	fixture_remove(a);
	fixture_make(a, NULL);
	fixture_host(a, 1);
	fixture_open(a);
	assert_int_equal(kmsdb_share_follow(a->db, b->sign_pk, fixture_fault(a)), KMS_OK);
	for (size_t at = 0; at < parcel_len; at += at < 400 ? 1 : 11) {
		int rc;

		/* Of the first batch, so that none is taken; names are not signed. */
		memcpy(bad, parcel, parcel_len);
		bad[at] ^= 0x40;
		rc = kmsdb_share_take(a->db, bad, parcel_len, &taken, fixture_fault(a));
		assert_int_equal(kmsdb_share_member(a->db, b->host_id, &m), KMS_OK);
		if (rc != KMS_OK)
			assert_true(a->fault.text[0] != '\0');
		if (m.last > 0)
			break;
	}
	memcpy(bad, parcel, parcel_len);
	bad[parcel_len] = 0;
	assert_int_equal(
	    kmsdb_share_take(a->db, bad, parcel_len + 1, &taken, fixture_fault(a)), KMS_E_FORMAT);
	memset(bad, 0, PARCEL_ONE_MAX + 1);
	assert_int_equal(kmsdb_share_take(a->db, bad, PARCEL_ONE_MAX + 1, &taken, fixture_fault(a)),
	    KMS_E_TOO_LARGE);
	memcpy(bad, parcel, parcel_len);
	bad[7] = '2';
	assert_int_equal(
	    kmsdb_share_take(a->db, bad, parcel_len, &taken, fixture_fault(a)), KMS_E_SCHEMA);
	assert_int_equal(take(a, &taken), KMS_OK);
	assert_int_equal(take(a, &taken), KMS_OK);
	assert_int_equal(taken, 0);
	free(bad);
	share_remove(&s);
}

/* What may not be followed, and when nothing is taken. */
static void
test_refused(void **state)
{
	struct share s;
	struct fixture *a, *b;
	struct kmsdb_member m;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.client = 1,
		.product = 1,
		.pool = 1,
		.sequence = 9,
		.time = FIXTURE_NOW + 9 };
	unsigned taken, count;

	(void)state;
	two_hosts(&s);
	a = &s.hosts[0];
	b = &s.hosts[1];
	assert_int_equal(kmsdb_share_follow(a->db, a->sign_pk, fixture_fault(a)), KMS_E_ARGUMENT);
	follow_each_other(&s);
	parcel_of(b, 2);
	assert_int_equal(take(a, &taken), KMS_E_MISSING);
	assert_int_equal(taken, 0);
	parcel_of(b, 1);
	fixture_stage(a, &e);
	assert_int_equal(take(a, &taken), KMS_E_ARGUMENT);
	fixture_commit(a);
	assert_int_equal(take(a, &taken), KMS_OK);
	assert_int_equal(taken, 3);
	parcel_of(a, 1);
	assert_int_equal(take(a, &taken), KMS_E_UNKNOWN_HOST);
	assert_int_equal(kmsdb_share_member(a->db, b->host_id, &m), KMS_OK);
	assert_int_equal(m.last, 3);
	assert_false(m.own);
	assert_int_equal(kmsdb_share_member(a->db, a->host_id, &m), KMS_OK);
	assert_true(m.own && m.last == 4);
	assert_int_equal(
	    kmsdb_share_parcel(a->db, b->host_id, 4, parcel, &parcel_len, &count, fixture_fault(a)),
	    KMS_OK);
	assert_int_equal(count, 0);
	memset(m.host, 1, sizeof(m.host));
	assert_int_equal(
	    kmsdb_share_parcel(a->db, m.host, 1, parcel, &parcel_len, &count, fixture_fault(a)),
	    KMS_E_NOT_FOUND);
	share_remove(&s);
}

/* The folder of another host is lost, or its chain is shorter than the index says. */
static void
test_lost_folder(void **state)
{
	struct share s;
	struct fixture *a, *b;
	unsigned taken;

	(void)state;
	two_hosts(&s);
	a = &s.hosts[0];
	b = &s.hosts[1];
	follow_each_other(&s);
	fixture_close(a);
	fixture_copy(a, "kmsdb/foreign", "empty");
	fixture_open(a);
	parcel_of(b, 1);
	assert_int_equal(take(a, &taken), KMS_OK);
	fixture_close(a);
	fixture_copy(a, "kmsdb/foreign", "full");
	fixture_copy(a, "empty", "kmsdb/foreign");
	assert_int_equal(fixture_try_open(a), KMS_E_INDEX);
	assert_int_equal(fixture_check(a), KMS_E_INDEX);
	fixture_copy(a, "full", "kmsdb/foreign");
	assert_int_equal(fixture_check(a), KMS_OK);
	assert_int_equal(renameat(a->dirfd, "kmsdb/foreign", a->dirfd, "aside"), 0);
	assert_int_equal(fixture_try_open(a), KMS_E_MISSING);
	assert_int_equal(fixture_check(a), KMS_E_MISSING);
	/* A rebuild goes on without it. */
	assert_int_equal(kmsdb_rebuild(a->dirfd, &a->opt, fixture_fault(a)), KMS_OK);
	assert_int_equal(fixture_check(a), KMS_OK);
	fixture_open(a);
	share_remove(&s);
}

/* A backup has the chains of others, too; what is restored from it is the same index. */
static void
test_backup(void **state)
{
	static struct rows before, after;
	struct share s;
	struct fixture *a, to;
	struct kmsdb_backup count;

	(void)state;
	two_hosts(&s);
	a = &s.hosts[0];
	follow_each_other(&s);
	hear_all(&s);
	read_rows(a, &before);
	fixture_make(&to, NULL);
	fixture_host(&to, 1);
	assert_int_equal(kmsdb_backup(a->dirfd, to.dirfd, &count, fixture_fault(a)), KMS_OK);
	assert_int_equal(count.copied, 2);
	assert_int_equal(kmsdb_backup(a->dirfd, to.dirfd, &count, fixture_fault(a)), KMS_OK);
	assert_int_equal(kmsdb_rebuild(to.dirfd, &to.opt, fixture_fault(&to)), KMS_OK);
	assert_int_equal(fixture_check(&to), KMS_OK);
	fixture_open(&to);
	read_rows(&to, &after);
	same_index(&before, &after);
	fixture_remove(&to);
	share_remove(&s);
}

/* -- erasing, step by step -- */

/* How often a text is in a journal: that of the host, or its copy of another one's. */
static unsigned
in_journal(struct fixture *f, const struct fixture *of, const char *text)
{
	char dir[512], host[33], path[800];
	struct dirent *e;
	unsigned found = 0;
	DIR *d;

	hex_format(host, of->host_id, 16);
	if (f == of)
		snprintf(dir, sizeof(dir), "%s/kmsdb/journal", f->path);
	else
		snprintf(dir, sizeof(dir), "%s/kmsdb/foreign/%s/kmsdb/journal", f->path, host);
	assert_non_null(d = opendir(dir));
	while ((e = readdir(d)) != NULL) {
		uint8_t octets[1 << 20], *at = octets;
		ssize_t len;
		int fd;

		snprintf(path, sizeof(path), "%s/%.200s", dir, e->d_name);
		if (strstr(e->d_name, ".seg") == NULL || (fd = open(path, O_RDONLY)) < 0)
			continue;
		len = read(fd, octets, sizeof(octets));
		close(fd);
		while ((at = memmem(at, (size_t)(octets + len - at), text, strlen(text))) != NULL) {
			found++;
			at++;
		}
	}
	closedir(d);
	return found;
}

static void
erase_client(struct fixture *f, uint32_t client, uint64_t upto)
{
	struct fixture_entry e = {
		.kind = ENTRY_ERASE, .client = client, .time = upto, .value = upto
	};

	fixture_stage(f, &e);
	fixture_commit(f);
}

static void
hear(struct fixture *to, struct fixture *from)
{
	while (hand_over(to, from, from->host_id))
		;
}

static struct fixture *heard;

static void
hear_and_die(struct fixture *f)
{
	hear(f, heard);
	assert_int_equal(kmsdb_checkpoint(f->db), KMS_OK);
}

/*
 * What one host erases leaves the journal of the host that wrote it, the copies, and what comes
 * later; also when a host is killed before it has done so.
 */
static void
test_erase_everywhere(void **state)
{
	struct share s;
	struct fixture *a, *b, *c;
	const char *two = "client-2.example", *three = "client-3.example";

	(void)state;
	share_make(&s, 3);
	a = &s.hosts[0];
	b = &s.hosts[1];
	c = &s.hosts[2];
	follow_each_other(&s);
	fixture_leases(a, 1, 3, 1, FIXTURE_NOW);
	hear(c, a);
	assert_int_equal(in_journal(c, a, two), 1);
	erase_client(b, 2, FIXTURE_NOW + 5);
	no_erased_names(b, false);
	/* Heard late: never there. */
	hear(b, a);
	assert_int_equal(in_journal(b, a, two), 0);
	assert_int_equal(in_journal(b, a, three), 1);
	/* The copy. */
	hear(c, b);
	no_erased_names(c, false);
	assert_int_equal(in_journal(c, a, two), 0);
	assert_int_equal(in_journal(c, a, three), 1);
	/* Killed before: the next start does it, in the journal of the host that was asked. */
	fixture_close(a);
	heard = b;
	fixture_crash(a, hear_and_die);
	assert_int_equal(in_journal(a, a, two), 1);
	fixture_open(a);
	no_erased_names(a, false);
	assert_int_equal(in_journal(a, a, two), 0);
	assert_int_equal(in_journal(a, a, three), 1);
	/* A host whose clock is behind: what it writes has a time that is erased. */
	fixture_leases(a, 1, 3, 2, FIXTURE_NOW + 3);
	assert_int_equal(in_journal(a, a, two), 0);
	assert_int_equal(in_journal(a, a, three), 2);
	fixture_leases(a, 1, 3, 3, FIXTURE_NOW + 6);
	assert_int_equal(in_journal(a, a, two), 1);
	hear_all(&s);
	one_index(&s);
	share_remove(&s);
}

/*
 * The client got no answer of one host, and asks another one again: this gives a lease of its own
 * under the same number. It is one client, that is counted once, everywhere.
 */
static void
test_repeat_elsewhere(void **state)
{
	struct share s;
	struct fixture *a, *b;
	struct fixture_entry e = { .kind = ENTRY_LEASE,
		.client = 1,
		.product = 1,
		.pool = 1,
		.sequence = 5,
		.request = 77,
		.time = FIXTURE_NOW };
	struct kmsdb_client c;
	struct entry_client lease;
	struct certificate cert = { .not_after = UINT64_MAX, .product_count = 1 };
	uint8_t cmid[16], host[16], bundle[LEASE_MAX];
	uint32_t leaf;
	size_t len;

	(void)state;
	fixture_cmid(cmid, 1);
	for (unsigned first = 0; first < 2; first++) {
		share_make(&s, 2);
		a = &s.hosts[first];
		b = &s.hosts[1 - first];
		follow_each_other(&s);
		fixture_stage(a, &e);
		fixture_commit(a);
		hear(b, a);
		assert_int_equal(kmsdb_client_get(b->db, cmid, &c), KMS_OK);
		assert_int_not_equal(c.chain, 0);
		assert_int_equal(kmsdb_share_host(b->db, c.chain, host), KMS_OK);
		assert_memory_equal(host, a->host_id, 16);
		leaf = fixture_stage(b, &e);
		fixture_commit(b);
		len = kmsdb_bundle(b->db, leaf, bundle, sizeof(bundle));
		assert_true(len > 0);
		memcpy(cert.publisher, b->publisher, 8);
		memset(cert.products[0], 0x41, 16);
		memcpy(cert.sign_pk, b->sign_pk, 32);
		memcpy(cert.host_id, b->host_id, 16);
		assert_int_equal(lease_verify(&lease, bundle, len, &cert, NULL, NULL), KMS_OK);
		assert_int_equal(lease.sequence, 5);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(kmsdb_client_get(s.hosts[i].db, cmid, &c), KMS_OK);
			assert_int_equal(c.sequence, 5);
			assert_int_equal(kmsdb_pool_count(s.hosts[i].db, a->publisher, 1,
					     FIXTURE_MINUTE(FIXTURE_DAY)),
			    1);
		}
		hear_all(&s);
		one_index(&s);
		share_remove(&s);
	}
}

/* The folder that a host had before the names in it were erased. */
static void
test_old_folder(void **state)
{
	struct share s;
	struct fixture *a, *b;
	const char *two = "client-2.example", *three = "client-3.example";

	(void)state;
	share_make(&s, 2);
	a = &s.hosts[0];
	b = &s.hosts[1];
	fixture_leases(a, 1, 3, 1, FIXTURE_NOW);
	follow_each_other(&s);
	hear(b, a);
	fixture_close(b);
	fixture_copy(b, "kmsdb/foreign", "old");
	assert_int_equal(renameat(b->dirfd, "kmsdb/foreign", b->dirfd, "gone"), 0);
	assert_int_equal(kmsdb_rebuild(b->dirfd, &b->opt, fixture_fault(b)), KMS_OK);
	fixture_open(b);
	erase_client(b, 2, FIXTURE_NOW + 5);
	no_erased_names(b, false);
	/* So that the index has it, too. */
	fixture_leases(b, 50, 1, 1, FIXTURE_NOW + 6);
	fixture_close(b);
	fixture_copy(b, "old", "kmsdb/foreign");
	assert_int_equal(in_journal(b, a, two), 1);
	/* Killed once more after the rows have all of it. */
	heard = a;
	fixture_crash(b, hear_and_die);
	fixture_open(b);
	no_erased_names(b, true);
	assert_int_equal(in_journal(b, a, two), 0);
	assert_int_equal(in_journal(b, a, three), 1);
	hear(a, b);
	one_index(&s);
	share_remove(&s);
}

/* What is there is not the host's chain: nothing is taken until it is. */
static void
test_bad_folder(void **state)
{
	struct share s;
	struct fixture *a, *b;
	char name[33], path[200];
	uint8_t octet = 0xff;
	unsigned taken;
	int fd;

	(void)state;
	two_hosts(&s);
	a = &s.hosts[0];
	b = &s.hosts[1];
	follow_each_other(&s);
	hear(a, b);
	fixture_close(a);
	assert_int_equal(renameat(a->dirfd, "kmsdb/foreign", a->dirfd, "aside"), 0);
	assert_int_equal(kmsdb_rebuild(a->dirfd, &a->opt, fixture_fault(a)), KMS_OK);
	fixture_open(a);
	hex_format(name, b->host_id, 16);
	snprintf(path, sizeof(path), "aside/%s/kmsdb/journal/%020d.seg", name, 1);
	fd = openat(a->dirfd, path, O_WRONLY);
	assert_true(fd >= 0 && pwrite(fd, &octet, 1, 600) == 1);
	close(fd);
	assert_int_equal(renameat(a->dirfd, "aside", a->dirfd, "kmsdb/foreign"), 0);
	parcel_of(b, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_not_equal(
		    kmsdb_share_follow(a->db, b->sign_pk, fixture_fault(a)), KMS_OK);
		assert_non_null(strstr(a->fault.text, name));
		assert_int_equal(take(a, &taken), KMS_E_UNKNOWN_HOST);
	}
	share_remove(&s);
}

/* Rows that had expired come back before another chain may add to them. */
static void
test_expired_before(void **state)
{
	struct share s;
	struct fixture *a, *b;
	struct fixture_entry e = { .kind = ENTRY_REFUSAL,
		.client = 40,
		.product = 1,
		.pool = 1,
		.sequence = 1,
		.time = FIXTURE_NOW };
	unsigned taken;

	(void)state;
	two_hosts(&s);
	a = &s.hosts[0];
	b = &s.hosts[1];
	fixture_stage(a, &e);
	e = (struct fixture_entry){ .kind = ENTRY_EXPIRE,
		.sequence = 7,
		.time = FIXTURE_NOW + 9,
		.value = FIXTURE_NOW + 1 };
	fixture_stage(a, &e);
	fixture_commit(a);
	assert_int_equal(kmsdb_share_follow(a->db, b->sign_pk, fixture_fault(a)), KMS_E_INDEX);
	fixture_close(a);
	assert_int_equal(fixture_try_open(a), KMS_E_INDEX);
	assert_int_equal(kmsdb_rebuild(a->dirfd, &a->opt, fixture_fault(a)), KMS_OK);
	fixture_open(a);
	assert_int_equal(kmsdb_share_follow(a->db, b->sign_pk, fixture_fault(a)), KMS_OK);
	parcel_of(b, 1);
	assert_int_equal(take(a, &taken), KMS_OK);
	fixture_close(a);
	assert_int_equal(fixture_check(a), KMS_OK);
	fixture_open(a);
	share_remove(&s);
}

/* Batches of which many clients' rows are a small part: a base would be begun. */
static void
test_no_base(void **state)
{
	const struct kmsdb_retention how = { .keep = 86400, .now = FIXTURE_NOW + 9 * 86400 };
	enum kmsdb_retain_next next;
	struct share s;
	struct fixture *a;

	(void)state;
	share_make(&s, 2);
	a = &s.hosts[0];
	for (uint32_t n = 1; n <= 24; n++)
		fixture_leases(a, 1, 900, n, FIXTURE_NOW + n);
	fixture_leases(a, 1, 1, 99, how.now);
	assert_int_equal(kmsdb_checkpoint(a->db), KMS_OK);
	assert_int_equal(kmsdb_retain(a->db, &how, &next), KMS_OK);
	assert_int_equal(kmsdb_staged(a->db), 1);
	kmsdb_abandon(a->db);
	assert_int_equal(fixture_try_commit(a), KMS_E_LIMIT);
	fixture_close(a);
	fixture_open(a);
	assert_int_equal(kmsdb_share_follow(a->db, s.hosts[1].sign_pk, fixture_fault(a)), KMS_OK);
	assert_int_equal(kmsdb_retain(a->db, &how, &next), KMS_OK);
	assert_int_equal(kmsdb_staged(a->db), 0);
	assert_int_equal(next, KMSDB_RETAIN_IDLE);
	share_remove(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_index),
		cmocka_unit_test(test_bad_parcels),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lost_folder),
		cmocka_unit_test(test_backup),
		cmocka_unit_test(test_erase_everywhere),
		cmocka_unit_test(test_repeat_elsewhere),
		cmocka_unit_test(test_old_folder),
		cmocka_unit_test(test_bad_folder),
		cmocka_unit_test(test_expired_before),
		cmocka_unit_test(test_no_base),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
