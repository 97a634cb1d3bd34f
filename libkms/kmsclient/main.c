/*
 * main.c - kmsclient: activates a product from the command line, through libkms's public interface
 * and nothing else. kmsclient(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/completion.h"
#include "kmsctl/cli/help.h"
#include "kmsctl/cli/screen.h"
#include "libkms/kmsclient/tool.h"
#include "libkms/os/terminal.h"

static int
run(struct tool *t, const struct tool_command *c)
{
	int rc = tool_check(t, c);

	if (rc != TOOL_OK)
		return c->runs ? TOOL_RUN_FAILED : rc;
	if (c->runs)
		return c->run(t);
	t->out = output_new(t->json ? &output_format_json : &output_format_pairs, stdout, false);
	if (t->out == NULL)
		return tool_usage("out of memory");
	rc = c->run(t);
	if (output_close(t->out))
		return rc;
	perror("kmsclient: standard output");
	return TOOL_LOCAL;
}

/* The words before "--", which getopt moves; *dashes: is there one? */
static bool
says_run(int argc, char **argv, bool *dashes)
{
	bool run = false;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		run = run || strcmp(argv[i], "run") == 0;
	*dashes = i < argc;
	return run;
}

static int
no_command(struct line *l, bool run)
{
	help_no_command(l);
	help_usage(TOOL_NAME, &l->fault);
	return run ? TOOL_RUN_FAILED : TOOL_USAGE;
}

int
main(int argc, char **argv)
{
	struct tool t = { .options = { .size = sizeof(t.options) } };
	struct line line;
	bool run_said;
	int rc;

	if (!os_program_start(&argc, &argv))
		return TOOL_LOCAL;
	run_said = says_run(argc, argv, &t.dashes);
	t.sigpipe = os_survive_pipes(); /* output_written */
	if (argc == 2 && strcmp(argv[1], "--completion") == 0)
		return completion_print(&kmsclient_program) ? TOOL_OK : TOOL_LOCAL;
	line_parse(&line, &kmsclient_program, &t, argc, argv);
	t.args = line.args;
	t.file = line.count > 0 ? line.args[0] : NULL;
	if (line.version)
		rc = printf("kmsclient %s\n", kms_version()) < 0 ? TOOL_LOCAL : TOOL_OK;
	else if (line.help && help_commands(&kmsclient_program, line.args, line.count, stdout,
				  screen_width(stdout)) > 0)
		rc = TOOL_OK;
	else if (line.fault.status != KMS_OK || line.command == NULL)
		rc = no_command(&line, run_said);
	else
		rc = run(&t, (const struct tool_command *)line.command);
	line_free(&line);
	free(t.key_text);
	return rc;
}
