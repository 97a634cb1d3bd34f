/*
 * backup.c - ledger backup and restore. A backup is the journal (kmsdb_backup); restore
 * rebuilds the index.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/journal_host.h"
#include "kmsctl/plan/owned_tree.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define RESTORING "kmsdb.restoring"

static int
any_batch(const struct kmsdb_batch_view *b, void *arg)
{
	*(uint64_t *)arg = b->header.number;
	return 0;
}

static int
run_backup(struct ctl *ctl)
{
	struct kmsdb_backup b = { 0 };
	struct fault fault = { 0 };
	uint64_t found = 0;
	int from, to = -1, rc, code;

	from = open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from == -1)
		return fail(ctl, KMS_E_IO, "%s: %s", ctl->config.state_directory, strerror(errno));
	if ((mkdir(ctl->args[0], 0700) == -1 && errno != EEXIST) ||
	    (to = open(ctl->args[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		rc = fault_set(&fault, KMS_E_IO, "%s: %s", ctl->args[0], strerror(errno));
	else
		rc = kmsdb_backup(from, to, &b, &fault);
	if (rc == KMS_OK)
		rc = kmsdb_journal_each(to, 1, any_batch, &found, &fault);
	if (rc == KMS_OK && found != b.batch)
		rc = KMS_E_ALTERED;
	if (rc == KMS_OK) {
		output_bool(ctl->out, "checked", NULL, true);
		output_number(ctl->out, "last_batch", NULL, b.batch);
		output_number(ctl->out, "segments_copied", NULL, b.copied);
		output_number(ctl->out, "segments_kept", NULL, b.kept);
		output_line(ctl->out, OUTPUT_GOOD,
		    "Backed up to batch %" PRIu64
		    ": %u segment%s copied, %u already there; chain and trees verified",
		    b.batch, b.copied, b.copied == 1 ? "" : "s", b.kept);
	}
	code = rc == KMS_OK ? CTL_OK
			    : fail(ctl, (uint32_t)rc, "backup to %.200s: %s", ctl->args[0],
				  fault_text(&fault, rc));
	close(from);
	if (to != -1)
		close(to);
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

/* It would go on in the directory that was moved away, and lose what it writes there. */
static int
is_stopped(struct ctl *ctl, struct fault *fault)
{
	struct reply reply = { 0 };
	int rc = ask_quietly(ctl, CONTROL_STATUS, NULL, &reply, NULL);

	reply_free(&reply);
	return rc != KMS_OK
		   ? KMS_OK
		   : fault_set(fault, KMS_E_EXISTS,
			 "kmsd is still running and uses the ledger that you moved away: stop kmsd first");
}

/* Makes a complete ledger in a directory of its own, which is then renamed into place. */
static int
restore(struct ctl *ctl, int from, int state, struct kmsdb_backup *b, struct fault *fault)
{
	struct kmsdb_options opt = { .segment_size = ctl->config.segment_size,
		.overlay_records = ctl->config.overlay_records,
		.map_size = ctl->config.map_size,
		.checkpoint_seconds = ctl->config.checkpoint_interval };
	const char *dir = ctl->config.state_directory;
	uint8_t sign_pk[32];
	int to, rc;

	if (file_exists(state, "kmsdb"))
		return fault_set(fault, KMS_E_EXISTS,
		    "%s/kmsdb exists: stop kmsd and move this directory away first", dir);
	if ((rc = is_stopped(ctl, fault)) != KMS_OK ||
	    (rc = journal_host_check(from, ctl->args[0], state, dir, fault)) != KMS_OK)
		return rc;
	owned_tree_remove(state, RESTORING); /* left by an interrupted restore */
	if (mkdirat(state, RESTORING, 0700) == -1 ||
	    (to = openat(state, RESTORING, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return fault_set(fault, KMS_E_IO, "%s/%s: %s", dir, RESTORING, strerror(errno));
	rc = kmsdb_backup(from, to, b, fault);
	if (rc == KMS_OK)
		rc = kmsdb_rebuild(to, &opt, fault);
	if (rc == KMS_OK && (rc = journal_host_key(sign_pk, state, dir, fault)) == KMS_OK)
		rc = kmsdb_check(to, sign_pk, NULL, no_report, NULL);
	/* Inside, so that both come into place at once. */
	if (rc == KMS_OK)
		rc = kmsdb_restored_tell(to);
	if (rc == KMS_OK &&
	    (give_to_owner(to, state) == -1 || renameat(to, "kmsdb", state, "kmsdb") == -1 ||
		fsync(state) == -1)) {
		rc = fault_set(fault, KMS_E_IO, "%s/%s: %s", dir, RESTORING, strerror(errno));
	}
	close(to);
	owned_tree_remove(state, RESTORING);
	return rc;
}

static int
run_restore(struct ctl *ctl)
{
	struct kmsdb_backup b = { 0 };
	struct fault fault = { 0 };
	int state = open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), from, e,
	    code;

	if (state == -1)
		return fail(ctl, KMS_E_IO, "%s: %s: create the directory with kmsctl apply",
		    ctl->config.state_directory, strerror(errno));
	from = open(ctl->args[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from == -1)
		e = fault_set(&fault, KMS_E_NOT_FOUND, "%s: %s", ctl->args[0], strerror(errno));
	else
		e = restore(ctl, from, state, &b, &fault);
	if (e == KMS_OK) {
		output_bool(ctl->out, "restored", NULL, true);
		output_number(ctl->out, "last_batch", NULL, b.batch);
		output_line(ctl->out, OUTPUT_GOOD,
		    "Restored to batch %" PRIu64
		    "; the index was rebuilt, and the check found no problem",
		    b.batch);
		output_line(ctl->out, OUTPUT_PLAIN,
		    "At its next start, kmsd records the restore in the journal. Clients that were activated after that batch are counted again when they renew. Tell the publisher about the restore before the next audit.");
	}
	code = e == KMS_OK ? CTL_OK : fail(ctl, (uint32_t)e, "%s", fault_text(&fault, e));
	close(state);
	if (from != -1)
		close(from);
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
	.line.summary = "restore the ledger from a backup, and check it; kmsd must be stopped",
	.line.min = 1,
	.line.max = 1,
	.run = run_restore,
};
