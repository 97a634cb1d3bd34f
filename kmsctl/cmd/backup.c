/*
 * backup.c - ledger backup and restore: the journal's segments, beside a running kmsd too.
 *
 * A closed segment never changes, so it is copied once. Of the open segment, everything up to the
 * last complete batch is copied: that part is final. The index is not copied; restore rebuilds it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/plan/owned_tree.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/kms_error.h"

#define JOURNAL "kmsdb/journal"
#define RESTORING "kmsdb.restoring"
#define RECORD_LENGTH 8 /* kms.journal(5): where a record has its length */

struct copy {
	int from, to;  /* directories that hold kmsdb/ */
	char last[32]; /* segment of the last complete batch */
	uint64_t end;  /* bytes of it that are final */
	uint64_t batch;
	unsigned copied, kept;
	uint64_t octets;
};

static bool
is_segment(const char *name)
{
	return strlen(name) == 24 && strspn(name, "0123456789") == 20 &&
	       strcmp(name + 20, ".seg") == 0;
}

static int
segments(const struct dirent *d)
{
	return is_segment(d->d_name);
}

static int
list_segments(int dir, struct dirent ***names)
{
	int fd = openat(dir, JOURNAL, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;

	if (fd == -1)
		return -1;
	n = scandirat(fd, ".", names, segments, alphasort);
	close(fd);
	return n;
}

static void
free_segments(struct dirent **names, int n)
{
	while (n-- > 0)
		free(names[n]);
	free(names);
}

static int
see_batch(const struct kmsdb_batch_view *b, void *arg)
{
	struct copy *c = arg;

	snprintf(c->last, sizeof(c->last), "%s", b->segment);
	c->end = b->offset;
	c->batch = b->header.number;
	return 0;
}

/*
 * The directory belongs to another user (the activation user, or the keeper of the copy): a link
 * in it would be read with root's rights, and a FIFO would be waited for.
 */
static int
open_segment(int dir, const char *path, struct stat *st)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd == -1 || (fstat(fd, st) == 0 && S_ISREG(st->st_mode)))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

/* Where the last complete batch of the journal, from batch `from` on, ends. */
static int
find_end(struct copy *c, uint64_t from, struct fault *fault)
{
	char path[64];
	uint8_t octets[4];
	struct stat st;
	int rc, fd;

	c->last[0] = '\0';
	rc = kmsdb_journal_each(c->from, from, see_batch, c, fault);
	if (rc != KMS_OK || c->last[0] == '\0')
		return rc;
	snprintf(path, sizeof(path), JOURNAL "/%.31s", c->last);
	fd = open_segment(c->from, path, &st);
	if (fd == -1 || pread(fd, octets, 4, (off_t)(c->end + RECORD_LENGTH)) != 4)
		rc = KMS_E_IO;
	else
		c->end += (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 |
			  (uint32_t)octets[2] << 8 | octets[3];
	if (fd != -1)
		close(fd);
	return rc;
}

static int
copy_octets(int in, int out, uint64_t len)
{
	static char buffer[1 << 20];
	uint64_t at = 0;
	ssize_t n;

	while (at < len) {
		n = pread(
		    in, buffer, len - at < sizeof(buffer) ? len - at : sizeof(buffer), (off_t)at);
		if (n <= 0 || pwrite(out, buffer, (size_t)n, (off_t)at) != n)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

/* Completely or not at all: written beside, synced, renamed. final: bytes after these are zeros. */
static int
copy_segment(struct copy *c, const char *name, uint64_t final)
{
	char path[64], made[64];
	struct timespec times[2] = { { 0 } };
	struct stat st, have;
	int in, out = -1, rc = -1;

	snprintf(path, sizeof(path), JOURNAL "/%.31s", name);
	snprintf(made, sizeof(made), JOURNAL "/%.31s.new", name);
	in = open_segment(c->from, path, &st);
	if (in == -1)
		goto out;
	if (final == UINT64_MAX && fstatat(c->to, path, &have, 0) == 0 &&
	    have.st_size == st.st_size && have.st_mtim.tv_sec == st.st_mtim.tv_sec &&
	    have.st_mtim.tv_nsec == st.st_mtim.tv_nsec) {
		c->kept++;
		rc = 0;
		goto out;
	}
	/*
	 * A closed segment is recognised by its time; the copy of an open one must never pass for
	 * it.
	 */
	if (final == UINT64_MAX)
		times[1] = st.st_mtim;
	if (final > (uint64_t)st.st_size)
		final = (uint64_t)st.st_size;
	out = openat(c->to, made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out == -1 || copy_octets(in, out, final) == -1 || ftruncate(out, st.st_size) == -1 ||
	    futimens(out, times) == -1 || fsync(out) == -1)
		goto out;
	rc = renameat(c->to, made, c->to, path);
	c->copied++;
	c->octets += final;
out:
	if (in != -1)
		close(in);
	if (out != -1)
		close(out);
	return rc;
}

/* Every segment up to the last complete batch. KMS_OK, or the status of the failure. */
static int
copy_journal(struct copy *c, struct fault *fault)
{
	struct dirent **names = NULL;
	int n, i, rc;

	if ((mkdirat(c->to, "kmsdb", 0700) == -1 && errno != EEXIST) ||
	    (mkdirat(c->to, JOURNAL, 0700) == -1 && errno != EEXIST) ||
	    (n = list_segments(c->from, &names)) == -1) {
		return fault_set(fault, KMS_E_IO, "%s", strerror(errno));
	}
	if (n == 0) {
		free(names);
		return fault_set(fault, KMS_E_NOT_FOUND, "there is no journal");
	}
	rc = find_end(c, strtoull(names[n - 1]->d_name, NULL, 10), fault);
	/* A segment without a batch contains nothing yet: it is left out. */
	if (rc == KMS_OK && c->last[0] == '\0' && --n > 0)
		rc = find_end(c, strtoull(names[n - 1]->d_name, NULL, 10), fault);
	for (i = 0; i < n && rc == KMS_OK; i++) {
		int order = strcmp(names[i]->d_name, c->last);

		if (order <= 0 &&
		    copy_segment(c, names[i]->d_name, order < 0 ? UINT64_MAX : c->end) == -1)
			rc = fault_errno(fault, errno, "%s", names[i]->d_name);
	}
	free_segments(names, n);
	return rc;
}

static int
any_batch(const struct kmsdb_batch_view *b, void *arg)
{
	*(uint64_t *)arg = b->header.number;
	return 0;
}

static int
run_backup(struct ctl *ctl)
{
	struct copy c = { .from = -1, .to = -1 };
	struct fault fault = { 0 };
	uint64_t found = 0;
	int rc = KMS_E_IO, code;

	c.from = open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.from == -1)
		return fail(ctl, KMS_E_IO, "%s: %s", ctl->config.state_directory, strerror(errno));
	if ((mkdir(ctl->args[0], 0700) == -1 && errno != EEXIST) ||
	    (c.to = open(ctl->args[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		rc = fault_set(&fault, KMS_E_IO, "%s: %s", ctl->args[0], strerror(errno));
	else
		rc = copy_journal(&c, &fault);
	if (rc == KMS_OK)
		rc = kmsdb_journal_each(c.to, 1, any_batch, &found, &fault);
	if (rc == KMS_OK && found != c.batch)
		rc = KMS_E_ALTERED;
	if (rc == KMS_OK) {
		output_bool(ctl->out, "checked", NULL, true);
		output_number(ctl->out, "last_batch", NULL, c.batch);
		output_number(ctl->out, "segments_copied", NULL, c.copied);
		output_number(ctl->out, "segments_kept", NULL, c.kept);
		output_line(ctl->out, OUTPUT_GOOD,
		    "Backed up to batch %" PRIu64
		    ": %u segment%s copied, %u already there; chain and trees verified",
		    c.batch, c.copied, c.copied == 1 ? "" : "s", c.kept);
	}
	code = rc == KMS_OK ? CTL_OK
			    : fail(ctl, (uint32_t)rc, "backup to %.200s: %s", ctl->args[0],
				  fault_text(&fault, rc));
	close(c.from);
	if (c.to != -1)
		close(c.to);
	return code;
}

/*
 * Everything that root made below dir is given to the owner of the state directory. 0, or -1 with
 * errno.
 */
static int
give_to_owner(int dir, int state)
{
	struct owned_tree owner = { .give = true };
	struct stat st;

	if (fstat(state, &st) == -1)
		return -1;
	owner.uid = st.st_uid;
	owner.gid = st.st_gid;
	return geteuid() == 0 ? owned_tree_own(dir, &owner) : 0;
}

static void
no_report(int status, const char *line, void *arg)
{
}

/* Makes a complete ledger in a directory of its own, which is then renamed into place. */
static int
restore(struct ctl *ctl, struct copy *c, int state, const char *place, struct fault *fault)
{
	struct kmsdb_options opt = { .segment_size = ctl->config.segment_size,
		.overlay_records = ctl->config.overlay_records,
		.map_size = ctl->config.map_size,
		.checkpoint_seconds = ctl->config.checkpoint_interval };
	int rc;

	if (faccessat(state, "kmsdb", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		return fault_set(fault, KMS_E_EXISTS,
		    "%s/kmsdb exists: stop kmsd and move this directory away first",
		    ctl->config.state_directory);
	}
	owned_tree_remove(state, RESTORING); /* left by an interrupted restore */
	if (mkdirat(state, RESTORING, 0700) == -1 ||
	    (c->to = openat(state, RESTORING, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) ==
		-1) {
		return fault_set(fault, KMS_E_IO, "%s: %s", place, strerror(errno));
	}
	rc = copy_journal(c, fault);
	if (rc == KMS_OK)
		rc = kmsdb_rebuild(c->to, &opt, fault);
	if (rc == KMS_OK)
		rc = kmsdb_check(c->to, NULL, no_report, NULL);
	if (rc == KMS_OK &&
	    (give_to_owner(c->to, state) == -1 || renameat(c->to, "kmsdb", state, "kmsdb") == -1 ||
		fsync(state) == -1)) {
		rc = fault_set(fault, KMS_E_IO, "%s: %s", place, strerror(errno));
	}
	owned_tree_remove(state, RESTORING);
	return rc;
}

static int
run_restore(struct ctl *ctl)
{
	struct copy c = { .to = -1 };
	char place[300];
	struct fault fault = { 0 };
	int state = open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), e, code;

	if (state == -1)
		return fail(ctl, KMS_E_IO, "%s: %s: create the directory with kmsctl apply",
		    ctl->config.state_directory, strerror(errno));
	snprintf(place, sizeof(place), "%s/" RESTORING, ctl->config.state_directory);
	c.from = open(ctl->args[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.from == -1) {
		e = fault_set(&fault, KMS_E_NOT_FOUND, "%s: %s", ctl->args[0], strerror(errno));
	} else {
		e = restore(ctl, &c, state, place, &fault);
	}
	if (e == KMS_OK) {
		output_bool(ctl->out, "restored", NULL, true);
		output_number(ctl->out, "last_batch", NULL, c.batch);
		output_line(ctl->out, OUTPUT_GOOD,
		    "Restored to batch %" PRIu64
		    "; the index was rebuilt, and the check found no problem",
		    c.batch);
	}
	code = e == KMS_OK ? CTL_OK : fail(ctl, (uint32_t)e, "%s", fault_text(&fault, e));
	close(state);
	if (c.from != -1)
		close(c.from);
	if (c.to != -1)
		close(c.to);
	return code;
}

const struct ctl_command cmd_ledger_backup = {
	.line.noun = "ledger",
	.line.verb = "backup",
	.line.args = "DIR",
	.line.summary = "copy the new part of the journal to DIR; kmsd may be running",
	.line.min = 1,
	.line.max = 1,
	.run = run_backup,
};
const struct ctl_command cmd_ledger_restore = {
	.line.noun = "ledger",
	.line.verb = "restore",
	.line.args = "DIR",
	.line.summary =
	    "restore the ledger from a backup, rebuild its index and check it; kmsd must be stopped",
	.line.min = 1,
	.line.max = 1,
	.run = run_restore,
};
