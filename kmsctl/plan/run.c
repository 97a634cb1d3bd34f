/*
 * run.c - see run.h.
 */
#include "kmsctl/plan/run.h"

#include <stdio.h>

#include "libkms/kms_error.h"

/* In the order in which they depend on each other; what publishers sent is the last. */
static const struct aspect *const aspects[] = {
	&aspect_users,
	&aspect_files,
	&aspect_units,
	&aspect_share, /* the firewall lets the members in that it finds */
	&aspect_firewall,
	&aspect_service,
	&aspect_dns,
	&aspect_publishers,
};
#define ASPECTS (sizeof(aspects) / sizeof(*aspects))

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

	if (a == p->without || (a->needs_running_system && p->root[0] != '\0'))
		return;
	p->aspect = a;
	rc = a->inspect(p, &f);
	if (rc != KMS_OK)
		unseen(p, a, fault_text(&f, rc));
}

unsigned
plan_by_hand(const struct plan *p)
{
	unsigned i, n = 0;

	for (i = 0; i < p->count; i++)
		n += p->list[i].by_hand;
	return n;
}

static size_t
aspect_count(enum plan_part part)
{
	return part == PLAN_MACHINE ? ASPECTS - 1 : ASPECTS;
}

void
plan_look(struct plan *p, enum plan_part part)
{
	for (size_t i = 0; i < aspect_count(part); i++)
		inspect(p, aspects[i]);
}

void
plan_show(const struct plan *p)
{
	for (unsigned i = 0; i < p->count; i++)
		row(p->ctl, &p->list[i], p->list[i].by_hand ? BY_HAND : DUE, NULL);
}

static void
mend(struct plan *p, const struct difference *d, struct plan_result *r)
{
	struct fault f = { 0 };
	int rc;

	if (d->by_hand) {
		if (!p->brief)
			row(p->ctl, d, BY_HAND, NULL);
		return;
	}
	rc = d->aspect->mend(p, d, &f);
	r->done += rc == KMS_OK;
	r->failed += rc != KMS_OK;
	row(p->ctl, d, rc == KMS_OK ? DONE : FAILED, rc == KMS_OK ? NULL : fault_text(&f, rc));
}

/* Checked one after the other, because each one depends on what was corrected before. */
void
plan_mend(struct plan *p, enum plan_part part, struct plan_result *r)
{
	for (size_t i = 0; i < aspect_count(part); i++) {
		unsigned from = p->count;

		inspect(p, aspects[i]);
		for (; from < p->count; from++)
			mend(p, &p->list[from], r);
	}
}
