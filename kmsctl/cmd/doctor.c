/*
 * doctor.c - doctor: one line for each thing that can be wrong with an appliance, with what to
 * type next.
 */
#include "kmsctl/doctor/doctor.h"

#include <stdio.h>

#include "kmsctl/host/ini_file.h"
#include "kmsctl/kmsctl.h"
#include "libkms/base/fault.h"
#include "libkms/kms_error.h"

struct doctor_options {
	const char *nameserver;
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

static int
run_doctor(struct ctl *ctl)
{
	const struct doctor_options *o = ctl->options;
	static struct doctor d; /* large */

	struct fault f = { 0 };
	unsigned errors;

	d.ctl = ctl;
	d.plan.nameserver = o->nameserver;
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
	doctor_sandbox(&d);
	look_at_aspect(&d, &aspect_users, BAD, "users");
	look_at_aspect(&d, &aspect_files, BAD, "files");
	look_at_aspect(&d, &aspect_units, BAD, "units");
	reply_free(&d.status);
	output_end(ctl->out);
	output_number(ctl->out, "bad", NULL, d.bad);
	output_number(ctl->out, "warnings", NULL, d.warnings);
	output_line(ctl->out, d.bad > 0 ? OUTPUT_BAD : OUTPUT_PLAIN, "%u bad, %u warning%s", d.bad,
	    d.warnings, d.warnings == 1 ? "" : "s");
	return d.bad > 0 ? CTL_PROBLEM : CTL_OK;
}

static const struct option_row doctor_rows[] = {
	{ "nameserver", 0, "ADDRESS", "the name server to ask",
	    .offset = offsetof(struct doctor_options, nameserver) },
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
