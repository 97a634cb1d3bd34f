/*
 * main.c - kmsclient: activates a product from the command line, through libkms's public interface
 * and nothing else. kmsclient(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/completion.h"
#include "libkms/kmsclient/tool.h"

static int
help(void)
{
	puts("usage: kmsclient [options] command [FILE]\n\ncommands:");
	for (const struct command *const *c = kmsclient_program.commands; *c != NULL; c++)
		printf("  %-13s %-5s %s\n", (*c)->noun, (*c)->args != NULL ? (*c)->args : "",
		    (*c)->summary);
	puts("\noptions:");
	option_help(kmsclient_program.common, stdout);
	option_help(option_standard, stdout);
	return TOOL_OK;
}

static int
run(struct tool *t, const struct tool_command *c)
{
	int rc = tool_check(t, c);

	if (rc != TOOL_OK)
		return rc;
	t->out = output_new(t->json ? &output_format_json : &output_format_pairs, stdout, false);
	if (t->out == NULL)
		return tool_usage("out of memory");
	rc = c->run(t);
	if (output_close(t->out))
		return rc;
	perror("kmsclient: standard output");
	return TOOL_LOCAL;
}

int
main(int argc, char **argv)
{
	struct tool t = { .options = { .size = sizeof(t.options), .virtual_machine = -1 } };
	struct line line;
	int rc;

	if (argc == 2 && strcmp(argv[1], "--completion") == 0)
		return completion_print(&kmsclient_program) ? TOOL_OK : TOOL_LOCAL;
	line_parse(&line, &kmsclient_program, &t, argc, argv);
	t.file = line.count > 0 ? line.args[0] : NULL;
	if (line.version)
		rc = printf("kmsclient %s\n", kms_version()) < 0 ? TOOL_LOCAL : TOOL_OK;
	else if (line.help)
		rc = help();
	else if (line.fault.status != KMS_OK)
		rc = tool_usage("%s", line.fault.text);
	else if (line.command == NULL)
		rc = tool_usage("no command");
	else
		rc = run(&t, (const struct tool_command *)line.command);
	line_free(&line);
	free(t.key_text);
	return rc;
}
