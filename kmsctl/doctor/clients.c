/*
 * clients.c - doctor's checks of what clients get: pools that are full, clients that were refused
 * within a day, connections that the fronts refused.
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
#include "libkms/kms_error.h"

#define DAY 86400
#define CAUSES 8
#define NEARLY 95 /* percent */

struct refused {
	uint64_t now, since; /* seconds */
	struct {
		uint32_t status;
		uint64_t clients, last;
		char name[MESSAGE_NAME + 1]; /* of the one that asked last */
	} cause[CAUSES];
	unsigned count;
};

/* A client whose last request was refused, within a day. */
static int
add_refused(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct refused *r = arg;
	unsigned i = 0;

	if (c->status == KMS_OK || c->status == KMS_E_COUNT_TOO_LOW || c->last_seen < r->since)
		return 0;
	while (i < r->count && r->cause[i].status != c->status)
		i++;
	if (i == CAUSES)
		return 0;
	if (i == r->count)
		r->cause[r->count++].status = c->status;
	r->cause[i].clients++;
	if (c->last_seen >= r->cause[i].last) {
		r->cause[i].last = c->last_seen;
		snprintf(r->cause[i].name, sizeof(r->cause[i].name), "%s",
		    cold != NULL ? cold->name : "");
	}
	return 0;
}

static void
tell_refused(struct doctor *d, const struct refused *r)
{
	char next[MESSAGE_NAME + 64];

	for (unsigned i = 0; i < r->count; i++) {
		const struct kms_error *e = kms_error_find(r->cause[i].status);

		snprintf(next, sizeof(next), "kmsctl why '%s'", r->cause[i].name);
		doctor_find(d, "refused", r->cause[i].status == KMS_E_CAPACITY ? BAD : WARNING,
		    r->cause[i].name[0] != '\0' ? next : "kmsctl clients",
		    "%" PRIu64 " client%s refused within a day with %s: %s", r->cause[i].clients,
		    r->cause[i].clients == 1 ? " was" : "s were", e->symbol, e->meaning);
	}
	if (r->count == 0)
		doctor_find(d, "refused", GOOD, NULL, "no client was refused within a day");
}

/* A collision of the last month, or a hold. */
static int
add_clone(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	uint64_t now = (uint64_t)time(NULL);

	*(uint64_t *)arg +=
	    (c->flags & KMSDB_HELD) != 0 ||
	    (cold != NULL && cold->last_clone != 0 && cold->last_clone + UINT64_C(30) * DAY > now);
	return 0;
}

uint64_t
doctor_clones(struct doctor *d)
{
	uint64_t clones = 0;
	struct fault fault = { 0 };

	clients_checkpoint(d->ctl);
	return ledger_each_client(d->ctl, add_clone, &clones, &fault) == KMS_OK ? clones : 0;
}

void
doctor_refused(struct doctor *d)
{
	struct refused r = { .now = (uint64_t)time(NULL) };
	struct fault fault = { 0 };

	r.since = r.now > DAY ? r.now - DAY : 0;
	if (ledger_each_client(d->ctl, add_refused, &r, &fault) == KMS_OK)
		tell_refused(d, &r);
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
	uint64_t refused = 0, n;
	unsigned silent = 0;
	const char *answer;

	while (d->running && (row = reply_next(&d->status, "front", row)) != NULL) {
		if (reply_number(row, "refused-connections", &n))
			refused += n;
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
