/*
 * backup.c - a copy of the journal, beside a running kmsd too.
 *
 * Of a closed segment nothing changes but names that are erased, which also changes its time: it is
 * copied once, and again after that. Of the open segment, everything up to the last complete batch
 * is copied: that part is final. The index is not copied; kmsdb_rebuild makes it again.
 *
 * Segments that were dropped are dropped here too, when all else is there: what is left of them in
 * journal/dropped, and the base, which is in the segments that remain (retain.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsdb/chains.h"
#include "kmsdb/dropped.h"
#include "kmsdb/foreign.h"
#include "kmsdb/kmsdb.h"
#include "kmsdb/position.h"
#include "kmsdb/scan.h"
#include "libkms/base/file.h"

#define ROUNDS 10

struct backup {
	int from, to;       /* kmsdb/journal of each */
	uint64_t last, end; /* segment of the last complete batch, and where that ends; 0: none */
	struct kmsdb_backup *count;
};

/* The last complete batch, from the segment that begins with batch `first` on. */
static int
find_end(struct backup *b, uint64_t first, struct fault *fault)
{
	struct scan *s;
	int rc = scan_open(&s, b->from, NULL, first, fault);

	if (rc != KMS_OK)
		return rc;
	b->last = 0;
	while ((rc = scan_next(s)) == KMS_OK) {
		segment_name_parse(s->segment, &b->last);
		b->end = s->offset + s->record.length;
		b->count->batch = s->record.batch.number;
	}
	if (rc == KMS_E_NOT_FOUND)
		rc = KMS_OK;
	else
		fault_set(fault, rc, "%s", s->fault.text);
	scan_close(s);
	return rc;
}

static int
copy_bytes(int in, int out, uint64_t len)
{
	uint8_t buffer[65536];
	size_t got;
	int rc = KMS_OK;

	for (uint64_t at = 0; at < len && rc == KMS_OK; at += got) {
		uint64_t left = len - at;

		rc = position_read(
		    in, buffer, left < sizeof(buffer) ? (size_t)left : sizeof(buffer), at, &got);
		if (rc == KMS_OK && got == 0)
			rc = KMS_E_IO;
		if (rc == KMS_OK)
			rc = position_write(out, buffer, got, at);
	}
	return rc;
}

static bool
same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Completely or not at all: written beside, synced, renamed. After the first len bytes: zeros. */
static int
write_segment(
    struct backup *b, int in, const char *name, const struct stat *st, uint64_t len, bool closed)
{
	/* By its time a closed segment is recognised: the copy of an open one has none. */
	const struct timespec times[2] = { [1] = closed ? st->st_mtim : (struct timespec){ 0 } };
	char made[SEGMENT_NAME + 4];
	int out, rc;

	snprintf(made, sizeof(made), "%s.new", name);
	out = openat(b->to, made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return file_status(errno);
	rc = copy_bytes(in, out, len);
	if (rc == KMS_OK &&
	    (ftruncate(out, st->st_size) != 0 || futimens(out, times) != 0 || fsync(out) != 0))
		rc = file_status(errno);
	close(out);
	return rc != KMS_OK ? rc : file_rename(b->to, made, name);
}

static int
copy_segment(struct backup *b, uint64_t first)
{
	bool closed = first < b->last;
	char name[SEGMENT_NAME];
	struct stat st, have;
	int in, rc = segment_open(b->from, first, &in);

	if (rc != KMS_OK)
		return rc;
	segment_name(name, first);
	/* The directory belongs to another user: only a file is read with root's rights. */
	if (fstat(in, &st) != 0 || !S_ISREG(st.st_mode)) {
		rc = KMS_E_IO;
	} else if (closed && fstatat(b->to, name, &have, AT_SYMLINK_NOFOLLOW) == 0 &&
		   same(&st, &have)) {
		b->count->kept++;
	} else {
		uint64_t size = (uint64_t)st.st_size;

		rc = write_segment(
		    b, in, name, &st, closed || b->end > size ? size : b->end, closed);
		b->count->copied++;
	}
	close(in);
	return rc;
}

/* Hashes are only ever added, so a copy that is as long is the same. */
static int
copy_dropped(struct backup *b)
{
	struct stat st, have;
	int in = openat(b->from, DROPPED_NAME, POSITION_READ), rc = KMS_OK;

	if (in < 0)
		return errno == ENOENT ? KMS_OK : file_status(errno);
	if (fstat(in, &st) != 0 || !S_ISREG(st.st_mode))
		rc = KMS_E_IO;
	else if (fstatat(b->to, DROPPED_NAME, &have, AT_SYMLINK_NOFOLLOW) != 0 ||
		 have.st_size != st.st_size)
		rc = write_segment(b, in, DROPPED_NAME, &st, (uint64_t)st.st_size, false);
	close(in);
	return rc;
}

static int
drop_before(struct backup *b, uint64_t first)
{
	struct segment_list there;
	char name[SEGMENT_NAME];
	int rc = segment_list_read(&there, b->to);

	for (size_t i = 0; rc == KMS_OK && i < there.count && there.first[i] < first; i++) {
		segment_name(name, there.first[i]);
		if (unlinkat(b->to, name, 0) != 0 || fsync(b->to) != 0)
			rc = file_status(errno);
		b->count->dropped++;
	}
	segment_list_free(&there);
	return rc;
}

/* Nothing is dropped there because a segment is missing here. */
static int
check_beginning(struct backup *b, struct fault *fault)
{
	struct scan *s;
	int rc = scan_open(&s, b->from, NULL, 0, fault);

	scan_close(s);
	return rc;
}

static int
copy_list(struct backup *b, const struct segment_list *l, struct fault *fault)
{
	int rc;

	if (l->count == 0)
		return fault_set(fault, KMS_E_NOT_FOUND, "there is no journal");
	if ((rc = check_beginning(b, fault)) != KMS_OK)
		return rc;
	rc = find_end(b, l->first[l->count - 1], fault);
	/* A segment without a batch contains nothing yet: it is left out. */
	if (rc == KMS_OK && b->last == 0 && l->count > 1)
		rc = find_end(b, l->first[l->count - 2], fault);
	for (size_t i = 0; i < l->count && rc == KMS_OK && l->first[i] <= b->last; i++) {
		if ((rc = copy_segment(b, l->first[i])) != KMS_OK)
			fault_set(fault, rc, "%020llu.seg: %s", (unsigned long long)l->first[i],
			    kms_strerror((uint32_t)rc));
	}
	if (rc == KMS_OK &&
	    ((rc = copy_dropped(b)) != KMS_OK || (rc = drop_before(b, l->first[0])) != KMS_OK))
		fault_set(fault, rc, DROPPED_NAME ": %s", kms_strerror((uint32_t)rc));
	return rc;
}

/*
 * Again when segments were dropped meanwhile, because their base may be behind what was copied; and
 * when there is a newer segment than those that were listed, because it has the last batch.
 */
static int
copy_journal(struct backup *b, struct fault *fault)
{
	struct segment_list l;
	bool newer;
	int rc;

	for (int round = 1;; round++) {
		*fault = (struct fault){ 0 };
		if ((rc = segment_list_read(&l, b->from)) != KMS_OK)
			return fault_set(fault, rc, NULL);
		b->count->copied = b->count->kept = 0;
		rc = copy_list(b, &l, fault);
		newer = rc == KMS_OK && b->last > l.first[l.count - 1];
		segment_list_free(&l);
		if ((rc != KMS_E_NOT_FOUND && !newer) || round == ROUNDS)
			return rc;
	}
}

static int
backup_journal(int from, int to, struct kmsdb_backup *count, struct fault *fault)
{
	struct backup b = { .from = -1, .to = -1, .count = count };
	int rc;

	*count = (struct kmsdb_backup){ 0 };
	if ((rc = segment_directory(from, false, &b.from, fault)) == KMS_OK &&
	    (rc = segment_directory(to, true, &b.to, fault)) == KMS_OK)
		rc = copy_journal(&b, fault);
	if (b.from >= 0)
		close(b.from);
	if (b.to >= 0)
		close(b.to);
	return rc;
}

/* -- the chains of other hosts -- */

/* As the own journal. One without a batch yet has nothing to copy. */
static int
backup_other(
    int from, int to, const uint8_t host[16], struct kmsdb_backup *count, struct fault *fault)
{
	struct kmsdb_backup one;
	struct foreign *in = NULL, *out = NULL;
	uint8_t made[16];
	int rc = foreign_open(&in, from, host, fault);

	if (rc == KMS_OK)
		rc = foreign_make(to, foreign_key(in), made, fault);
	if (rc == KMS_OK)
		rc = foreign_open(&out, to, host, fault);
	if (rc == KMS_OK)
		rc = backup_journal(foreign_directory(in), foreign_directory(out), &one, fault);
	if (rc == KMS_OK) {
		count->copied += one.copied;
		count->kept += one.kept;
	}
	foreign_close(in);
	foreign_close(out);
	return rc;
}

static int
backup_others(int from, int to, struct kmsdb_backup *count, struct fault *fault)
{
	uint8_t hosts[CHAINS_MAX][16];
	unsigned n = 0;
	int in = -1, out = -1, rc;

	if ((rc = position_directory(from, "kmsdb", 0, &in)) != KMS_OK ||
	    (rc = position_directory(to, "kmsdb", 1, &out)) != KMS_OK)
		fault_set(fault, rc, "kmsdb: %s", kms_strerror((uint32_t)rc));
	else
		rc = foreign_list(in, hosts, CHAINS_MAX, &n, fault);
	for (unsigned i = 0; i < n && rc == KMS_OK; i++)
		rc = backup_other(in, out, hosts[i], count, fault);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return rc;
}

int
kmsdb_backup(int from, int to, struct kmsdb_backup *count, struct fault *fault)
{
	int rc = backup_journal(from, to, count, fault);

	return rc == KMS_OK ? backup_others(from, to, count, fault) : rc;
}
