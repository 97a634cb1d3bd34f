/*
 * ledger.c - ledger check and rebuild.
 */
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsctl/ledger/whole_check.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/kms_error.h"

#define PROBLEMS_MAX 10000 /* lines shown; all problems are counted */

struct findings {
	struct ctl *ctl;
	uint64_t count;
};

static void
report(int status, const char *line, void *arg)
{
	struct findings *f = arg;

	if (f->count++ >= PROBLEMS_MAX)
		return;
	output_row(f->ctl->out);
	output_text(f->ctl->out, "symbol", "Problem", kms_error_find((uint32_t)status)->symbol);
	output_text(f->ctl->out, "message", "Where", line);
}

static int
run_ledger_check(struct ctl *ctl)
{
	struct findings f = { .ctl = ctl };
	uint64_t erased = 0;
	bool own;
	int fd, rc;

	ctl->leave_root = true;
	fd = ledger_access_directory(ctl);
	if (fd < 0)
		return CTL_FAILED;
	output_list(ctl->out, "problems", NULL);
	rc = whole_check(ctl, fd, &own, &erased, report, &f);
	output_end(ctl->out);
	ledger_access_close(NULL, fd);
	output_bool(ctl->out, "sound", NULL, rc == KMS_OK && f.count == 0);
	output_number(ctl->out, "problem_count", NULL, f.count);
	output_number(ctl->out, "erased", NULL, erased);
	output_bool(ctl->out, "own_keys", NULL, own);
	if (!own)
		output_line(ctl->out, OUTPUT_WARN,
		    "The signatures were checked with the keys that the journal itself names: %s has neither keys/host.key nor a certificate.",
		    ctl->config.state_directory);
	if (erased > 0)
		output_line(ctl->out, OUTPUT_PLAIN, "%" PRIu64 " names erased.", erased);
	if (rc == KMS_OK && f.count == 0) {
		output_line(ctl->out, OUTPUT_GOOD,
		    own ? "The ledger is sound: chain, own signatures, counters and index agree."
			: "The ledger is sound in itself: chain, signatures, counters and index agree.");
		return CTL_OK;
	}
	if (f.count == 0)
		return fail(ctl, (uint32_t)rc, "%s/kmsdb: %s", ctl->config.state_directory,
		    kms_strerror((uint32_t)rc));
	if (rc == KMS_OK)
		rc = KMS_E_ALTERED;
	fail(ctl, (uint32_t)rc, "%s/kmsdb: the check found a problem", ctl->config.state_directory);
	return CTL_PROBLEM;
}

/* Repairs that kmsdb makes are reported. */
static void
log_line(int level, const char *event, const char *text, void *arg)
{
	if (level <= LOG_WARNING)
		output_say(stderr, "kmsctl: %s: %s", event, text);
}

static int
run_ledger_rebuild(struct ctl *ctl)
{
	struct kmsdb_options opt = {
		.segment_size = ctl->config.segment_size,
		.overlay_records = ctl->config.overlay_records,
		.map_size = ctl->config.map_size,
		.checkpoint_seconds = ctl->config.checkpoint_interval,
		.log = log_line,
	};
	struct kmsdb_info info = { 0 };
	struct fault fault = { 0 };
	struct kmsdb *db;
	int fd = ledger_access_directory(ctl), e;

	if (fd < 0)
		return CTL_FAILED;
	e = kmsdb_rebuild(fd, &opt, &fault);
	ledger_access_close(NULL, fd);
	if (e == KMS_E_EXISTS)
		return fail(ctl, (uint32_t)e,
		    "kmsd is running and uses the ledger: stop kmsd, rebuild, then start it again");
	if (e != KMS_OK)
		return fail(ctl, (uint32_t)e, "%s", fault_text(&fault, e));
	if (ledger_access_open(ctl, &db, &fault) == KMS_OK) {
		kmsdb_info(db, &info);
		ledger_access_close(db, -1);
	}
	output_bool(ctl->out, "rebuilt", NULL, true);
	output_line(ctl->out, OUTPUT_GOOD, "The index has been rebuilt from the journal.");
	output_number(ctl->out, "clients", "Clients", info.clients);
	output_number(ctl->out, "index_batch", "Indexed up to batch", info.index_batch);
	return CTL_OK;
}

const struct ctl_command cmd_ledger_check = {
	.line.noun = "ledger",
	.line.verb = "check",
	.line.summary = "verify the journal, its signatures, counters and the index",
	.run = run_ledger_check,
};
const struct ctl_command cmd_ledger_rebuild = {
	.line.noun = "ledger",
	.line.verb = "rebuild",
	.line.summary = "rebuild the index from the journal; kmsd must be stopped",
	.run = run_ledger_rebuild,
};
