/*
 * plan.c - plan: shows what differs from kms.ini and what apply would do; apply: does it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/plan/run.h"
#include "libkms/kms_error.h"

struct plan_options {
	const char *nameserver, *root;
	bool check; /* plan's */
};

static char *
below(const char *root, const char *path)
{
	size_t len = strlen(root) + strlen(path) + 1;
	char *out = malloc(len);

	if (out != NULL)
		snprintf(out, len, "%s%s", root, path);
	return out;
}

/*
 * The ini file below the root, unless -c names one. CTL_OK, or the exit code of the failure that
 * was printed.
 */
static int
open_plan(struct ctl *ctl, struct plan *p)
{
	const struct plan_options *o = ctl->options;
	char *root = NULL;

	memset(p, 0, sizeof(*p));
	p->ctl = ctl;
	p->root = "";
	p->nameserver = o->nameserver;
	if (o->root != NULL) {
		if ((root = realpath(o->root, NULL)) == NULL)
			return fail(ctl, KMS_E_NOT_FOUND, "%s: no such directory", o->root);
		/* Of this machine itself, too, what only a running one has is left out. */
		if (strcmp(root, "/") == 0 && (root = below(root, ".")) == NULL)
			return fail(ctl, KMS_E_NO_MEMORY, "no memory");
		p->root = root;
		if (!ctl->config_given &&
		    (ctl->config_path = below(root, ctl->config_path)) == NULL)
			return fail(ctl, KMS_E_NO_MEMORY, "no memory");
	}
	return ini_load(ctl);
}

static int
run_plan(struct ctl *ctl)
{
	const struct plan_options *o = ctl->options;
	static struct plan p; /* large */
	int code = open_plan(ctl, &p);
	unsigned by_hand;

	if (code != CTL_OK)
		return code;
	plan_look(&p, PLAN_ALL);
	by_hand = plan_by_hand(&p);
	output_bool(ctl->out, "as_it_should_be", NULL, p.count == 0);
	output_list(ctl->out, "differences", NULL);
	plan_show(&p);
	output_end(ctl->out);
	if (p.count == 0)
		output_line(ctl->out, OUTPUT_GOOD, "Everything matches kms.ini");
	else
		output_line(ctl->out, OUTPUT_PLAIN,
		    "%u difference%s: kmsctl apply corrects %u, you must correct %u", p.count,
		    p.count == 1 ? "" : "s", p.count - by_hand, by_hand);
	return p.count > 0 && o->check ? CTL_PROBLEM : CTL_OK;
}

static int
run_apply(struct ctl *ctl)
{
	static struct plan p;
	struct plan_result r = { 0 };
	int code = open_plan(ctl, &p);

	if (code != CTL_OK)
		return code;
	output_list(ctl->out, "differences", NULL);
	plan_mend(&p, PLAN_ALL, &r);
	output_end(ctl->out);
	output_number(ctl->out, "changed", NULL, r.done);
	output_number(ctl->out, "failed", NULL, r.failed);
	output_number(ctl->out, "by_hand", NULL, plan_by_hand(&p));
	output_line(ctl->out, r.failed > 0 ? OUTPUT_BAD : OUTPUT_GOOD,
	    "%u changed, %u failed, %u for you to correct", r.done, r.failed, plan_by_hand(&p));
	return r.failed > 0 ? CTL_FAILED : CTL_OK;
}

/* apply takes those from the second on. */
static const struct option_row rows[] = {
	{ "check", 0, NULL, "exit 4 when there are differences",
	    .offset = offsetof(struct plan_options, check) },
	{ "nameserver", 0, "ADDRESS", "the name server to ask",
	    .offset = offsetof(struct plan_options, nameserver) },
	{ "root", 0, "DIR", "root directory of a machine that is not running",
	    .offset = offsetof(struct plan_options, root) },
	{ 0 },
};

const struct ctl_command cmd_plan = {
	.line.noun = "plan",
	.line.summary = "show how this machine differs from kms.ini, and what apply would do",
	.line.options = rows,
	.line.values = sizeof(struct plan_options),
	.no_config = true,
	.run = run_plan,
};
const struct ctl_command cmd_apply = {
	.line.noun = "apply",
	.line.summary = "make the machine match kms.ini; safe to repeat and to interrupt",
	.line.options = rows + 1,
	.line.values = sizeof(struct plan_options),
	.no_config = true,
	.run = run_apply,
};
