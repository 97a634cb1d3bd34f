/*
 * main.c - kmsctl: reads the command line, finds the command, runs it.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/completion.h"
#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/help.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/host/words.h"
#include "kmsctl/kmsctl.h"
#include "libkms/kms_error.h"

#define TIMEOUT_DEFAULT 30 /* seconds */

/* The command to run; NULL with the fault set. */
static const struct ctl_command *
choose(struct ctl *ctl, struct line *line)
{
	if (line->version)
		ctl->arg_count = 0;
	if (line->version || line->help)
		return line->version ? &cmd_version : &cmd_help;
	help_no_command(line);
	return (const struct ctl_command *)line->command;
}

static int
run(struct ctl *ctl, struct line *line)
{
	const struct ctl_command *c = choose(ctl, line);
	int code;

	if (c != NULL)
		output_text(ctl->out, "command", NULL, c->line.noun);
	if (c != NULL && c->line.verb != NULL)
		output_text(ctl->out, "verb", NULL, c->line.verb);
	if (line->fault.status != KMS_OK) {
		if (ctl->json)
			fail_fault(ctl, &line->fault);
		else
			help_usage(ctl->program->name, &line->fault);
		return CTL_USAGE;
	}
	code = c->no_config ? CTL_OK : ini_load(ctl);
	return code != CTL_OK ? code : c->run(ctl);
}

int
main(int argc, char **argv)
{
	static struct ctl ctl; /* large */
	struct line line;
	int code;

	setlocale(LC_TIME, "");
	signal(SIGPIPE, SIG_IGN); /* output_written */
	ctl.timeout_ms = TIMEOUT_DEFAULT * 1000;
	ctl.program = &kmsctl_program;
	if (argc == 2 && strcmp(argv[1], "--completion") == 0)
		return completion_print(ctl.program) ? CTL_OK : CTL_FAILED;
	if (argc > 2 && strcmp(argv[1], "--completion") == 0)
		return words_print(&ctl, argv[2], argv[3]) ? CTL_OK : CTL_FAILED;
	line_parse(&line, ctl.program, &ctl, argc, argv);
	ctl.args = line.args;
	ctl.arg_count = line.count;
	ctl.options = line.values;
	ctl.config_given = ctl.config_path != NULL;
	if (!ctl.config_given)
		ctl.config_path = KMS_SYSCONFDIR "/kms/kms.ini";
	ctl.out = output_new(ctl.json ? &output_format_json : &output_format_text, stdout,
	    output_colour_wanted(stdout));
	if (ctl.out == NULL) {
		help_failure(ctl.program->name, KMS_E_NO_MEMORY, NULL);
		return CTL_FAILED;
	}
	code = run(&ctl, &line);
	if (!output_close(ctl.out)) {
		fprintf(stderr, "kmsctl: the output could not be written completely\n");
		code = CTL_FAILED;
	}
	line_free(&line);
	return code;
}
