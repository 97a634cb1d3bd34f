/*
 * cmd_doctor.c - doctor: one line for each thing that an appliance can suffer from, with what to type next.
 *
 * "bad" is what keeps clients from being activated, now or soon; "warning" is what will. Monitoring reads the exit code.
 */
#include <config.h>

#include <sys/statvfs.h>
#include <sys/timex.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/command.h"
#include "kmsctl/ctl.h"
#include "kmsctl/plan/plan.h"
#include "kmsdb/kmsdb.h"
#include "libkms/kms_error.h"

#define DAY 86400
#define EXPIRY_SOON (30 * DAY)
#define DISK_LOW 10 /* percent */

enum level { GOOD, WARNING, BAD };

struct doctor {
	struct ctl *ctl;
	struct reply status; /* of a running kmsd */
	bool running;
	unsigned bad, warnings;
	struct plan plan;
};

static const struct {
	const char *name;
	enum output_style style;
} levels[] = {
	[GOOD] = { "good", OUTPUT_GOOD },
	[WARNING] = { "warning", OUTPUT_WARN },
	[BAD] = { "bad", OUTPUT_BAD },
};

/* next: what to type, NULL: nothing. */
static void __attribute__((format(printf, 5, 6)))
find(struct doctor *d, const char *check, enum level level, const char *next, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	d->bad += level == BAD;
	d->warnings += level == WARNING;
	if (d->ctl->json) {
		output_row(d->ctl->out);
		output_text(d->ctl->out, "check", NULL, check);
		output_text(d->ctl->out, "level", NULL, levels[level].name);
		output_text(d->ctl->out, "text", NULL, text);
		output_text(d->ctl->out, "next", NULL, next);
		return;
	}
	output_line(d->ctl->out, levels[level].style, "%-8s %-9s %s%s%s", levels[level].name, check,
	    text, next != NULL ? ": " : "", next != NULL ? next : "");
}

static void
look_at_service(struct doctor *d)
{
	const struct reply_row *row;
	const char *version;
	uint64_t locked = 0;
	char why[512];
	uint32_t status = ctl_ask_quietly(d->ctl, CONTROL_STATUS, NULL, &d->status, why);

	d->running = status == KMS_OK;
	if (!d->running) {
		find(d, "service", BAD,
		    status == KMS_E_NOT_RUNNING ? "systemctl start kmsd, then journalctl -u kmsd"
						: NULL,
		    "%s", why);
		return;
	}
	row = reply_next(&d->status, "service", NULL);
	reply_number(row, "locked", &locked);
	if (locked)
		find(d, "service", BAD, "kmsctl unlock", "the host's keys are locked");
	else
		find(d, "service", GOOD, NULL, "kmsd is running");
	version = reply_text(row, "version");
	if (version == NULL || strcmp(version, PACKAGE_VERSION) != 0)
		find(d, "version", BAD, "systemctl restart kmsd", "kmsd is %s, kmsctl is %s",
		    version != NULL ? version : "unknown", PACKAGE_VERSION);
	else
		find(d, "version", GOOD, NULL, "kmsd and kmsctl are %s", PACKAGE_VERSION);
}

static void
look_at_key(struct doctor *d, const struct reply_row *row)
{
	const char *publisher = reply_text(row, "publisher");
	uint64_t confirmed = 0, not_after = 0, now = (uint64_t)time(NULL);

	publisher = publisher != NULL ? publisher : "?";
	reply_number(row, "confirmed", &confirmed);
	reply_number(row, "not-after", &not_after);
	if (!confirmed)
		find(d, "key", BAD, "kmsctl key request, then kmsctl key confirm",
		    "%s: this host is not confirmed", publisher);
	else if (not_after != 0 && not_after <= now)
		find(d, "key", BAD, "ask the publisher for a new key, then kmsctl key install",
		    "%s: the key has expired", publisher);
	else if (not_after != 0 && not_after - now < EXPIRY_SOON)
		find(d, "key", WARNING, "ask the publisher for a new key, then kmsctl key install",
		    "%s: the key expires in %" PRIu64 " days", publisher, (not_after - now) / DAY);
	else
		find(d, "key", GOOD, NULL, "%s: confirmed", publisher);
}

static void
look_at_keys(struct doctor *d)
{
	const struct reply_row *row = NULL;
	struct reply reply;
	unsigned keys = 0;
	char why[512];

	if (!d->running)
		return;
	if (ctl_ask_quietly(d->ctl, CONTROL_KEY_SHOW, NULL, &reply, why) != KMS_OK) {
		find(d, "key", BAD, NULL, "%s", why);
	} else {
		while ((row = reply_next(&reply, "key", row)) != NULL && ++keys)
			look_at_key(d, row);
		if (keys == 0)
			find(d, "key", BAD, "kmsctl key install FILE.kmskey", "no host key");
	}
	reply_free(&reply);
}

static void
look_at_counts(struct doctor *d)
{
	const struct reply_row *row = NULL;
	unsigned products = 0;

	while (d->running && (row = reply_next(&d->status, "product", row)) != NULL) {
		uint64_t counted = 0, required = 0, covered = 1;
		const char *name = reply_text(row, "name");

		reply_number(row, "counted", &counted);
		reply_number(row, "required", &required);
		reply_number(row, "covered", &covered);
		products++;
		if (covered && counted < required)
			find(d, "count", WARNING, "start more clients",
			    "%s: %" PRIu64 " of %" PRIu64 " clients, %" PRIu64 " short",
			    name ? name : "?", counted, required, required - counted);
		else if (covered)
			find(d, "count", GOOD, NULL, "%s: %" PRIu64 " of %" PRIu64 " clients",
			    name ? name : "?", counted, required);
	}
	if (d->running && products == 0)
		find(d, "count", BAD, "kmsctl policy install FILE.kmspolicy",
		    "no policy pack, so no product");
}

static void
look_at_sandbox(struct doctor *d)
{
	const struct reply_row *row = NULL;
	const char *missing;
	unsigned any = 0;

	while (d->running && (row = reply_next(&d->status, "sandbox", row)) != NULL) {
		missing = reply_text(row, "missing");
		if (missing == NULL || missing[0] == '\0')
			continue;
		any++;
		find(d, "sandbox", WARNING, "journalctl -u kmsd KMS_EVENT=sandbox-missing",
		    "%s runs without %s", reply_text(row, "process"), missing);
	}
	if (d->running && any == 0)
		find(d, "sandbox", GOOD, NULL, "every layer is in force in every process");
}

static void
count_problem(int status, const char *line, void *arg)
{
	++*(unsigned *)arg;
}

/* A running kmsd has checked it at its start; without one the whole of it is read. */
static void
read_ledger(struct doctor *d)
{
	unsigned problems = 0;
	int fd = ctl_state_directory(d->ctl),
	    e; /* as its owner: the check makes files of its own */

	e = fd == -1 ? KMS_E_NOT_FOUND : kmsdb_check(fd, NULL, count_problem, &problems);
	ctl_close(NULL, fd);
	if (e == KMS_OK && problems == 0)
		find(d, "ledger", GOOD, NULL, "all of it has been checked");
	else if (problems > 0)
		find(d, "ledger", BAD, "kmsctl ledger check", "the check found %u problems",
		    problems);
	else
		find(d, "ledger", BAD, "kmsctl ledger check", "%s", kms_strerror((uint32_t)e));
}

static void
look_at_ledger(struct doctor *d)
{
	const struct reply_row *row = d->running ? reply_next(&d->status, "ledger", NULL) : NULL;
	uint64_t since = 0;
	char why[256];
	struct kmsdb *db;
	int e;

	if (row != NULL && reply_number(row, "failing-since", &since) && since != 0) {
		find(d, "ledger", BAD, "df, then journalctl -u kmsd", "it cannot be written");
		return;
	}
	e = ctl_open_ledger(d->ctl, &db, why);
	if (e == KMS_OK)
		ctl_close(db, -1);
	if (e == KMS_OK && !d->running) {
		read_ledger(d);
		return;
	}
	if (e == KMS_OK)
		find(d, "ledger", GOOD, NULL, "it opens (kmsctl ledger check reads all of it)");
	else if (e == KMS_E_DENIED && d->running)
		find(d, "ledger", GOOD, NULL, "kmsd writes it; only root can look closer");
	else
		find(d, "ledger", BAD, "kmsctl ledger check", "%s", why);
}

static void
look_at_disk(struct doctor *d)
{
	const struct config *c = &d->ctl->config;
	struct statvfs v;
	uint64_t room;
	unsigned percent;

	if (statvfs(c->state_directory, &v) == -1 || v.f_blocks == 0) {
		find(d, "disk", BAD, "kmsctl plan", "%s: %s", c->state_directory, strerror(errno));
		return;
	}
	room = (uint64_t)v.f_bavail * v.f_frsize;
	percent = (unsigned)(v.f_bavail * 100 / v.f_blocks);
	find(d, "disk",
	    room < 2 * c->segment_size ? BAD
	    : percent < DISK_LOW       ? WARNING
				       : GOOD,
	    room < 2 * c->segment_size || percent < DISK_LOW ? "make room" : NULL,
	    "%s: %" PRIu64 " MiB free, %u %%", c->state_directory, room >> 20, percent);
}

/* The kernel knows whether somebody keeps its clock right. */
static void
look_at_clock(struct doctor *d)
{
	struct timex t = { 0 };

	if (adjtimex(&t) == -1)
		find(d, "clock", WARNING, "timedatectl", "adjtimex: %s", strerror(errno));
	else if ((t.status & STA_UNSYNC) != 0)
		find(d, "clock", WARNING, "timedatectl set-ntp true",
		    "no time server keeps it right, and clients more than four hours off are "
		    "refused");
	else
		find(d, "clock", GOOD, NULL, "kept right by a time server");
}

/* What plan finds, an aspect a line. */
static void
look_at_aspect(struct doctor *d, const struct aspect *a, const char *name)
{
	struct plan *p = &d->plan;
	char why[512] = "";
	int e;

	p->ctl = d->ctl;
	p->root = "";
	p->aspect = a;
	p->count = 0;
	e = a->inspect(p, why);
	if (e != KMS_OK)
		find(d, name, WARNING, "kmsctl plan", "cannot be looked at: %.300s",
		    why[0] ? why : kms_strerror((uint32_t)e));
	else if (p->count > 0)
		find(d, name, BAD, p->list[0].by_hand ? "kmsctl plan" : "kmsctl apply",
		    "%u difference%s from kms.ini, as %.150s: %.100s", p->count,
		    p->count == 1 ? "" : "s", p->list[0].what, p->list[0].is);
	else
		find(d, name, GOOD, NULL, "as kms.ini says");
}

static int
run_doctor(struct ctl *ctl)
{
	static struct doctor d; /* large */

	d.ctl = ctl;
	output_list(ctl->out, "findings", NULL);
	look_at_service(&d);
	look_at_keys(&d);
	look_at_counts(&d);
	look_at_aspect(&d, &aspect_dns, "dns");
	look_at_aspect(&d, &aspect_firewall, "firewall");
	look_at_clock(&d);
	look_at_disk(&d);
	look_at_ledger(&d);
	look_at_sandbox(&d);
	look_at_aspect(&d, &aspect_users, "users");
	look_at_aspect(&d, &aspect_files, "files");
	look_at_aspect(&d, &aspect_units, "units");
	reply_free(&d.status);
	output_end(ctl->out);
	output_number(ctl->out, "bad", NULL, d.bad);
	output_number(ctl->out, "warnings", NULL, d.warnings);
	output_line(ctl->out, d.bad > 0 ? OUTPUT_BAD : OUTPUT_PLAIN, "%u bad, %u warning%s", d.bad,
	    d.warnings, d.warnings == 1 ? "" : "s");
	return d.bad > 0 ? CTL_PROBLEM : CTL_OK;
}

const struct command cmd_doctor = {
	.noun = "doctor",
	.summary = "what is wrong with this appliance, and what to type next",
	.options = CTL_OPT_NAMESERVER,
	.run = run_doctor,
};
