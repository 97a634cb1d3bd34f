/*
 * config.c - config check: every error of an ini file, as FILE:LINE: message.
 */
#include "kmsctl/cli/fail.h"
#include "kmsctl/host/class_check.h"
#include "kmsctl/kmsctl.h"
#include "kmsd/common/config_text.h"
#include "libkms/kms_error.h"

#define FAULTS_MAX 64

static void
print_errors(struct ctl *ctl, const char *path, const struct fault *faults, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		if (faults[i].line > 0)
			output_line(ctl->out, OUTPUT_BAD, "%s:%d: %s", path, faults[i].line,
			    faults[i].text);
		else
			output_line(ctl->out, OUTPUT_BAD, "%s: %s", path, faults[i].text);
	}
	output_list(ctl->out, "errors", NULL);
	for (i = 0; i < count && ctl->json; i++) {
		output_row(ctl->out);
		output_number(ctl->out, "line", NULL, (uint64_t)faults[i].line);
		output_text(ctl->out, "message", NULL, faults[i].text);
	}
	output_end(ctl->out);
}

static int
run_config_check(struct ctl *ctl)
{
	const char *path = ctl->arg_count > 0 ? ctl->args[0] : ctl->config_path;
	static struct fault faults[FAULTS_MAX];
	unsigned count = config_load(&ctl->config, path, faults, FAULTS_MAX);

	if (count > 0 && faults[0].status != KMS_E_FORMAT)
		return fail(ctl, (uint32_t)faults[0].status, "%s: %s", path, faults[0].text);
	/* What no line says alone: it is about the whole file. */
	if (count == 0 && class_check(ctl, &faults[0]) != KMS_OK)
		count = 1;
	output_text(ctl->out, "file", NULL, path);
	output_bool(ctl->out, "valid", NULL, count == 0);
	output_number(ctl->out, "error_count", NULL, count);
	print_errors(ctl, path, faults, count < FAULTS_MAX ? count : FAULTS_MAX);
	if (count == 0)
		output_line(ctl->out, OUTPUT_GOOD, "%s: no errors", path);
	else
		output_line(ctl->out, OUTPUT_PLAIN, "%u error%s", count, count == 1 ? "" : "s");
	return count == 0 ? CTL_OK : CTL_PROBLEM;
}

const struct ctl_command cmd_config_check = {
	.line.noun = "config",
	.line.verb = "check",
	.line.args = "[FILE]",
	.line.summary = "list every error of the ini file, with its line",
	.line.max = 1,
	.no_config = true,
	.run = run_config_check,
};
