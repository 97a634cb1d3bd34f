/*
 * doctor.c - doctor: one line for each thing that can be wrong with an appliance, with what to
 * type next.
 */
#include "kmsctl/doctor/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/host/pool_words.h"
#include "kmsctl/kmsctl.h"
#include "kmsd/common/alerts.h"
#include "libkms/base/fault.h"
#include "libkms/kms_error.h"

struct doctor_options {
	const char *nameserver;
	bool strict, nagios;
};

/* What plan finds, one line for each aspect. */
static void
look_at_aspect(struct doctor *d, const struct aspect *a, enum level level, const char *name)
{
	struct plan *p = &d->plan;
	struct fault f = { 0 };
	int rc;

	p->ctl = d->ctl;
	p->root = "";
	p->aspect = a;
	p->count = 0;
	rc = a->inspect(p, &f);
	if (rc != KMS_OK)
		doctor_find(d, name, WARNING, "kmsctl plan", "cannot be checked: %.300s",
		    fault_text(&f, rc));
	else if (p->count > 0)
		doctor_find(d, name, level, p->list[0].by_hand ? "kmsctl plan" : "kmsctl apply",
		    "%u difference%s from kms.ini, for example %.150s: %.100s", p->count,
		    p->count == 1 ? "" : "s", p->list[0].what, p->list[0].is);
	else
		doctor_find(d, name, GOOD, NULL, "matches kms.ini");
}

/* Without such files, the checks of keys and counts are enough. */
static bool
names_files(const struct config *c)
{
	const struct config_publisher *p = c->publishers;

	for (; p < c->publishers + c->publisher_count; p++)
		if (p->policy[0] != '\0' || p->host_key[0] != '\0' || p->confirmation[0] != '\0')
			return true;
	return false;
}

/* Exit codes of --nagios. */
enum nagios_state { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

/* "'desktops'=24;27;30;0;30": the count, when it is a warning, when it is bad, and its range. */
static void
performance(const struct doctor *d, FILE *to)
{
	const struct reply_row *row = NULL;
	struct pool_seats s;

	fprintf(to, " | bad=%u;;1;0 warnings=%u;1;;0", d->bad, d->warnings);
	while (d->running && !d->locked && (row = reply_next(&d->status, "pool", row)) != NULL) {
		pool_seats(&s, row);
		fprintf(to, " '%s'=%" PRIu64, s.name, s.counted);
		if (s.capacity != 0)
			fprintf(to, ";%" PRIu64 ";%" PRIu64 ";0;%" PRIu64,
			    alerts_pool_at(&d->ctl->config, s.capacity), s.capacity + s.overdraft,
			    s.capacity + s.overdraft);
	}
	fputc('\n', to);
}

/* The names and texts have no line of their own, and the bar is what ends the text. */
static int
nagios(const struct doctor *d, FILE *to)
{
	/* Who may not look cannot know. */
	enum nagios_state state = d->denied         ? NAGIOS_UNKNOWN
				  : d->bad > 0      ? NAGIOS_CRITICAL
				  : d->warnings > 0 ? NAGIOS_WARNING
						    : NAGIOS_OK;
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	char *text = output_printable(d->said, false);

	for (char *c = text; c != NULL && *c != '\0'; c++)
		if (*c == '|')
			*c = '/';
	fprintf(to, "KMS %s - %s", words[state],
	    state == NAGIOS_OK ? "all is well"
	    : text != NULL     ? text
			       : "?");
	if (d->bad + d->warnings > 1)
		fprintf(to, " (%u bad, %u warning%s)", d->bad, d->warnings,
		    d->warnings == 1 ? "" : "s");
	performance(d, to);
	free(text);
	return (int)state;
}

static int
run_doctor(struct ctl *ctl)
{
	const struct doctor_options *o = ctl->options;
	static struct doctor d; /* large */

	struct fault f = { 0 };
	unsigned errors;
	bool strict;

	d.ctl = ctl;
	d.plan.nameserver = o->nameserver;
	d.one_line = o->nagios;
	if (o->nagios && ctl->json) {
		fail(ctl, KMS_E_ARGUMENT, "--nagios and --json exclude each other");
		return NAGIOS_UNKNOWN;
	}
	output_list(ctl->out, "findings", NULL);
	if (ini_load_damaged(ctl, &f, &errors) != KMS_OK)
		doctor_find(&d, "config", BAD, "kmsctl config check", "%s has %u error%s: %.250s",
		    ctl->config_path, errors, errors == 1 ? "" : "s", f.text);
	doctor_service(&d);
	doctor_start(&d);
	doctor_keys(&d);
	doctor_counts(&d);
	doctor_pools(&d);
	doctor_refused(&d);
	if (names_files(&ctl->config))
		look_at_aspect(&d, &aspect_publishers, WARNING, "publishers");
	doctor_relay(&d);
	doctor_share(&d);
	doctor_share_certificates(&d);
	doctor_port(&d);
	if (ctl->config.dns_domains.count > 0 || ctl->config.publisher_count == 0)
		look_at_aspect(&d, &aspect_dns, BAD, "dns");
	else
		doctor_unpublished(&d, o->nameserver);
	look_at_aspect(&d, &aspect_firewall, BAD, "firewall");
	doctor_clock(&d);
	doctor_disk(&d);
	doctor_ledger(&d);
	doctor_history(&d);
	doctor_limits(&d);
	doctor_connections(&d);
	doctor_shares(&d);
	doctor_holds(&d);
	doctor_flocks(&d);
	doctor_sandbox(&d);
	look_at_aspect(&d, &aspect_users, BAD, "users");
	look_at_aspect(&d, &aspect_files, BAD, "files");
	look_at_aspect(&d, &aspect_units, BAD, "units");
	if (share_configured(&ctl->config))
		look_at_aspect(&d, &aspect_share, WARNING, "etcd");
	strict = o->strict || ctl->config.alerts_strict;
	if (o->nagios) {
		int state = nagios(&d, ctl->out->file);

		reply_free(&d.status);
		output_end(ctl->out);
		return state;
	}
	reply_free(&d.status);
	output_end(ctl->out);
	output_number(ctl->out, "bad", NULL, d.bad);
	output_number(ctl->out, "warnings", NULL, d.warnings);
	output_line(ctl->out, d.bad > 0 ? OUTPUT_BAD : OUTPUT_PLAIN, "%u bad, %u warning%s", d.bad,
	    d.warnings, d.warnings == 1 ? "" : "s");
	return d.bad > 0 || (strict && d.warnings > 0) ? CTL_PROBLEM : CTL_OK;
}

static const struct option_row doctor_rows[] = {
	{ "nameserver", 0, "ADDRESS", "the name server to ask",
	    .offset = offsetof(struct doctor_options, nameserver) },
	{ "strict", 0, NULL, "treat warnings as problems",
	    .offset = offsetof(struct doctor_options, strict) },
	{ "nagios", 0, NULL, "print one line, with exit codes for Nagios and Icinga",
	    .offset = offsetof(struct doctor_options, nagios) },
	{ 0 },
};

const struct ctl_command cmd_doctor = {
	.line.noun = "doctor",
	.line.summary = "list what is wrong with this appliance, and what to type next",
	.line.options = doctor_rows,
	.line.values = sizeof(struct doctor_options),
	.no_config = true,
	.run = run_doctor,
};
