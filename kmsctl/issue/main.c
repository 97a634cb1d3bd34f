/*
 * main.c - kmsissue, the publisher's tool: reads the command line, runs the command, prints its
 * result or what went wrong.
 */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/completion.h"
#include "kmsctl/cli/help.h"
#include "kmsctl/cli/screen.h"
#include "kmsctl/issue/issue.h"

#define EXIT_USAGE 2
#define EXIT_FINDINGS 3

static void
say(const struct command *c, int status, const char *why)
{
	char who[80];

	snprintf(who, sizeof(who), "%s %s%s%s", kmsissue_program.name, c->noun,
	    c->verb != NULL ? " " : "", c->verb != NULL ? c->verb : "");
	help_failure(who, (uint32_t)status, why);
}

static int
report(struct issue *i, const struct command *c, int status)
{
	const char *why = fault_text(&i->fault, status);
	struct output *o;

	say(c, status, why);
	if (i->json && (o = output_new(&output_format_json, stdout, false)) != NULL) {
		tell_text(o, "status", kms_error_find((uint32_t)status)->symbol);
		tell_text(o, "message", why);
		output_close(o);
	}
	return EXIT_FAILURE;
}

/* The status of a result that is printed. */
static void
tell_status(struct issue *i)
{
	const struct fault *f = &i->conclusion;

	if (!i->json)
		return;
	tell_text(i->out, "status", kms_error_find((uint32_t)f->status)->symbol);
	if (f->status != KMS_OK)
		tell_text(i->out, "message", f->text);
}

/* Kept back until the command has done its work: one that fails prints no half result. */
static int
run(struct issue *i, const struct issue_command *c)
{
	char *text = NULL;
	size_t len;
	FILE *held = open_memstream(&text, &len);
	int rc;
	bool ok;

	if (held != NULL)
		i->out =
		    output_new(i->json ? &output_format_json : &output_format_columns, held, false);
	if (i->out == NULL)
		return report(i, &c->line, KMS_E_NO_MEMORY);
	rc = c->run(i);
	tell_status(i);
	ok = output_close(i->out);
	ok = fclose(held) == 0 && ok;
	if (rc == KMS_OK && ok)
		fwrite(text, 1, len, stdout);
	if (rc == KMS_OK && (!ok || !output_written(stdout)))
		rc = fault_set(&i->fault, KMS_E_IO, "the result could not be printed");
	free(text);
	if (rc != KMS_OK)
		return report(i, &c->line, rc);
	if (i->conclusion.status != KMS_OK) {
		say(&c->line, i->conclusion.status, i->conclusion.text);
		return EXIT_FAILURE;
	}
	return i->findings ? EXIT_FINDINGS : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct issue i = { .dir = ".", .now = (uint64_t)time(NULL) };
	struct line line;
	int code;

	signal(SIGPIPE, SIG_IGN); /* output_written */
	if (argc == 2 && strcmp(argv[1], "--completion") == 0)
		return completion_print(&kmsissue_program) ? EXIT_SUCCESS : EXIT_FAILURE;
	line_parse(&line, &kmsissue_program, &i, argc, argv);
	i.operand = line.count > 0 ? line.args[0] : NULL;
	i.operands = line.args;
	i.operand_count = line.count;
	i.options = line.values;
	if (line.version) {
		code = puts("kmsissue " PACKAGE_VERSION) < 0;
	} else if (line.help && help_commands(&kmsissue_program, line.args, line.count, stdout,
				    screen_width(stdout)) > 0) {
		code = EXIT_SUCCESS;
	} else if (line.fault.status != KMS_OK || line.command == NULL) {
		help_no_command(&line);
		help_usage(kmsissue_program.name, &line.fault);
		code = EXIT_USAGE;
	} else if (sodium_init() < 0) {
		fault_set(&i.fault, KMS_E_IO, "libsodium cannot be initialised");
		code = report(&i, line.command, KMS_E_IO);
	} else {
		code = run(&i, (const struct issue_command *)line.command);
	}
	line_free(&line);
	return code;
}
