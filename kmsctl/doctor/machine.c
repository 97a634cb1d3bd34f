/*
 * machine.c - doctor's checks of what the appliance runs on: the ledger, the disk below it, the
 * clock.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "kmsctl/doctor/doctor.h"
#include "kmsctl/doctor/time_sync.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsctl/ledger/past.h"
#include "kmsctl/ledger/whole_check.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

static void
count_problem(int status, const char *line, void *arg)
{
	++*(unsigned *)arg;
}

/* A running kmsd has checked the ledger at its start; without kmsd, all of it is read. */
static void
read_ledger(struct doctor *d)
{
	unsigned problems = 0;
	bool own;
	int fd = ledger_access_directory(d->ctl),
	    e; /* as the owner of the ledger: the check makes files */

	e = fd == -1 ? KMS_E_NOT_FOUND
		     : whole_check(d->ctl, fd, &own, NULL, count_problem, &problems);
	ledger_access_close(NULL, fd);
	if (e == KMS_OK && problems == 0)
		doctor_find(d, "ledger", GOOD, NULL, "the whole ledger was checked");
	else if (problems > 0)
		doctor_find(d, "ledger", BAD, "kmsctl ledger check", "the check found %u problems",
		    problems);
	else
		doctor_find(
		    d, "ledger", BAD, "kmsctl ledger check", "%s", kms_strerror((uint32_t)e));
}

void
doctor_ledger(struct doctor *d)
{
	const struct reply_row *row = d->running ? reply_next(&d->status, "ledger", NULL) : NULL;
	uint64_t since = 0;
	struct fault fault = { 0 };
	struct kmsdb *db;
	int rc;

	if (row != NULL && reply_number(row, "failing-since", &since) && since != 0) {
		doctor_find(d, "ledger", BAD, "df, then journalctl -u kmsd",
		    "the ledger cannot be written");
		return;
	}
	rc = ledger_access_open(d->ctl, &db, &fault);
	if (rc == KMS_OK)
		ledger_access_close(db, -1);
	if (rc == KMS_OK && !d->running) {
		read_ledger(d);
		return;
	}
	if (rc == KMS_OK)
		doctor_find(d, "ledger", GOOD, NULL,
		    "the ledger can be opened (kmsctl ledger check reads all of it)");
	else if (rc == KMS_E_DENIED && d->running)
		doctor_find(
		    d, "ledger", GOOD, NULL, "kmsd can write the ledger; only root can check more");
	else
		doctor_find(d, "ledger", BAD, "kmsctl ledger check", "%s", fault.text);
}

/* False: nobody can tell. */
static bool
read_past(struct doctor *d, struct kmsdb_history *h)
{
	const struct reply_row *row = d->running ? reply_next(&d->status, "ledger", NULL) : NULL;
	struct fault fault = { 0 };
	struct kmsdb *db;
	int rc;

	if (row != NULL) {
		past_of_reply(h, row);
		return true;
	}
	if (ledger_access_open(d->ctl, &db, &fault) != KMS_OK)
		return false;
	rc = kmsdb_history(db, h);
	ledger_access_close(db, -1);
	return rc == KMS_OK;
}

/* What clients, restores and the clock say of the ledger's own history. */
void
doctor_history(struct doctor *d)
{
	struct past_line lines[PAST_LINES];
	struct kmsdb_history h;
	unsigned count;

	if (!read_past(d, &h))
		return;
	count = past_lines(lines, &h, (uint64_t)time(NULL));
	for (unsigned i = 0; i < count; i++)
		doctor_find(d, lines[i].check, lines[i].bad ? BAD : WARNING, lines[i].next, "%s",
		    lines[i].text);
	if (h.grades[HISTORY_CONTRADICTION] + h.grades[HISTORY_UNEXPLAINED] == 0)
		doctor_find(d, "history", GOOD, NULL,
		    "every batch that clients hold is in the journal, or a restore explains the loss");
}

#define FULL_SOON 30 /* days */
#define FULL_LATE (100 * 366)

/* When the disk is full at the pace of the newest segments, if nothing is dropped. */
static void
tell_pace(struct doctor *d, uint64_t room)
{
	const struct config *c = &d->ctl->config;
	char when[VALUE_TIME + 1] = "";
	struct fault fault = { 0 };
	uint64_t octets, seconds, days, full;
	struct kmsdb *db;
	bool known;

	if (c->keep != 0 || ledger_access_open(d->ctl, &db, &fault) != KMS_OK)
		return;
	known = kmsdb_journal_pace(db, &octets, &seconds, &fault) == KMS_OK && octets > 0;
	ledger_access_close(db, -1);
	if (!known)
		return;
	days = room / octets * seconds / 86400;
	full = (uint64_t)time(NULL) + days * 86400;
	if (days > FULL_LATE || !value_time_format(when, full)) {
		doctor_find(d, "journal", GOOD, NULL,
		    "the journal is kept for ever: as fast as it grows now, the disk is large enough for 100 years");
		return;
	}
	doctor_find(d, "journal", days < FULL_SOON ? WARNING : GOOD,
	    days < FULL_SOON ? "set [ledger] keep, or enlarge the disk" : NULL,
	    "the journal is kept for ever: as fast as it grows now, the disk will be full in %" PRIu64
	    " days, %.10s",
	    days, when);
}

void
doctor_disk(struct doctor *d)
{
	const struct config *c = &d->ctl->config;
	struct statvfs v;
	uint64_t room;
	unsigned percent;

	if (statvfs(c->state_directory, &v) == -1 || v.f_blocks == 0) {
		doctor_find(
		    d, "disk", BAD, "kmsctl plan", "%s: %s", c->state_directory, strerror(errno));
		return;
	}
	room = (uint64_t)v.f_bavail * v.f_frsize;
	percent = (unsigned)(v.f_bavail * 100 / v.f_blocks);
	doctor_find(d, "disk",
	    room < 2 * c->segment_size      ? BAD
	    : percent < c->alerts_disk_free ? WARNING
					    : GOOD,
	    room < 2 * c->segment_size || percent < c->alerts_disk_free ? "free disk space" : NULL,
	    "%s: %" PRIu64 " MiB free, %u %%", c->state_directory, room >> 20, percent);
	tell_pace(d, room);
}

void
doctor_clock(struct doctor *d)
{
	struct timex t = { 0 };
	const char *next;
	char text[200];
	bool right;

	if (adjtimex(&t) == -1) {
		doctor_find(d, "clock", WARNING, "timedatectl", "adjtimex: %s", strerror(errno));
		return;
	}
	right = clock_judge(&t, d->ctl->config.alerts_clock_error, text, &next);
	doctor_find(d, "clock", right ? GOOD : WARNING, next, "%s", text);
}
