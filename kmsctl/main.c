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
#include "kmsctl/cli/pager.h"
#include "kmsctl/cli/screen.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/host/words.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/report/html.h"
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

/* Nothing but options of all commands: a person looks around. */
static bool
looks_around(const struct ctl *ctl, const struct line *line)
{
	return !ctl->json && line->command == NULL && line->count == 0 && !line->help &&
	       !line->version && line->fault.status == KMS_OK;
}

static int
run(struct ctl *ctl, struct line *line)
{
	const struct ctl_command *c;
	int code;

	if (looks_around(ctl, line)) {
		ctl_greet(ctl);
		return CTL_USAGE;
	}
	c = choose(ctl, line);
	if (c != NULL && c->paged && !ctl->json && !ctl->csv && !ctl->html)
		ctl->pager = pager_begin();
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

/* A monitor takes the exit code: 1 and 2 would be a state of the host, 3 is that it is unknown. */
static bool
called_by_monitor(const struct line *line, int argc, char **argv)
{
	if (line->command != &cmd_doctor.line)
		return false;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--nagios") == 0)
			return true;
	return false;
}

/*
 * LSB, of the status of a service: 0 it runs, 3 it does not, 4 nobody can tell. 1 and 2 would say
 * that it died, so a status that was called wrongly or that failed cannot tell.
 */
static int
exit_code(const struct line *line, int code)
{
	bool failed = code == CTL_USAGE || code == CTL_FAILED;

	return failed && line->command == &cmd_status.line ? CTL_PROBLEM : code;
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
		return words_print(&ctl, argv[2], argv[3], argc > 4 ? argv[4] : NULL) ? CTL_OK
										      : CTL_FAILED;
	line_parse(&line, ctl.program, &ctl, argc, argv);
	ctl.args = line.args;
	ctl.arg_count = line.count;
	ctl.options = line.values;
	ctl.config_given = ctl.config_path != NULL;
	if (!ctl.config_given)
		ctl.config_path = KMS_SYSCONFDIR "/kms/kms.ini";
	ctl.out = output_new(ctl.json   ? &output_format_json
			     : ctl.csv  ? &output_format_csv
			     : ctl.html ? &output_format_html
					: &output_format_text,
	    stdout, output_colour_wanted(stdout));
	if (ctl.out != NULL)
		ctl.out->width = screen_width(stdout);
	if (ctl.out == NULL) {
		help_failure(ctl.program->name, KMS_E_NO_MEMORY, NULL);
		return CTL_FAILED;
	}
	code = run(&ctl, &line);
	if (!output_close(ctl.out)) {
		fprintf(stderr, "kmsctl: the output could not be written completely\n");
		code = CTL_FAILED;
	}
	code = exit_code(&line, code);
	if (line.fault.status != KMS_OK && called_by_monitor(&line, argc, argv))
		code = CTL_DOWN;
	pager_end(ctl.pager);
	line_free(&line);
	return code;
}
