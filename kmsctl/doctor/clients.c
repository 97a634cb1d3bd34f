/*
 * clients.c - doctor's checks of what clients get: pools that are full, clients that were refused
 * within a day or are held, connections that the fronts refused.
 */
#include "kmsctl/ledger/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/doctor/doctor.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

#define DAY 86400
#define NEARLY 95 /* percent */

#define CLONE_AGE (UINT64_C(30) * DAY)

/* A client whose last request was refused, within a day. */
static void
add_refused(struct doctor_clients *s, const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	struct doctor_cause *cause;
	unsigned i = 0;

	if (c->status == KMS_OK || c->status == KMS_E_COUNT_TOO_LOW || c->last_seen + DAY < s->now)
		return;
	while (i < s->cause_count && s->causes[i].status != c->status)
		i++;
	if (i == DOCTOR_CAUSES)
		return;
	cause = &s->causes[i];
	if (i == s->cause_count)
		s->causes[s->cause_count++].status = c->status;
	cause->clients++;
	if (c->last_seen >= cause->last) {
		cause->last = c->last_seen;
		snprintf(cause->name, sizeof(cause->name), "%s", cold->name);
	}
}

static int
add_client(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct doctor_clients *s = arg;
	bool held = (c->flags & KMSDB_HELD) != 0;

	add_refused(s, c, cold);
	s->clones += held || (cold->last_clone != 0 && cold->last_clone + CLONE_AGE > s->now);
	if (held && cold->hold_end > s->now) {
		s->held++;
		memcpy(s->held_cmid, c->cmid, sizeof(s->held_cmid));
	}
	return 0;
}

/* One walk over all clients for the checks that ask about them; NULL: they cannot be read. */
static const struct doctor_clients *
look_at_clients(struct doctor *d)
{
	struct doctor_clients *s = &d->clients;
	struct fault fault = { 0 };

	if (!s->looked) {
		s->now = (uint64_t)time(NULL);
		s->looked = true;
		s->read = ledger_each_client(d->ctl, add_client, s, &fault) == KMS_OK;
	}
	return s->read ? s : NULL;
}

uint64_t
doctor_clones(struct doctor *d)
{
	const struct doctor_clients *s;

	clients_checkpoint(d->ctl);
	s = look_at_clients(d);
	return s != NULL ? s->clones : 0;
}

void
doctor_refused(struct doctor *d)
{
	const struct doctor_clients *s = look_at_clients(d);
	char next[MESSAGE_NAME + 64];

	for (unsigned i = 0; s != NULL && i < s->cause_count; i++) {
		const struct doctor_cause *cause = &s->causes[i];
		const struct kms_error *e = kms_error_find(cause->status);

		snprintf(next, sizeof(next), "kmsctl why '%s'", cause->name);
		doctor_find(d, "refused", cause->status == KMS_E_CAPACITY ? BAD : WARNING,
		    cause->name[0] != '\0' ? next : "kmsctl clients",
		    "%" PRIu64 " client%s refused within a day with %s: %s", cause->clients,
		    cause->clients == 1 ? " was" : "s were", e->symbol, e->meaning);
	}
	if (s != NULL && s->cause_count == 0)
		doctor_find(d, "refused", GOOD, NULL, "no client was refused within a day");
}

/* Two machines that use one key in turn: neither of them gets a lease. */
void
doctor_holds(struct doctor *d)
{
	const struct doctor_clients *s = look_at_clients(d);
	char cmid[33], next[256];

	if (s == NULL)
		return;
	hex_format(cmid, s->held_cmid, sizeof(s->held_cmid));
	snprintf(next, sizeof(next),
	    "kmsctl clients --clones, remove the client state file on all machines but one, then kmsctl client forget %s",
	    s->held == 1 ? cmid : "CMID");
	if (s->held > 0)
		doctor_find(d, "clone", WARNING, next,
		    "%" PRIu64 " client%s held, because two machines use the same key in turn",
		    s->held, s->held == 1 ? " is" : "s are");
	else
		doctor_find(d, "clone", GOOD, NULL,
		    "no client is held because two machines use its key in turn");
}

void
doctor_pools(struct doctor *d)
{
	const struct reply_row *row = NULL;
	uint64_t counted, capacity;
	const char *name;

	while (d->running && !d->locked && (row = reply_next(&d->status, "pool", row)) != NULL) {
		if (!reply_number(row, "counted", &counted) ||
		    !reply_number(row, "capacity", &capacity) || capacity == 0)
			continue;
		name = reply_text(row, "name");
		if (counted >= capacity)
			doctor_find(d, "capacity", BAD,
			    "kmsctl clients, then kmsctl client forget CMID for those that are gone, or buy more seats",
			    "%s: the pool is full: all of its %" PRIu64
			    " seats are taken, and a new client is refused with KMS_E_CAPACITY",
			    name != NULL ? name : "?", capacity);
		else if (counted >= capacity / 100 * NEARLY + capacity % 100 * NEARLY / 100)
			doctor_find(d, "capacity", WARNING,
			    "kmsctl clients, and see which are gone, or buy more seats",
			    "%s: %" PRIu64 " of %" PRIu64 " seats are taken",
			    name != NULL ? name : "?", counted, capacity);
		else
			doctor_find(d, "capacity", GOOD, NULL,
			    "%s: %" PRIu64 " of %" PRIu64 " seats are taken",
			    name != NULL ? name : "?", counted, capacity);
	}
}

void
doctor_connections(struct doctor *d)
{
	const struct reply_row *row = NULL;
	uint64_t refused = d->running ? reply_sum(&d->status, "front", "refused-connections") : 0;
	unsigned silent = 0;
	const char *answer;

	while (d->running && (row = reply_next(&d->status, "front", row)) != NULL) {
		answer = reply_text(row, "answer");
		silent += answer != NULL && strcmp(answer, "no answer") == 0;
	}
	if (silent > 0)
		doctor_find(d, "front", WARNING, "kmsctl status, then journalctl -u kmsd",
		    "%u front%s did not answer in time", silent, silent == 1 ? "" : "s");
	if (refused > 0)
		doctor_find(d, "connections", WARNING,
		    "journalctl -u kmsd -g 'connections_per_source|allow', then raise that limit in [limits] or [relay], or name the network in [limits] exempt",
		    "%" PRIu64
		    " connections were refused since kmsd started, because one address had too many or is not allowed",
		    refused);
}
