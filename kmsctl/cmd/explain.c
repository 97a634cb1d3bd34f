/*
 * explain.c - explain, version, help: what needs neither host nor ledger.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/help.h"
#include "kmsctl/kmsctl.h"
#include "libkms/base/number.h"
#include "libkms/kms_error.h"

static bool
matches(const struct kms_error *e, const char *what)
{
	uint64_t n;

	if (strcasecmp(what, e->symbol) == 0)
		return true;
	if (strncmp(e->symbol, "KMS_E_", 6) == 0 && strcasecmp(what, e->symbol + 6) == 0)
		return true;
	if (!number_parse(&n, UINT32_MAX, what) && !number_parse_hex(&n, UINT32_MAX, what))
		return false;
	return n == (uint64_t)e->status || (n != 0 && n == e->microsoft);
}

static const char *const next_words[] = {
	[KMS_NEXT_FINAL] = "usual-time",
	[KMS_NEXT_HOST] = "next-host",
	[KMS_NEXT_SAME] = "same-host",
	[KMS_NEXT_LATER] = "later",
};

static void
print_error(struct output *o, const struct kms_error *e)
{
	char code[11];

	snprintf(code, sizeof(code), "0x%08" PRIX32, e->microsoft);
	output_row(o);
	output_number(o, "status", "Status", (uint64_t)e->status);
	output_text(o, "symbol", "Symbol", e->symbol);
	output_text(o, "microsoft", "Microsoft", e->microsoft ? code : NULL);
	output_text(o, "meaning", "Meaning", e->meaning);
	output_text(o, "remedy", NULL, e->remedy);
	output_text(o, "user", NULL, e->user);
	output_text(o, "user_next", NULL, e->user_next);
	output_text(o, "client", NULL, next_words[e->next]);
	output_bool(o, "on_wire", NULL, e->status < KMS_E_LOCAL);
}

static int
run_explain(struct ctl *ctl)
{
	const struct kms_error *table, *found = NULL;
	unsigned count, i, n = 0;

	table = kms_error_table(&count);
	for (i = 0; i < count; i++) {
		if (ctl->arg_count > 0 && !matches(&table[i], ctl->args[0]))
			continue;
		found = &table[i];
		n++;
	}
	if (n == 0)
		return fail(ctl, KMS_E_NOT_FOUND,
		    "\"%s\" is not a status, a symbol or a Microsoft code that kmsd uses",
		    ctl->args[0]);
	output_list(ctl->out, "errors", NULL);
	for (i = 0; i < count; i++)
		if (ctl->arg_count == 0 || matches(&table[i], ctl->args[0]))
			print_error(ctl->out, &table[i]);
	output_end(ctl->out);
	if (n == 1) {
		output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
		output_line(ctl->out, OUTPUT_PLAIN, "%s", found->remedy);
		if (found->status != KMS_OK && found->status < KMS_E_LOCAL)
			output_line(ctl->out, OUTPUT_PLAIN, "A user reads: %s. %s", found->user,
			    found->user_next);
	}
	return CTL_OK;
}

static int
run_version(struct ctl *ctl)
{
	output_line(ctl->out, OUTPUT_PLAIN, "kmsctl %s", PACKAGE_VERSION);
	output_text(ctl->out, "version", NULL, PACKAGE_VERSION);
	output_text(ctl->out, "config", "Configuration", ctl->config_path);
	output_text(ctl->out, "state_directory", "State directory", KMS_STATEDIR);
	output_text(ctl->out, "runtime_directory", "Runtime directory", KMS_RUNDIR);
	output_text(ctl->out, "jansson", NULL, JANSSON_VERSION);
	return CTL_OK;
}

/* For a program. Returns how many. */
static unsigned
list_commands(struct ctl *ctl)
{
	const struct command *c;
	char usage[400];
	unsigned found = 0;

	output_list(ctl->out, "commands", NULL);
	for (unsigned i = 0; (c = ctl->program->commands[i]) != NULL; i++) {
		if (ctl->arg_count > 0 && strcmp(ctl->args[0], c->noun) != 0)
			continue;
		command_words(c, false, usage, sizeof(usage));
		output_row(ctl->out);
		output_text(ctl->out, "usage", NULL, usage);
		output_text(ctl->out, "summary", NULL, c->summary);
		output_text(ctl->out, "noun", NULL, c->noun);
		output_text(ctl->out, "verb", NULL, c->verb);
		output_text(ctl->out, "manual", NULL, command_manual(ctl->program, c));
		found++;
	}
	output_end(ctl->out);
	return found;
}

void
ctl_greet(struct ctl *ctl)
{
	static const struct {
		const char *command, *purpose;
	} first[] = {
		{ "kmsctl setup FILE...", "install the files that a publisher sent" },
		{ "kmsctl status", "does the host serve, and how many clients?" },
		{ "kmsctl doctor", "what is wrong, and what to type next" },
		{ "kmsctl clients", "list the clients" },
		{ "kmsctl why NAME", "why was this client refused?" },
	};

	output_line(ctl->out, OUTPUT_HEADING,
	    "kmsctl %s manages kmsd, a Key Management Service. Begin with one of these:",
	    PACKAGE_VERSION);
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++)
		output_line(
		    ctl->out, OUTPUT_PLAIN, "    %-22s %s", first[i].command, first[i].purpose);
	output_line(ctl->out, OUTPUT_PLAIN,
	    "All commands: kmsctl help. One command: kmsctl COMMAND --help, man kmsctl");
}

static int
run_help(struct ctl *ctl)
{
	unsigned found = ctl->json ? list_commands(ctl)
				   : help_commands(ctl->program, ctl->args, ctl->arg_count,
					 ctl->out->file, ctl->out->width);

	if (found == 0)
		return fail(ctl, KMS_E_NOT_FOUND, "no command \"%s\"", ctl->args[0]);
	output_line(ctl->out, OUTPUT_PLAIN, "%s", "");
	output_line(ctl->out, OUTPUT_PLAIN,
	    "Exit status: 0 done, 1 usage, 2 refused or failed, 3 kmsd is not running, 4 a check found a problem (kmsctl(8)).");
	return CTL_OK;
}

const struct ctl_command cmd_explain = {
	.line.noun = "explain",
	.line.args = "[CODE|SYMBOL]",
	.line.summary = "explain an error, or a Microsoft code, and what to do",
	.line.max = 1,
	.line.complete = "ask symbols",
	.no_config = true,
	.paged = true,
	.run = run_explain,
};
const struct ctl_command cmd_version = {
	.line.noun = "version",
	.line.summary = "print the version and the built-in paths",
	.no_config = true,
	.run = run_version,
};
const struct ctl_command cmd_help = {
	.line.noun = "help",
	.line.args = "[COMMAND]",
	.line.summary = "list the commands",
	.line.max = 2,
	.line.complete = "ask nouns",
	.no_config = true,
	.paged = true,
	.run = run_help,
};
