/*
 * plan.c - plan: shows what differs from kms.ini and what apply would do; apply: does it.
 */
#include "kmsctl/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/kmsctl.h"
#include "libkms/kms_error.h"

struct plan_options {
	const char *nameserver, *root;
	bool check; /* plan's */
};

/* In the order in which they depend on each other. */
static const struct aspect *const aspects[] = {
	&aspect_users,
	&aspect_files,
	&aspect_units,
	&aspect_firewall,
	&aspect_service,
	&aspect_dns,
	&aspect_publishers,
};
#define ASPECTS (sizeof(aspects) / sizeof(*aspects))

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
	size_t len;

	memset(p, 0, sizeof(*p));
	p->ctl = ctl;
	p->root = "";
	p->nameserver = o->nameserver;
	if (o->root != NULL) {
		if ((root = realpath(o->root, NULL)) == NULL)
			return fail(ctl, KMS_E_NOT_FOUND, "%s: no such directory", o->root);
		len = strlen(root);
		if (root[len - 1] == '/')
			root[len - 1] = '\0';
		p->root = root;
		if (!ctl->config_given &&
		    (ctl->config_path = below(root, ctl->config_path)) == NULL)
			return fail(ctl, KMS_E_NO_MEMORY, "no memory");
	}
	return ini_load(ctl);
}

enum state { DUE, BY_HAND, DONE, FAILED };

/* The words for each, for a program and for a person. */
static const struct {
	const char *name, *lead;
	enum output_style style;
} states[] = {
	[DUE] = { "due", "Would be ", OUTPUT_PLAIN },
	[BY_HAND] = { "by-hand", "You: ", OUTPUT_WARN },
	[DONE] = { "done", "Done: ", OUTPUT_GOOD },
	[FAILED] = { "failed", "Failed: ", OUTPUT_BAD },
};

static void
row(struct ctl *ctl, const struct difference *d, enum state state, const char *problem)
{
	if (!ctl->json) {
		output_line(ctl->out, states[state].style, "%s: %s: %s. %s%s (%s)%s%s",
		    d->aspect->name, d->what, d->is, states[state].lead, d->due, d->why,
		    problem != NULL ? ": " : "", problem != NULL ? problem : "");
		return;
	}
	output_row(ctl->out);
	output_text(ctl->out, "aspect", NULL, d->aspect->name);
	output_text(ctl->out, "what", NULL, d->what);
	output_text(ctl->out, "is", NULL, d->is);
	output_text(ctl->out, "due", NULL, d->due);
	output_text(ctl->out, "why", NULL, d->why);
	output_text(ctl->out, "state", NULL, states[state].name);
	output_text(ctl->out, "problem", NULL, problem);
}

static void
unseen(struct plan *p, const struct aspect *a, const char *why)
{
	struct difference *d;

	p->aspect = a;
	d = plan_add(p, 0, "kms.ini asks for it", "%s", a->name);
	d->by_hand = true;
	snprintf(d->is, sizeof(d->is), "cannot be checked: %.120s", why);
	snprintf(d->due, sizeof(d->due), "fix this, then run kmsctl plan");
}

/* Adds the differences of one aspect. */
static void
inspect(struct plan *p, const struct aspect *a)
{
	struct fault f = { 0 };
	int rc;

	if (a->needs_running_system && p->root[0] != '\0')
		return;
	p->aspect = a;
	rc = a->inspect(p, &f);
	if (rc != KMS_OK)
		unseen(p, a, fault_text(&f, rc));
}

static unsigned
left_to_you(const struct plan *p)
{
	unsigned i, n = 0;

	for (i = 0; i < p->count; i++)
		n += p->list[i].by_hand;
	return n;
}

static int
run_plan(struct ctl *ctl)
{
	const struct plan_options *o = ctl->options;
	static struct plan p; /* large */
	int code = open_plan(ctl, &p);
	size_t i;

	if (code != CTL_OK)
		return code;
	for (i = 0; i < ASPECTS; i++)
		inspect(&p, aspects[i]);
	output_bool(ctl->out, "as_it_should_be", NULL, p.count == 0);
	output_list(ctl->out, "differences", NULL);
	for (i = 0; i < p.count; i++)
		row(ctl, &p.list[i], p.list[i].by_hand ? BY_HAND : DUE, NULL);
	output_end(ctl->out);
	if (p.count == 0)
		output_line(ctl->out, OUTPUT_GOOD, "Everything matches kms.ini");
	else
		output_line(ctl->out, OUTPUT_PLAIN,
		    "%u difference%s: kmsctl apply corrects %u, you must correct %u", p.count,
		    p.count == 1 ? "" : "s", p.count - left_to_you(&p), left_to_you(&p));
	return p.count > 0 && o->check ? CTL_PROBLEM : CTL_OK;
}

static int
run_apply(struct ctl *ctl)
{
	static struct plan p;
	unsigned done = 0, failed = 0, from;
	int code = open_plan(ctl, &p), e;
	size_t i;

	if (code != CTL_OK)
		return code;
	output_list(ctl->out, "differences", NULL);
	/* Checked one after the other, because each one depends on what was corrected before. */
	for (i = 0; i < ASPECTS; i++) {
		from = p.count;
		inspect(&p, aspects[i]);
		for (; from < p.count; from++) {
			const struct difference *d = &p.list[from];
			struct fault f = { 0 };

			e = d->by_hand ? KMS_OK : d->aspect->mend(&p, d, &f);
			done += !d->by_hand && e == KMS_OK;
			failed += e != KMS_OK;
			row(ctl, d,
			    d->by_hand    ? BY_HAND
			    : e == KMS_OK ? DONE
					  : FAILED,
			    e == KMS_OK ? NULL : fault_text(&f, e));
		}
	}
	output_end(ctl->out);
	output_number(ctl->out, "changed", NULL, done);
	output_number(ctl->out, "failed", NULL, failed);
	output_number(ctl->out, "by_hand", NULL, left_to_you(&p));
	output_line(ctl->out, failed > 0 ? OUTPUT_BAD : OUTPUT_GOOD,
	    "%u changed, %u failed, %u for you to correct", done, failed, left_to_you(&p));
	return failed > 0 ? CTL_FAILED : CTL_OK;
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
