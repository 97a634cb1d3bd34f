/*
 * fuzz_ledger.c - the ledger on disk, with entries that the input chooses, and a journal in which
 * somebody changed bytes. As long as nobody did, it opens, passes its check and is rebuilt to the
 * same; afterwards, whatever is in the files, it is refused or read without harm.
 *
 * Steps (steps.h):
 *   b  items (item.h) are staged and committed      B  the same, so many times four in one batch
 *   o  close and open                               p  checkpoint
 *   v  check   r  rebuild   u  backup               j  the journal is read from a batch on
 *   e  everything that is listed                    l  a lease is read back: batch, leaf
 *   c  a byte of the journal changes: segment, place (4), what to add
 *   z  a segment is cut, or gets longer: segment, length (4)      x  a segment is removed
 *   k  the index is kept aside as it is now         K  and comes back in the place of the newer one
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsdb/kmsdb.h"
#include "libkms/base/file.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/lease.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/steps.h"
#include "t/lib/scratch.h"

#define STEPS 16
#define NOW 1760000000u

struct play {
	char path[SCRATCH_PATH + 8], copy[SCRATCH_PATH + 8];
	int dirfd;
	uint8_t sign_pk[32], sign_sk[64], host_id[16];
	struct kmsdb_options opt;
	struct kmsdb *db; /* NULL: closed, or it could not be opened */
	uint64_t time;    /* of the newest batch */
	bool altered;     /* somebody changed the journal */
	char segment[64]; /* that is looked for */
	unsigned skip;
};

static int
sign(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg)
{
	crypto_sign_detached(sig, NULL, header, BATCH_HEADER, ((struct play *)arg)->sign_sk);
	return KMS_OK;
}

static void
take_log(int level, const char *event, const char *text, void *arg)
{
	MUST(event[0] != '\0' && text[0] != '\0');
}

static void
open_ledger(struct play *p)
{
	struct fault fault = { 0 };
	int rc;

	kmsdb_close(p->db);
	p->db = NULL;
	rc = kmsdb_open(&p->db, p->dirfd, &p->opt, &fault);
	MUST(rc == KMS_OK || p->altered);
	MUST(rc == KMS_OK || p->db == NULL);
}

static void
close_ledger(struct play *p)
{
	kmsdb_close(p->db);
	p->db = NULL;
}

/* Only what kmsd could have written: whole entries, of this batch's time, with their own names. */
static void
stage(struct play *p, const uint8_t *data, size_t len, uint64_t *time)
{
	struct wire_reader r;
	struct item item;
	uint32_t leaf;

	wire_reader_init(&r, data, len);
	while (wire_left(&r) > 0 && item_read(&r, &item) == KMS_OK) {
		uint64_t at = entry_time(item.entry, item.entry_len);

		if (entry_check(item.entry, item.entry_len) != KMS_OK ||
		    item_names(&item) == KMS_E_ALTERED)
			continue;
		if (kmsdb_staged(p->db) == 0)
			*time = at;
		if (batch_time_near(at, *time))
			(void)kmsdb_stage(p->db, &item, &leaf);
	}
}

static void
commit(struct play *p, const uint8_t *data, size_t len, unsigned times)
{
	uint8_t bundle[LEASE_MAX];
	size_t staged;

	for (unsigned i = 0; i < times && !kmsdb_full(p->db); i++)
		stage(p, data, len, &p->time);
	staged = kmsdb_staged(p->db);
	if (kmsdb_commit(p->db, p->host_id, p->time, sign, p) != KMS_OK) {
		MUST(p->altered);
		return;
	}
	MUST(kmsdb_staged(p->db) == 0);
	for (uint32_t i = 0; i < staged && i < 4; i++)
		(void)kmsdb_bundle(p->db, i, bundle, sizeof(bundle));
}

/* -- what reads it -- */

static void
complain(int status, const char *line, void *arg)
{
	MUST(line[0] != '\0');
	if (!((struct play *)arg)->altered)
		fprintf(stderr, "%d: %s\n", status, line);
}

static int
take_batch(const struct kmsdb_batch_view *b, void *arg)
{
	for (uint32_t i = 0; i < b->header.size; i++)
		MUST(entry_check(b->items[i].entry, b->items[i].entry_len) == KMS_OK);
	return 0;
}

static int
take_client(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	MUST(memchr(cold->name, 0, sizeof(cold->name)) != NULL);
	MUST(memchr(cold->user, 0, sizeof(cold->user)) != NULL);
	return 0;
}

static int
take_relayed(const struct kmsdb_relayed *r, void *arg)
{
	MUST(memchr(r->name, 0, sizeof(r->name)) != NULL);
	return 0;
}

static int
take_count(const struct kmsdb_count *c, void *arg)
{
	return 0;
}

/* What it says of itself: no more is graded than there is. */
static void
list_history(struct kmsdb *db, uint64_t last)
{
	struct kmsdb_history h;
	struct kmsdb_witness w;
	uint8_t hash[32] = { 0 };

	if (kmsdb_history(db, &h) == KMS_OK)
		MUST(h.restores == 0 || h.last_restored.batch != 0);
	for (uint64_t n = 0; n <= last + 1 && n < 8; n++) {
		(void)kmsdb_batch_hash(db, n, hash);
		(void)kmsdb_witness_get(db, n, hash, &w);
	}
	(void)kmsdb_installed(db, hash);
	(void)kmsdb_last_time(db);
}

static void
list(struct kmsdb *db)
{
	struct kmsdb_info info;
	uint8_t nobody[16] = { 0 };
	struct kmsdb_client c;
	struct kmsdb_cold cold;

	kmsdb_info(db, &info);
	MUST(info.index_batch <= info.last_batch);
	(void)kmsdb_each_client(db, take_client, NULL);
	(void)kmsdb_each_relayed(db, take_relayed, NULL);
	(void)kmsdb_each_count(db, take_count, NULL);
	if (kmsdb_client_get(db, nobody, &c) == KMS_OK)
		(void)kmsdb_client_counts(&c, c.publisher, c.pool, NOW / 60);
	(void)kmsdb_cold_get(db, nobody, &cold);
	(void)kmsdb_pool_count(db, nobody, 1, NOW / 60);
	(void)kmsdb_counter(db);
	list_history(db, info.index_batch);
}

/* Another process beside the one that has it open: kmsctl reads, and a second kmsd is refused. */
static void
list_beside(struct play *p)
{
	struct kmsdb_options reader = p->opt;
	struct fault fault = { 0 };
	struct kmsdb *db;

	MUST(kmsdb_open(&db, p->dirfd, &p->opt, &fault) == KMS_E_EXISTS && db == NULL);
	reader.read_only = true;
	if (kmsdb_open(&db, p->dirfd, &reader, &fault) == KMS_OK)
		list(db);
	kmsdb_close(db);
	/* LMDB wants an index opened once in a process: the other one's snapshot is gone. */
	open_ledger(p);
}

static void
read_lease(struct play *p, const struct step *s)
{
	uint8_t bundle[LEASE_MAX];
	size_t len = 0;

	if (s->len >= 2 && kmsdb_bundle_read(p->db, s->data[0], s->data[1], bundle, sizeof(bundle),
			       &len) == KMS_OK)
		MUST(len > 0 && len <= sizeof(bundle));
}

static void
read_journal(struct play *p, uint64_t from)
{
	struct fault fault = { 0 };
	uint64_t begin;
	bool all;
	int rc = kmsdb_journal_each(p->dirfd, from, take_batch, NULL, &fault);

	/* A batch that is not there yet is no batch. */
	MUST(rc == KMS_OK || p->altered || rc == KMS_E_NOT_FOUND || rc == KMS_E_MISSING);
	(void)kmsdb_journal_newest(p->dirfd, from * 1000, &begin, &all, &fault);
}

static void
check(struct play *p)
{
	uint64_t erased;
	int rc;

	close_ledger(p);
	rc = kmsdb_check(p->dirfd, p->sign_pk, &erased, complain, p);
	MUST(rc == KMS_OK || p->altered);
	open_ledger(p);
}

static void
rebuild(struct play *p)
{
	struct fault fault = { 0 };
	int rc;

	close_ledger(p);
	rc = kmsdb_rebuild(p->dirfd, &p->opt, &fault);
	MUST(rc == KMS_OK || p->altered);
	open_ledger(p);
}

static void
back_up(struct play *p)
{
	struct kmsdb_backup count;
	struct fault fault = { 0 };
	int fd;

	(void)mkdir(p->copy, 0700);
	MUST((fd = open(p->copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
	if (kmsdb_backup(p->dirfd, fd, &count, &fault) == KMS_OK)
		MUST(kmsdb_journal_each(fd, 1, take_batch, NULL, &fault) == KMS_OK || p->altered);
	else
		MUST(p->altered);
	close(fd);
}

/* -- who changes it -- */

static int
take_name(const char *name, void *arg)
{
	struct play *p = arg;

	snprintf(p->segment, sizeof(p->segment), "kmsdb/journal/%.40s", name);
	return p->skip-- == 0;
}

/* An open descriptor of one of the segments; -1: there is none. */
static int
segment(struct play *p, unsigned number)
{
	p->segment[0] = '\0';
	p->skip = number % 4;
	(void)file_each(p->dirfd, "kmsdb/journal", ".seg", take_name, p);
	return p->segment[0] != '\0' ? openat(p->dirfd, p->segment, O_RDWR | O_CLOEXEC) : -1;
}

static uint32_t
four(const uint8_t *d)
{
	return d[0] | (uint32_t)d[1] << 8 | (uint32_t)d[2] << 16 | (uint32_t)d[3] << 24;
}

static void
alter(struct play *p, const struct step *s)
{
	uint8_t byte;
	int fd;

	if (s->len < 6)
		return;
	close_ledger(p);
	fd = segment(p, s->data[0]);
	p->altered = true;
	if (s->what == 'x')
		unlinkat(p->dirfd, p->segment, 0);
	else if (s->what == 'z')
		(void)!ftruncate(fd, (off_t)(four(s->data + 1) % (1 << 21)));
	else if (pread(fd, &byte, 1, (off_t)four(s->data + 1)) == 1) {
		byte += s->data[5];
		(void)!pwrite(fd, &byte, 1, (off_t)four(s->data + 1));
	}
	if (fd >= 0)
		close(fd);
}

/* Somebody restores one of two files: an index that is older than the journal, or another's. */
static void
swap_index(struct play *p, bool back)
{
	static const char now[] = "kmsdb/index/data.mdb", kept[] = "kept.mdb";
	uint8_t *octets = NULL;
	size_t len;

	close_ledger(p);
	if (file_read(p->dirfd, back ? kept : now, FILE_OURS, 64 << 20, (char **)&octets, &len) ==
	    KMS_OK)
		MUST(file_write(p->dirfd, back ? now : kept, octets, len, 0600, true) == KMS_OK);
	free(octets);
	p->altered = p->altered || back;
}

/* -- the whole -- */

static void
play_open(struct play *p, const struct step *s)
{
	unsigned first = s->len > 0 ? s->data[0] : 0;

	switch (s->what) {
	case 'b':
		commit(p, s->data, s->len, 1);
		break;
	case 'B':
		if (s->len > 1)
			commit(p, s->data + 1, s->len - 1, 4 * first);
		break;
	case 'p':
		MUST(kmsdb_checkpoint(p->db) == KMS_OK || p->altered);
		break;
	case 'e':
		list(p->db);
		list_beside(p);
		break;
	case 'l':
		read_lease(p, s);
		break;
	}
}

static void
play_step(struct play *p, const struct step *s)
{
	switch (s->what) {
	case 'o':
		open_ledger(p);
		break;
	case 'v':
		check(p);
		break;
	case 'r':
		rebuild(p);
		break;
	case 'u':
		back_up(p);
		break;
	case 'j':
		read_journal(p, s->len > 0 ? s->data[0] : 0);
		break;
	case 'k':
	case 'K':
		swap_index(p, s->what == 'K');
		break;
	case 'c':
	case 'z':
	case 'x':
		alter(p, s);
		break;
	default:
		if (p->db != NULL)
			play_open(p, s);
	}
}

static void
begin(struct play *p)
{
	static char root[SCRATCH_PATH];
	const uint8_t seed[32] = { 7 };

	MUST(sodium_init() >= 0);
	MUST(root[0] != '\0' || scratch_make(root));
	snprintf(p->path, sizeof(p->path), "%s/state", root);
	snprintf(p->copy, sizeof(p->copy), "%s/copy", root);
	MUST(mkdir(p->path, 0700) == 0);
	MUST((p->dirfd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
	crypto_sign_seed_keypair(p->sign_pk, p->sign_sk, seed);
	certificate_host_id(p->host_id, p->sign_pk);
	p->time = NOW;
	p->opt = (struct kmsdb_options){ .segment_size = 1 << 20,
		.overlay_records = 64,
		.map_size = 1 << 20,
		.checkpoint_seconds = 3600,
		.have_sign_pk = true,
		.log = take_log };
	memcpy(p->opt.sign_pk, p->sign_pk, 32);
	open_ledger(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct steps steps = { data, size, STEPS };
	struct play p = { 0 };
	struct step s;

	begin(&p);
	while (steps_next(&steps, &s))
		play_step(&p, &s);
	kmsdb_close(p.db);
	close(p.dirfd);
	scratch_remove(p.path);
	scratch_remove(p.copy);
	return 0;
}
