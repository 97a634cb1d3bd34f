/*
 * seal.c - key seal, key unseal, unlock: how the host's own keys are protected on disk. A
 * passphrase comes from the terminal or a file, goes to the host, and is wiped.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/passphrase.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/kmsctl.h"
#include "libkms/kms_error.h"

struct seal_options {
	const char *kind; /* of CONTROL_KEY_SEAL; NULL: not given */
	const char *passphrase_file, *current_file;
};

#define PROMPT_CURRENT "Passphrase of this host's keys: "
#define PROMPT_NEW "New passphrase of this host's keys: "

/* Called before the first byte of a passphrase is in memory. */
static void
no_core(void)
{
	const struct rlimit none = { 0, 0 };

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
}

static int
passphrase_problem(struct ctl *ctl, int rc, const char *file, bool twice)
{
	if (file != NULL && rc == KMS_E_PASSPHRASE)
		return fail(ctl, KMS_E_PASSPHRASE, "%s: its first line is empty", file);
	if (file != NULL)
		return fail(ctl, (uint32_t)rc, "%s: cannot be read: %s", file,
		    rc == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)rc));
	if (rc == KMS_E_ARGUMENT)
		return fail(ctl, KMS_E_ARGUMENT,
		    "no terminal to ask for a passphrase: use --passphrase-file (and --current-file for the current one)");
	if (rc == KMS_E_PASSPHRASE && twice)
		return fail(
		    ctl, KMS_E_PASSPHRASE, "the passphrase is empty, or the two entries differ");
	return fail(ctl, (uint32_t)rc, "no passphrase was given");
}

/* Reads it from file, or from the terminal when file is NULL, into args as name. */
static int
add_passphrase(struct ctl *ctl, struct control_buf *args, const char *name, const char *prompt,
    const char *file, bool twice)
{
	char *text;
	int rc;

	no_core();
	if (sodium_init() < 0)
		return fail(ctl, KMS_E_NO_MEMORY, "libsodium cannot be initialised");
	if ((rc = passphrase_ask(&text, prompt, file, twice)) != KMS_OK)
		return passphrase_problem(ctl, rc, file, twice);
	control_octets(args, name, text, strlen(text));
	sodium_free(text);
	return CTL_OK;
}

static void
forget(struct control_buf *args)
{
	if (args->data != NULL)
		sodium_memzero(args->data, args->cap);
	control_buf_free(args);
}

/* How the keys are sealed now: "no", "passphrase", "machine". */
static int
ask_kind(struct ctl *ctl, char kind[32], bool *locked)
{
	struct reply reply = { 0 };
	const struct reply_row *row;
	const char *text;
	uint64_t n = 0;
	int code = ask_host(ctl, CONTROL_STATUS, NULL, &reply);

	if (code != CTL_OK)
		return code;
	row = reply_next(&reply, "service", NULL);
	text = reply_text(row, "key-sealed");
	snprintf(kind, 32, "%s", text != NULL ? text : "no");
	reply_number(row, "locked", &n);
	*locked = n != 0;
	reply_free(&reply);
	return CTL_OK;
}

static int
tell(struct ctl *ctl, const struct reply *reply)
{
	const char *kind = reply_text(reply_next(reply, "sealed", NULL), "kind");

	if (kind == NULL)
		return fail(ctl, KMS_E_FORMAT, "the host's answer is empty");
	output_text(ctl->out, "sealed", NULL, kind);
	if (strcmp(kind, "passphrase") == 0)
		output_line(ctl->out, OUTPUT_GOOD,
		    "The host's keys are sealed with a passphrase. After a restart, run kmsctl unlock, or let kmsd read the passphrase ([keys] in kms.ini).");
	else if (strcmp(kind, "machine") == 0)
		output_line(ctl->out, OUTPUT_GOOD,
		    "The host's keys are bound to this machine's %s.",
		    ctl->config.machine_file[0] ? ctl->config.machine_file : "machine file");
	else
		output_line(ctl->out, OUTPUT_WARN,
		    "The host's keys are not sealed: anybody who can read keys/host.key can use them.");
	return CTL_OK;
}

static int
seal(struct ctl *ctl, const char *kind, const char *current_file, const char *new_file)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	char now[32];
	bool locked = false;
	int code = ask_kind(ctl, now, &locked);

	if (code != CTL_OK)
		return code;
	if (locked)
		return fail_told(ctl, KMS_E_LOCKED, "the host is locked: kmsctl unlock first");
	control_text(&args, "kind", kind);
	if (strcmp(now, "passphrase") == 0)
		code = add_passphrase(ctl, &args, "current", PROMPT_CURRENT, current_file, false);
	if (code == CTL_OK && strcmp(kind, "passphrase") == 0)
		code = add_passphrase(ctl, &args, "passphrase", PROMPT_NEW, new_file, true);
	if (code == CTL_OK)
		code = ask_host(ctl, CONTROL_KEY_SEAL, &args, &reply);
	if (code == CTL_OK)
		code = tell(ctl, &reply);
	forget(&args);
	reply_free(&reply);
	return code;
}

static int
run_key_seal(struct ctl *ctl)
{
	const struct seal_options *o = ctl->options;

	if (o->kind == NULL) {
		fail(ctl, KMS_E_ARGUMENT,
		    "choose one: kmsctl key seal --passphrase, --machine or --none");
		return CTL_USAGE;
	}
	if (o->passphrase_file != NULL && strcmp(o->kind, "passphrase") != 0) {
		fail(ctl, KMS_E_ARGUMENT,
		    "--passphrase-file is for the new passphrase; use --current-file for the current one");
		return CTL_USAGE;
	}
	return seal(ctl, o->kind, o->current_file, o->passphrase_file);
}

static int
run_key_unseal(struct ctl *ctl)
{
	const struct seal_options *o = ctl->options;

	return seal(ctl, "no", o->passphrase_file, NULL);
}

static int
run_unlock(struct ctl *ctl)
{
	const struct seal_options *o = ctl->options;
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	char kind[32];
	bool locked = false;
	int code = ask_kind(ctl, kind, &locked);

	if (code == CTL_OK && !locked) {
		output_bool(ctl->out, "unlocked", NULL, true);
		output_line(ctl->out, OUTPUT_PLAIN, "The host is not locked.");
		return CTL_OK;
	}
	if (code == CTL_OK)
		code = add_passphrase(
		    ctl, &args, "passphrase", PROMPT_CURRENT, o->passphrase_file, false);
	if (code == CTL_OK)
		code = ask_host(ctl, CONTROL_UNLOCK, &args, &reply);
	if (code == CTL_OK) {
		output_bool(ctl->out, "unlocked", NULL, true);
		output_line(ctl->out, OUTPUT_GOOD, "The host is unlocked and serves its clients.");
	}
	forget(&args);
	reply_free(&reply);
	return code;
}

static const struct option_row seal_rows[] = {
	{ "passphrase", 0, NULL, "seal with a passphrase",
	    .offset = offsetof(struct seal_options, kind), .choice = "passphrase" },
	{ "machine", 0, NULL, "bind to this machine", .offset = offsetof(struct seal_options, kind),
	    .choice = "machine" },
	{ "none", 0, NULL, "do not seal", .offset = offsetof(struct seal_options, kind),
	    .choice = "no" },
	{ "passphrase-file", 0, "FILE", "file whose first line is the new passphrase",
	    .offset = offsetof(struct seal_options, passphrase_file) },
	{ "current-file", 0, "FILE", "file whose first line is the current passphrase",
	    .offset = offsetof(struct seal_options, current_file) },
	{ 0 },
};
static const struct option_row unlock_rows[] = {
	{ "passphrase-file", 0, "FILE", "file whose first line is the passphrase",
	    .offset = offsetof(struct seal_options, passphrase_file) },
	{ 0 },
};

const struct ctl_command cmd_key_seal = {
	.line.noun = "key",
	.line.verb = "seal",
	.line.summary = "protect the host's keys on disk: by a passphrase, by the machine, or not",
	.line.options = seal_rows,
	.line.values = sizeof(struct seal_options),
	.run = run_key_seal,
};
const struct ctl_command cmd_key_unseal = {
	.line.noun = "key",
	.line.verb = "unseal",
	.line.summary = "store the host's keys unprotected, as key seal --none does",
	.line.options = unlock_rows,
	.line.values = sizeof(struct seal_options),
	.run = run_key_unseal,
};
const struct ctl_command cmd_unlock = {
	.line.noun = "unlock",
	.line.summary = "give a locked host the passphrase of its keys",
	.line.options = unlock_rows,
	.line.values = sizeof(struct seal_options),
	.run = run_unlock,
};
