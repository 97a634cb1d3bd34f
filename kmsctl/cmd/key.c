/*
 * key.c - key install, confirm, remove: from a bought host key to a host that serves, and back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/key_input.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/install.h"
#include "kmsctl/kmsctl.h"
#include "libkms/kms_error.h"

struct remove_options {
	bool yes;
};

/* install and confirm: a file, standard input or a code. */
static int
send_input(struct ctl *ctl, uint16_t verb, enum code_kind kind, const char *done, const char *label)
{
	bool file = ctl->arg_count == 1 && access(ctl->args[0], F_OK) == 0;
	struct control_buf args = { 0 };
	int code = key_input_read(ctl, kind, &args);

	return install_send(ctl, code, verb, &args, done, file ? ctl->args[0] : NULL, label);
}

static int
run_key_install(struct ctl *ctl)
{
	int code = send_input(
	    ctl, CONTROL_KEY_INSTALL, CODE_HOST_KEY, "installed", "KMS host key installed");

	if (code == CTL_OK)
		output_line(
		    ctl->out, OUTPUT_PLAIN, "Next: have this host confirmed: kmsctl key request");
	return code;
}

static int
run_key_confirm(struct ctl *ctl)
{
	return send_input(
	    ctl, CONTROL_KEY_CONFIRM, CODE_CONFIRMATION, "confirmed", "Host confirmed");
}

/* The key that the argument names by its number or the beginning of it, or the only one. */
static const struct reply_row *
choose_key(struct ctl *ctl, const struct reply *reply)
{
	const struct reply_row *row = NULL, *found = NULL;
	unsigned count = 0;
	const char *id;

	while ((row = reply_next(reply, "key", row)) != NULL) {
		id = reply_text(row, "id");
		if (id == NULL || (ctl->arg_count > 0 &&
				      strncasecmp(id, ctl->args[0], strlen(ctl->args[0])) != 0))
			continue;
		found = row;
		count++;
	}
	if (count == 1 && (ctl->arg_count == 0 || strlen(ctl->args[0]) >= 4))
		return found;
	if (count == 1)
		fail(ctl, KMS_E_ARGUMENT, "give at least four characters of the key's number");
	else if (count > 1)
		fail(ctl, KMS_E_ARGUMENT,
		    "%u host keys %s: give more of the key's number (kmsctl key show)", count,
		    ctl->arg_count > 0 ? "begin with this" : "are installed");
	else if (ctl->arg_count > 0)
		fail(ctl, KMS_E_NOT_FOUND, "no installed host key has the number %s", ctl->args[0]);
	else
		fail(ctl, KMS_E_NOT_FOUND, "no host key is installed");
	return NULL;
}

/* CTL_OK: go on. */
static int
make_sure(struct ctl *ctl, const struct reply_row *key)
{
	const struct remove_options *o = ctl->options;
	const char *customer = reply_text(key, "customer"),
		   *publisher = reply_text(key, "publisher");
	char *answer, *shown, question[512];
	uint64_t confirmed = 0;
	bool yes;

	if (o->yes)
		return CTL_OK;
	if (ctl->json || !isatty(STDIN_FILENO))
		return fail(ctl, KMS_E_ARGUMENT, "no terminal to confirm on: add --yes");
	reply_number(key, "confirmed", &confirmed);
	snprintf(question, sizeof(question), "Remove host key %s of %s (%s)?%s\n",
	    reply_text(key, "id"), customer != NULL ? customer : "?",
	    publisher != NULL ? publisher : "?",
	    confirmed ? "  This host will then activate no product of that publisher." : "");
	if ((shown = output_printable(question, true)) != NULL)
		fputs(shown, stderr);
	free(shown);
	answer = key_input_line("Type yes to remove it: ");
	yes = answer != NULL && strcmp(answer, "yes") == 0;
	free(answer);
	return yes ? CTL_OK : fail(ctl, KMS_E_ARGUMENT, "nothing was removed");
}

static int
remove_key(struct ctl *ctl, const char *id)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	const char *told;
	int code;

	control_text(&args, "key", id);
	code = ask_host(ctl, CONTROL_KEY_REMOVE, &args, &reply);
	if (code == CTL_OK) {
		told = reply_text(reply_next(&reply, "removed", NULL), "what");
		output_bool(ctl->out, "removed", NULL, true);
		output_text(ctl->out, "key", NULL, id);
		output_text(ctl->out, "what", NULL, told);
		output_line(
		    ctl->out, OUTPUT_GOOD, "KMS host key removed: %s", told != NULL ? told : id);
		output_line(ctl->out, OUTPUT_PLAIN,
		    "The ledger and all counts are kept. To serve again: kmsctl key install, then kmsctl key confirm");
	}
	control_buf_free(&args);
	reply_free(&reply);
	return code;
}

static int
run_key_remove(struct ctl *ctl)
{
	const struct reply_row *key;
	struct reply reply = { 0 };
	int code = ask_host(ctl, CONTROL_KEY_SHOW, NULL, &reply);

	if (code != CTL_OK)
		return code;
	code = CTL_FAILED;
	if ((key = choose_key(ctl, &reply)) != NULL && (code = make_sure(ctl, key)) == CTL_OK)
		code = remove_key(ctl, reply_text(key, "id"));
	reply_free(&reply);
	return code;
}

const struct ctl_command cmd_key_install = {
	.line.noun = "key",
	.line.verb = "install",
	.line.args = "[FILE|-|CODE...]",
	.line.summary = "install a KMS host key: a FILE, or a code that you can type",
	.line.max = CODE_GROUPS_MAX + 1,
	.line.complete = "file *.kmskey",
	.run = run_key_install,
};
const struct ctl_command cmd_key_confirm = {
	.line.noun = "key",
	.line.verb = "confirm",
	.line.args = "[FILE|-|CODE...]",
	.line.summary = "install a confirmation: a FILE, or a code that you can type",
	.line.max = CODE_GROUPS_MAX + 1,
	.line.complete = "file *.kmscert",
	.run = run_key_confirm,
};
static const struct option_row key_remove_rows[] = {
	{ "yes", 0, NULL, "do not ask for confirmation",
	    .offset = offsetof(struct remove_options, yes) },
	{ 0 },
};

const struct ctl_command cmd_key_remove = {
	.line.noun = "key",
	.line.verb = "remove",
	.line.args = "[KEY-ID]",
	.line.summary = "remove a KMS host key; the ledger and counts are kept",
	.line.max = 1,
	.line.options = key_remove_rows,
	.line.values = sizeof(struct remove_options),
	.run = run_key_remove,
};
