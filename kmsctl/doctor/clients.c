/*
 * clients.c - doctor's checks of what clients get: those that were refused within a day or are
 * held, connections that the fronts refused.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/doctor/doctor.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/address.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

#define DAY 86400

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
		memcpy(cause->cmid, c->cmid, sizeof(cause->cmid));
		snprintf(cause->name, sizeof(cause->name), "%s", cold->name);
	}
}

struct walk {
	struct doctor_clients *found;
	struct shares shares;
};

static int
add_client(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct walk *w = arg;
	struct doctor_clients *s = w->found;
	bool held = (c->flags & KMSDB_HELD) != 0;

	add_refused(s, c, cold);
	s->clones += held || (cold->last_clone != 0 && cold->last_clone + CLONE_AGE > s->now);
	if (held && cold->hold_end > s->now) {
		s->held++;
		memcpy(s->held_cmid, c->cmid, sizeof(s->held_cmid));
	}
	return shares_add(&w->shares, c, cold) != KMS_OK ? KMS_E_NO_MEMORY
							 : flocks_add(&s->flocks, c, cold);
}

/* One walk over all clients for the checks that ask about them; NULL: they cannot be read. */
static const struct doctor_clients *
look_at_clients(struct doctor *d)
{
	struct doctor_clients *s = &d->clients;
	struct walk w = { .found = s };
	struct fault fault = { 0 };

	if (!s->looked) {
		s->now = s->flocks.now = w.shares.now = (uint64_t)time(NULL);
		s->looked = true;
		s->read = ledger_each_client(d->ctl, add_client, &w, &fault) == KMS_OK &&
			  flocks_find(d->ctl, &s->flocks) == KMS_OK;
		s->share_count =
		    shares_find(&w.shares, &d->ctl->config.exempt, s->shares, DOCTOR_SHARES);
		flocks_free(&s->flocks);
		shares_free(&w.shares);
	}
	return s->read ? s : NULL;
}

uint64_t
doctor_clones(struct doctor *d)
{
	const struct doctor_clients *s = look_at_clients(d);

	return s != NULL ? s->clones : 0;
}

/* A name comes from the network, and what is shown here is typed in a shell. */
static void
why_command(char *out, size_t size, const struct doctor_cause *cause)
{
	char cmid[33];

	hex_format(cmid, cause->cmid, sizeof(cause->cmid));
	snprintf(out, size, "kmsctl why %s",
	    value_name_ok(cause->name, MESSAGE_NAME) ? cause->name : cmid);
}

void
doctor_refused(struct doctor *d)
{
	const struct doctor_clients *s = look_at_clients(d);
	char next[MESSAGE_NAME + 64];

	for (unsigned i = 0; s != NULL && i < s->cause_count; i++) {
		const struct doctor_cause *cause = &s->causes[i];
		const struct kms_error *e = kms_error_find(cause->status);

		why_command(next, sizeof(next), cause);
		doctor_find(d, "refused", cause->status == KMS_E_CAPACITY ? BAD : WARNING, next,
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
		doctor_find(d, "clone", GOOD, NULL, "no two machines use the same key in turn");
}

static void
forget_command(char *out, size_t size, const struct flock *f, const char *address)
{
	if (value_name_ok(f->name, MESSAGE_NAME))
		snprintf(
		    out, size, "kmsctl client forget --name %s --address %s", f->name, address);
	else
		snprintf(out, size, "kmsctl client forget --address %s", address);
}

void
doctor_flocks(struct doctor *d)
{
	const struct doctor_clients *s = look_at_clients(d);
	char next[2 * MESSAGE_NAME + 128], address[ADDRESS_TEXT];

	for (size_t i = 0; s != NULL && i < s->flocks.count; i++) {
		const struct flock *f = &s->flocks.at[i];

		forget_command(next, sizeof(next), f, address_text(address, f->address));
		doctor_find(d, "flock", WARNING, next,
		    "%" PRIu64
		    " seats of one product have the name \"%s\" and the address %s: a machine or container that does not keep its client state file takes a new seat at each start. Keep that file (kms.state(5)); to free the seats",
		    f->seats, f->name, address);
	}
	if (s != NULL && s->flocks.count == 0)
		doctor_find(d, "flock", GOOD, NULL, "no machine takes several seats of a product");
}

/* Does one machine take the licence for itself? */
void
doctor_shares(struct doctor *d)
{
	const struct doctor_clients *s = look_at_clients(d);
	char address[ADDRESS_SOURCE_TEXT], next[256];

	for (size_t i = 0; s != NULL && i < s->share_count; i++) {
		const struct share *share = &s->shares[i];

		address_source_text(address, share->address);
		snprintf(next, sizeof(next),
		    "kmsctl client forget --address %s, or name it in [limits] exempt if many machines share it",
		    address);
		doctor_find(d, "share", WARNING, next,
		    "%s made %" PRIu64 " of the %" PRIu64 " clients that pool %u counts", address,
		    share->clients, share->counted, share->pool);
	}
	if (s != NULL && s->share_count == 0)
		doctor_find(d, "share", GOOD, NULL, "no address made a large part of the clients");
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
