/*
 * host.c - doctor's checks of the running kmsd: is it running, its version, its keys, its counts,
 * its sandbox.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/doctor/doctor.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/serving.h"
#include "kmsd/common/alerts.h"
#include "libkms/kms_error.h"

#define DAY 86400

/* What clients did of late is in the ledger then. Who may not ask for it sees what is there. */
static void
bring_up_to_date(struct doctor *d)
{
	struct reply reply;

	ask_quietly(d->ctl, CONTROL_CHECKPOINT, NULL, &reply, NULL);
	reply_free(&reply);
}

void
doctor_service(struct doctor *d)
{
	const struct reply_row *row;
	const struct config_publisher *publisher;
	const char *version;
	uint64_t locked = 0;
	struct fault f = { 0 };
	int rc = ask_quietly(d->ctl, CONTROL_STATUS, NULL, &d->status, &f);

	d->running = rc == KMS_OK;
	d->denied = rc == KMS_E_DENIED;
	if (!d->running) {
		doctor_find(d, "service", BAD,
		    rc == KMS_E_NOT_RUNNING ? "systemctl start kmsd, then journalctl -u kmsd"
		    : rc == KMS_E_DENIED    ? "sudo kmsctl doctor"
					    : "journalctl -u kmsd",
		    "%s", f.text);
		return;
	}
	row = reply_next(&d->status, "service", NULL);
	reply_number(row, "locked", &locked);
	d->locked = locked != 0;
	bring_up_to_date(d);
	if (d->locked)
		doctor_find(d, "service", BAD, "kmsctl unlock", "the host's keys are locked");
	else if ((publisher = plan_unread(&d->status, &d->ctl->config)) != NULL)
		doctor_find(d, "service", BAD, "systemctl reload kmsd",
		    "kmsd is running, but has not read [publisher %s]", publisher->name);
	else
		doctor_find(d, "service", GOOD, NULL, "kmsd is running");
	version = reply_text(row, "version");
	if (version == NULL || strcmp(version, PACKAGE_VERSION) != 0)
		doctor_find(d, "version", BAD, "systemctl restart kmsd", "kmsd is %s, kmsctl is %s",
		    version != NULL ? version : "unknown", PACKAGE_VERSION);
	else
		doctor_find(d, "version", GOOD, NULL, "kmsd and kmsctl are %s", PACKAGE_VERSION);
}

/* A key that does not serve. This matters only when no other key of the publisher does. */
static void
look_at_idle_key(struct doctor *d, const struct reply_row *row, const char *publisher)
{
	uint64_t confirmed = 0;
	char next[128];

	reply_number(serving_publisher(&d->status, publisher), "confirmed", &confirmed);
	if (!confirmed) {
		doctor_find(d, "key", BAD, "kmsctl key request, then kmsctl key confirm",
		    "%s: this host is not confirmed", publisher);
		return;
	}
	snprintf(next, sizeof(next), "kmsctl key request %.36s, or kmsctl key remove %.36s",
	    reply_text(row, "id") ? reply_text(row, "id") : "",
	    reply_text(row, "id") ? reply_text(row, "id") : "");
	doctor_find(
	    d, "key", WARNING, next, "%s: this host is confirmed for another key", publisher);
}

static void
look_at_key(struct doctor *d, const struct reply_row *row)
{
	static const char ask[] = "ask the publisher for a new key, then kmsctl key install";
	const char *publisher = reply_text(row, "publisher"), *revoked;
	uint64_t confirmed = 0, not_before = 0, not_after = 0, now = (uint64_t)time(NULL);

	publisher = publisher != NULL ? publisher : "?";
	reply_number(row, "confirmed", &confirmed);
	reply_number(row, "not-before", &not_before);
	reply_number(row, "not-after", &not_after);
	if (!confirmed) {
		look_at_idle_key(d, row, publisher);
		return;
	}
	revoked = reply_text(serving_publisher(&d->status, publisher), "revoked");
	if (revoked != NULL)
		doctor_find(
		    d, "key", BAD, ask, "%s: revoked by the publisher: %s", publisher, revoked);
	else if (not_after != 0 && not_after <= now)
		doctor_find(d, "key", BAD, ask, "%s: the key has expired", publisher);
	else if (not_before > now)
		doctor_find(d, "key", BAD, "wait, or set the clock",
		    "%s: the key becomes valid in %" PRIu64 " hours", publisher,
		    (not_before - now) / 3600 + 1);
	else if (not_after != 0 && not_after - now < alerts_key_left(&d->ctl->config))
		doctor_find(d, "key", WARNING, ask, "%s: the key expires in %" PRIu64 " days",
		    publisher, (not_after - now) / DAY);
	else
		doctor_find(d, "key", GOOD, NULL, "%s: confirmed", publisher);
}

void
doctor_keys(struct doctor *d)
{
	const struct reply_row *row = NULL;
	struct reply reply;
	struct fault f = { 0 };
	unsigned keys = 0;

	if (!d->running || d->locked)
		return;
	if (ask_quietly(d->ctl, CONTROL_KEY_SHOW, NULL, &reply, &f) != KMS_OK) {
		doctor_find(d, "key", BAD, "journalctl -u kmsd", "%s", f.text);
	} else {
		while ((row = reply_next(&reply, "key", row)) != NULL && ++keys)
			look_at_key(d, row);
		if (keys == 0 && !doctor_only_relays(d))
			doctor_find(d, "key", BAD,
			    d->ctl->config.publisher_count > 0
				? "kmsctl key install FILE.kmskey"
				: "kmsctl setup FOLDER, with the files that the publisher sent",
			    "no host key is installed");
	}
	reply_free(&reply);
}

void
doctor_counts(struct doctor *d)
{
	const struct reply_row *row = NULL;
	unsigned products = 0;
	uint64_t clones;
	char next[160] = "more clients must contact this host";

	if (!d->running || d->locked)
		return;
	if ((clones = doctor_clones(d)) > 0)
		snprintf(next, sizeof(next),
		    "kmsctl clients --clones: %" PRIu64
		    " key%s used by several machines, which count as one",
		    clones, clones == 1 ? " is" : "s are");
	while ((row = reply_next(&d->status, "product", row)) != NULL) {
		uint64_t counted = 0, required = 0, covered = 1;
		const char *name = reply_text(row, "name");

		reply_number(row, "counted", &counted);
		reply_number(row, "required", &required);
		reply_number(row, "covered", &covered);
		products++;
		if (covered && counted < required)
			doctor_find(d, "count", WARNING, next,
			    "%s: %" PRIu64 " of %" PRIu64 " clients, %" PRIu64 " more needed",
			    name ? name : "?", counted, required, required - counted);
		else if (covered)
			doctor_find(d, "count", GOOD, NULL,
			    "%s: %" PRIu64 " of %" PRIu64 " clients", name ? name : "?", counted,
			    required);
	}
	if (products == 0 && !doctor_only_relays(d))
		doctor_find(d, "count", BAD,
		    d->ctl->config.publisher_count > 0
			? "kmsctl policy install FILE.kmspolicy"
			: "kmsctl setup FOLDER, with the files that the publisher sent",
		    "no policy pack is installed, so no product is known");
}

void
doctor_sandbox(struct doctor *d)
{
	const struct reply_row *row = NULL;
	const char *missing;
	unsigned any = 0;

	while (d->running && (row = reply_next(&d->status, "sandbox", row)) != NULL) {
		missing = reply_text(row, "missing");
		if (missing == NULL || missing[0] == '\0')
			continue;
		any++;
		doctor_find(d, "sandbox", WARNING, "journalctl -u kmsd KMS_EVENT=sandbox-missing",
		    "%s runs without %s", reply_text(row, "process"), missing);
	}
	if (d->running && any == 0)
		doctor_find(d, "sandbox", GOOD, NULL, "every layer is in force in every process");
}

/* What an administrator can do about each limit; for others it is [limits] in kms.ini(5). */
static const struct {
	const char *name, *next;
	enum level level;
} limits[] = {
	{ "disk_reserve", "free space on the disk of the state directory", BAD },
	{ "renewals_per_interval", "look for a program at that address that renews in a loop",
	    WARNING },
	{ "repeats", "look for a program at that address that repeats its requests", WARNING },
	{ "relayed", "look for a flood from that address", WARNING },
	{ NULL,
	    "name the network in [limits] exempt if many machines share the address, else look for a flood from it",
	    WARNING },
};

void
doctor_limits(struct doctor *d)
{
	const struct reply_row *row = NULL;
	uint64_t now = (uint64_t)time(NULL), refused, last;
	const char *name, *address;
	unsigned any = 0, i;

	while (d->running && (row = reply_next(&d->status, "limit", row)) != NULL) {
		if ((name = reply_text(row, "name")) == NULL ||
		    !reply_number(row, "refused", &refused) || !reply_number(row, "last", &last) ||
		    now - last > DAY)
			continue;
		address = reply_text(row, "address");
		for (i = 0; limits[i].name != NULL && strcmp(limits[i].name, name) != 0; i++)
			;
		any++;
		doctor_find(d, "limit", limits[i].level, limits[i].next,
		    "%s refused %" PRIu64 " requests, the last one from %s", name, refused,
		    address != NULL ? address : "?");
	}
	if (d->running && any == 0)
		doctor_find(d, "limit", GOOD, NULL, "no limit refused a request within a day");
}
