/*
 * ledger_fixture.c - see ledger_fixture.h.
 */
#include "t/unit/ledger_fixture.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/base/fault.h"
#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/entry_counters.h"

static void
count_log(int level, const char *event, const char *text, void *arg)
{
	struct fixture *f = arg;

	(void)level;
	(void)text;
	f->torn += strcmp(event, "journal-torn") == 0;
	f->failed += strcmp(event, "checkpoint-failed") == 0;
	f->maps += strcmp(event, "index-map") == 0;
	f->erased += strcmp(event, "names-erased") == 0;
	f->spoilt += strcmp(event, "asides-spoilt") == 0;
}

void
fixture_host(struct fixture *f, uint8_t number)
{
	uint8_t seed[32] = { 7, number };

	crypto_sign_seed_keypair(f->sign_pk, f->sign_sk, seed);
	certificate_host_id(f->host_id, f->sign_pk);
	memcpy(f->opt.sign_pk, f->sign_pk, 32);
}

void
fixture_make(struct fixture *f, const char *base)
{
	const char *tmp = getenv("TMPDIR");

	memset(f, 0, sizeof(*f));
	assert_true(sodium_init() >= 0);
	snprintf(f->path, sizeof(f->path), "%s/kmsdb-test-XXXXXX",
	    base != NULL  ? base
	    : tmp != NULL ? tmp
			  : "/tmp");
	assert_non_null(mkdtemp(f->path));
	f->dirfd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dirfd >= 0);
	memcpy(f->publisher, "PUBLISHR", 8);
	f->opt.segment_size = 1 << 20;
	f->opt.overlay_records = 4000;
	f->opt.map_size = 64 << 20;
	f->opt.checkpoint_seconds = 3600;
	f->opt.have_sign_pk = true;
	fixture_host(f, 0);
	f->opt.log = count_log;
	f->opt.log_arg = f;
}

static void
remove_tree(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dir == NULL) {
		unlinkat(dirfd, name, 0);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_tree(fd, e->d_name);
	}
	closedir(dir);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

void
fixture_remove(struct fixture *f)
{
	fixture_close(f);
	close(f->dirfd);
	remove_tree(AT_FDCWD, f->path);
}

struct fault *
fixture_fault(struct fixture *f)
{
	f->fault = (struct fault){ 0 };
	return &f->fault;
}

int
fixture_try_open(struct fixture *f)
{
	assert_null(f->db);
	return kmsdb_open(&f->db, f->dirfd, &f->opt, fixture_fault(f));
}

void
fixture_open(struct fixture *f)
{
	int rc = fixture_try_open(f);

	if (rc != KMS_OK)
		print_message("# open: %d %s\n", rc, f->fault.text);
	assert_int_equal(rc, KMS_OK);
	/* A few, so that rows push others out. */
	kmsdb_remember(f->db, FIXTURE_REMEMBERED, FIXTURE_REMEMBERED);
}

void
fixture_close(struct fixture *f)
{
	kmsdb_close(f->db);
	f->db = NULL;
}

void
fixture_cmid(uint8_t cmid[16], uint32_t client)
{
	uint8_t hash[32];

	/* In one order of bytes, so that every processor gets the same clients. */
	client = htole32(client);
	crypto_hash_sha256(hash, (const uint8_t *)&client, sizeof(client));
	memcpy(cmid, hash, 16);
}

void
fixture_header(const struct fixture *f, uint8_t out[BATCH_HEADER], uint32_t client, uint64_t number,
    uint64_t time)
{
	struct batch_header h = { .number = number, .size = 1, .time = time };

	memcpy(h.host_id, f->host_id, 16);
	client = htole32(client);
	memcpy(h.root, &client, sizeof(client));
	h.previous[0] = number > 1;
	batch_header_encode(out, &h);
}

/* Returns the length of the blob that the kind has. */
static size_t
make_blob(const struct fixture *f, uint8_t *blob, const struct fixture_entry *e)
{
	struct entry_counter counter = { .pool = e->pool, .refusals = (uint32_t)e->value };
	struct wire_writer w;

	switch (e->kind) {
	case ENTRY_COUNTERS:
		memcpy(counter.publisher, f->publisher, 8);
		counter.status = (uint16_t)(e->status != 0 ? e->status : KMS_E_CAPACITY);
		return entry_counters_encode(
		    blob, ENTRY_COUNTERS_HEAD + ENTRY_COUNTER, 60, &counter, 1);
	case ENTRY_WITNESS:
		fixture_header(f, blob, e->client, e->sequence, e->value);
		memset(blob + BATCH_HEADER, 1, BATCH_SIGNATURE);
		return BATCH_HEADER + BATCH_SIGNATURE;
	case ENTRY_RESTORED:
	case ENTRY_CLOCK:
		wire_writer_init(&w, blob, 17);
		wire_put_u64(&w, e->sequence);
		wire_put_u64(&w, e->value);
		wire_put_u8(&w, RESTORED_BACKUP);
		return e->kind == ENTRY_CLOCK ? 16 : 17;
	case ENTRY_CERTIFICATE:
		memcpy(blob, &e->client, sizeof(e->client));
		return sizeof(e->client);
	default:
		return 0;
	}
}

static size_t
encode_admin(const struct fixture *f, uint8_t *out, size_t size, const struct fixture_entry *e)
{
	struct entry_admin a = { .kind = (uint8_t)e->kind, .time = e->time, .text = "test" };
	uint8_t blob[BATCH_HEADER + BATCH_SIGNATURE];

	a.text_len = 4;
	fixture_cmid(a.subject, e->client);
	fixture_cmid(a.digest, e->client);
	a.blob = blob;
	a.blob_len = make_blob(f, blob, e);
	return entry_admin_encode(out, size, &a);
}

static size_t
encode_about(struct fixture *f, uint8_t *out, size_t size, const struct fixture_entry *e)
{
	struct entry_about a = { .kind = (uint8_t)e->kind, .time = e->time };

	f->counter += e->counter == 0;
	a.counter = e->counter != 0 ? e->counter : f->counter;
	a.through = e->sequence;
	a.value = e->value;
	if (e->kind != ENTRY_EXPIRE)
		strcpy(a.reason, "test");
	if (!e->all && e->kind != ENTRY_EXPIRE)
		fixture_cmid(a.cmid, e->client);
	if (entry_about_ends_seat(e->kind) && e->product != 0) {
		memset(a.product, 0x40 + (int)e->product, 16);
		memcpy(a.publisher, f->publisher, 8);
		a.pool = e->pool;
	}
	if (e->kind == ENTRY_RECLAIM)
		a.other[0] = 1;
	return entry_about_encode(out, size, &a);
}

static void
make_aside(struct aside *a, const struct fixture_entry *e)
{
	memset(a, 0, sizeof(*a));
	a->salt[0] = 7;
	a->address[10] = a->address[11] = 0xff;
	a->address[15] = (uint8_t)e->client;
	if (e->name != NULL)
		snprintf(a->name, sizeof(a->name), "%s", e->name);
	else
		snprintf(a->name, sizeof(a->name), "client-%u.example", e->client);
	snprintf(a->user, sizeof(a->user), "%s", e->user != NULL ? e->user : "");
}

static size_t
encode_client(const struct fixture *f, struct fixture_item *out, const struct fixture_entry *e)
{
	struct entry_client c = { .kind = (uint8_t)e->kind, .flags = e->flags };
	uint64_t request = htole64(e->request != 0 ? e->request : e->sequence);
	uint32_t window = e->window != 0 ? e->window : FIXTURE_WINDOW;
	bool counts = e->kind == ENTRY_LEASE || e->kind == ENTRY_SEEN;
	struct aside aside;

	make_aside(&aside, e);
	aside_commit(&c.commitments, &aside);
	out->item.aside_len =
	    e->nameless ? 0 : aside_encode(out->aside, sizeof(out->aside), &aside);
	c.status = e->status != 0             ? e->status
		   : e->kind == ENTRY_SEEN    ? KMS_E_COUNT_TOO_LOW
		   : e->kind == ENTRY_REFUSAL ? KMS_E_CAPACITY
					      : KMS_OK;
	c.time = e->time;
	fixture_cmid(c.cmid, e->client);
	memset(c.product, 0x40 + (int)e->product, 16);
	memcpy(c.request_id, &request, sizeof(request));
	c.sequence = e->sequence;
	c.expires = e->kind == ENTRY_LEASE ? e->time + 180 * 86400 : 0;
	c.renew_after = e->kind == ENTRY_LEASE ? e->time + 7 * 86400 : 0;
	c.count = e->count != 0 ? e->count : 25;
	c.required = 25;
	memcpy(c.publisher, f->publisher, 8);
	c.pool = e->pool;
	c.class = e->class;
	c.width = counts ? entry_slot_width(window) : 0;
	c.until = counts ? entry_counts_until(e->time, window) : 0;
	c.operation = e->kind == ENTRY_RELEASE ? MESSAGE_RELEASE : MESSAGE_RENEW;
	c.bound = e->bound != 0;
	c.binding[0] = e->bound;
	return entry_client_encode(out->entry, sizeof(out->entry), &c);
}

void
fixture_encode(struct fixture *f, struct fixture_item *out, const struct fixture_entry *e)
{
	memset(&out->item, 0, sizeof(out->item));
	out->item.entry = out->entry;
	out->item.aside = out->aside;
	if (entry_kind_is_client(e->kind))
		out->item.entry_len = encode_client(f, out, e);
	else if (entry_kind_is_about(e->kind))
		out->item.entry_len = encode_about(f, out->entry, sizeof(out->entry), e);
	else
		out->item.entry_len = encode_admin(f, out->entry, sizeof(out->entry), e);
	assert_true(out->item.entry_len > 0);
}

int
fixture_try_stage(struct fixture *f, const struct fixture_entry *e)
{
	struct fixture_item item;
	uint32_t leaf;

	fixture_encode(f, &item, e);
	f->time = e->time;
	return kmsdb_stage(f->db, &item.item, &leaf);
}

uint32_t
fixture_stage(struct fixture *f, const struct fixture_entry *e)
{
	uint32_t leaf = (uint32_t)kmsdb_staged(f->db);

	assert_int_equal(fixture_try_stage(f, e), KMS_OK);
	return leaf;
}

int
fixture_sign(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg)
{
	struct fixture *f = arg;
	int rc = f->sign_fails;

	f->sign_fails = KMS_OK;
	if (rc == KMS_OK)
		crypto_sign_detached(sig, NULL, header, BATCH_HEADER, f->sign_sk);
	return rc;
}

int
fixture_try_commit(struct fixture *f)
{
	return kmsdb_commit(
	    f->db, f->host_id, f->time != 0 ? f->time : FIXTURE_NOW, fixture_sign, f);
}

void
fixture_commit(struct fixture *f)
{
	assert_int_equal(fixture_try_commit(f), KMS_OK);
}

void
fixture_leases(struct fixture *f, uint32_t first, uint32_t n, uint64_t sequence, uint64_t time)
{
	struct fixture_entry e = {
		.kind = ENTRY_LEASE,
		.product = 1,
		.pool = 1,
		.sequence = sequence,
		.time = time,
	};

	for (e.client = first; e.client < first + n; e.client++)
		fixture_stage(f, &e);
	fixture_commit(f);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

size_t
fixture_segments(struct fixture *f, char names[][32], size_t max)
{
	int fd = openat(f->dirfd, "kmsdb/journal", O_RDONLY | O_DIRECTORY);
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	size_t n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (strstr(e->d_name, ".seg") == NULL)
			continue;
		assert_true(n < max);
		snprintf(names[n++], 32, "%.31s", e->d_name);
	}
	closedir(dir);
	qsort(names, n, 32, by_name);
	return n;
}

static void
path_of(const struct fixture *f, const char *name, char out[512])
{
	snprintf(out, 512, "%s/kmsdb/journal/%s", f->path, name);
}

uint8_t *
fixture_read(struct fixture *f, const char *name, size_t *len)
{
	char path[512];
	struct stat st;
	uint8_t *octets;
	int fd;

	path_of(f, name, path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	*len = (size_t)st.st_size;
	octets = malloc(*len + 1);
	assert_non_null(octets);
	assert_int_equal(read(fd, octets, *len), (ssize_t)*len);
	close(fd);
	return octets;
}

void
fixture_write(struct fixture *f, const char *name, const uint8_t *octets, size_t len)
{
	char path[512];
	int fd;

	path_of(f, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, octets, len), (ssize_t)len);
	close(fd);
}

void
fixture_unlink(struct fixture *f, const char *name)
{
	char path[512];

	path_of(f, name, path);
	assert_int_equal(unlink(path), 0);
}

void
fixture_crash(struct fixture *f, void (*work)(struct fixture *f))
{
	int status;
	pid_t pid;

	assert_null(f->db);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(f);
		work(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
print_line(int status, const char *line, void *arg)
{
	(void)arg;
	fprintf(stderr, "# check: %d %s\n", status, line);
}

static void
no_line(int status, const char *line, void *arg)
{
	(void)status;
	(void)line;
	(void)arg;
}

int
fixture_check(struct fixture *f)
{
	int fds[2], result = -1;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		result = kmsdb_check(f->dirfd, f->sign_pk, NULL,
		    getenv("KMS_VERBOSE") != NULL ? print_line : no_line, NULL);
		_exit(write(fds[1], &result, sizeof(result)) != sizeof(result));
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &result, sizeof(result)), sizeof(result));
	close(fds[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return result;
}

void
fixture_drop_index(struct fixture *f)
{
	remove_tree(f->dirfd, "kmsdb/index");
}

void
fixture_copy(struct fixture *f, const char *from, const char *to)
{
	char command[1200];

	remove_tree(f->dirfd, to);
	snprintf(command, sizeof(command), "cp -a '%s/%s' '%s/%s'", f->path, from, f->path, to);
	assert_int_equal(system(command), 0);
}

void
fixture_same(struct fixture *f, const char *a, const char *b)
{
	char command[1200];

	snprintf(command, sizeof(command), "cmp '%s/%s' '%s/%s'", f->path, a, f->path, b);
	assert_int_equal(system(command), 0);
}

void
fixture_erased(struct fixture *f)
{
	f->erased = 0;
	for (int i = 0; i < 2000 && f->erased == 0; i++) {
		fixture_commit(f);
		usleep(5000);
	}
	assert_int_equal(f->erased, 1);
}
