/*
 * config.c - config check: every error of an ini file, as FILE:LINE: message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/kmsctl.h"
#include "libkms/kms_error.h"

#define ERRORS_MAX 64

static void
print_errors(struct ctl *ctl, const char *path, const struct config_error *errors, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		output_line(
		    ctl->out, OUTPUT_BAD, "%s:%d: %s", path, errors[i].line, errors[i].text);
	output_list(ctl->out, "errors", NULL);
	for (i = 0; i < count && ctl->json; i++) {
		output_row(ctl->out);
		output_number(ctl->out, "line", NULL, (uint64_t)errors[i].line);
		output_text(ctl->out, "message", NULL, errors[i].text);
	}
	output_end(ctl->out);
}

static int
run_config_check(struct ctl *ctl)
{
	const char *path = ctl->arg_count > 0 ? ctl->args[0] : ctl->config_path;
	static struct config_error errors[ERRORS_MAX];
	unsigned count;
	char *text;
	size_t len;
	int rc;

	rc = config_read_file(path, &text, &len);
	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "%s: %s", path,
		    rc == KMS_E_TOO_LARGE ? kms_strerror((uint32_t)rc) : strerror(errno));
	config_defaults(&ctl->config);
	count = config_parse(&ctl->config, text, len, errors, ERRORS_MAX);
	free(text);
	output_text(ctl->out, "file", NULL, path);
	output_bool(ctl->out, "valid", NULL, count == 0);
	output_number(ctl->out, "error_count", NULL, count);
	print_errors(ctl, path, errors, count < ERRORS_MAX ? count : ERRORS_MAX);
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
