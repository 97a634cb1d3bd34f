/*
 * judge.c - what a host's authenticated answer means: catch up with a sequence
 * number, take a lease that passes every check, keep what it told, and say
 * whether another host may do better.
 */
#include "libkms/client/judge.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libkms/client/licence.h"
#include "libkms/client/stored.h"
#include "libkms/client/told.h"
#include "libkms/client/trust.h"
#include "libkms/client/witness.h"
#include "libkms/core/hash16.h"
#include "libkms/core/lease.h"
#include "libkms/kms_error.h"

/*
 * The host has a higher sequence number than we remember (a restored state file): go past it, once.
 * The challenge goes on disk with the number (converse.c): whoever uses that number proves that it
 * got this answer.
 */
static enum step
catch_up(struct dialogue *d, const struct message_reply *reply)
{
	struct secret *s = d->a->c->secret;
	int rc;

	if ((rc = told_sequence(reply->highest_sequence, s->sequence)) != KMS_OK)
		return dialogue_broken(d, rc, "sequence number");
	if (d->a->caught_up) {
		ask_note(
		    d->a, KMS_E_SEQUENCE, true, "%s: %s", d->t->peer, kms_strerror(KMS_E_SEQUENCE));
		return STEP_NEXT_HOST;
	}
	d->a->caught_up = true;
	s->sequence = reply->highest_sequence + 1;
	if (reply->challenge != NULL)
		memcpy(s->challenge, reply->challenge, sizeof(s->challenge));
	randombytes_buf(s->pending_id, sizeof(s->pending_id));
	s->pending_operation = d->a->operation;
	memcpy(d->a->request_id, s->pending_id, sizeof(d->a->request_id));
	return STEP_REQUEST;
}

/*
 * Is it about the names that this client told, and are those beside it the entry's? A host need not
 * record a user; it may not record another one.
 */
static int
check_names(struct kms_client *c, const struct message_reply *reply, const struct entry_client *e)
{
	struct aside told = { 0 };
	struct aside names;
	struct commitments own;
	int rc;

	hash16_salt(told.salt, c->secret->sk);
	memcpy(told.name, c->name, sizeof(told.name));
	memcpy(told.user, c->user, sizeof(told.user));
	aside_commit(&own, &told);
	sodium_memzero(&told, sizeof(told));
	if (memcmp(own.name, e->commitments.name, COMMITMENT) != 0 ||
	    (memcmp(own.user, e->commitments.user, COMMITMENT) != 0 &&
		!sodium_is_zero(e->commitments.user, COMMITMENT)))
		return KMS_E_LEASE_OTHER;
	rc = lease_names(&names, reply->bundle, reply->bundle_len, e);
	return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
}

/* A repeated request gets the lease of when it was first sent. */
static bool
timely(struct kms_client *c, const struct entry_client *e)
{
	return e->time + BATCH_SKEW >= c->secret->pending_time &&
	       e->time <= client_now(c) + BATCH_SKEW;
}

/*
 * Is the stored lease of another customer than this host is? Then the host says nothing about it.
 * *old: that lease. A host whose customer has a new name is the same host.
 */
static bool
lease_of_another(struct dialogue *d, struct entry_client *old)
{
	struct certificate stored;

	return client_stored(d->a->c, old, &stored) == KMS_OK &&
	       strcmp(stored.customer, d->cert.customer) != 0 &&
	       memcmp(stored.host_id, d->cert.host_id, sizeof(stored.host_id)) != 0;
}

/*
 * The new lease replaces the old one only if it is complete, for this client, request and product,
 * and not expired.
 */
static int
check_lease(struct dialogue *d, const struct message_reply *reply)
{
	struct kms_client *c = d->a->c;
	struct entry_client e, old;
	struct publisher_keys keys;
	int rc;

	if (reply->bundle == NULL)
		return KMS_E_NO_LEASE;
	if (reply->bundle_len > sizeof(c->state->bundle))
		return KMS_E_TOO_LARGE;
	trust_stored(&keys, c);
	rc =
	    trust_lease(&keys, &e, reply->bundle, reply->bundle_len, &d->cert, c->cmid, c->product);
	if (rc != KMS_OK)
		return rc;
	if (memcmp(e.request_id, d->a->request_id, sizeof(e.request_id)) != 0 ||
	    e.sequence != c->secret->sequence)
		return KMS_E_LEASE_OTHER;
	if (!timely(c, &e))
		return KMS_E_TIME_SKEW;
	if ((rc = check_names(c, reply, &e)) != KMS_OK || (rc = told_lease(&e)) != KMS_OK)
		return rc;
	if (client_now(c) >= e.expires)
		return KMS_E_LEASE_EXPIRED;
	if (lease_of_another(d, &old) && !told_replaces(client_now(c), e.expires, old.expires))
		return KMS_E_LEASE_OTHER;
	return KMS_OK;
}

/*
 * What the host signed in answer to this request testifies, also in a lease that is not kept.
 * Another lease of its does not: a thief of its exchange key could show an old one.
 */
static void
hear_witness(struct dialogue *d, const struct message_reply *reply)
{
	struct kms_client *c = d->a->c;
	uint8_t header[MESSAGE_HEADER_SIZE];
	struct batch_header batch;
	struct entry_client e;
	struct lease l;

	if (reply->bundle == NULL ||
	    lease_signed(&l, &batch, reply->bundle, reply->bundle_len, &d->cert) != KMS_OK ||
	    entry_client_decode(&e, l.entry, l.entry_len) != KMS_OK ||
	    memcmp(e.cmid, c->cmid, sizeof(e.cmid)) != 0 ||
	    memcmp(e.request_id, d->a->request_id, sizeof(e.request_id)) != 0 ||
	    e.sequence != c->secret->sequence)
		return;
	witness_header(header, &l);
	if (witness_lease(c->state, &d->cert, header, client_now(c)) != KMS_OK)
		d->a->result.warning = KMS_E_HISTORY;
}

static void
keep_lease(struct dialogue *d)
{
	struct state *s = d->a->c->state;

	memcpy(s->bundle, d->reply.bundle, d->reply.bundle_len);
	s->bundle_len = d->reply.bundle_len;
	memcpy(s->lease_certificate, s->certificate, s->certificate_len);
	s->lease_certificate_len = s->certificate_len;
}

static int
drop_lease(struct dialogue *d)
{
	struct state *s = d->a->c->state;
	struct entry_client old;

	if (lease_of_another(d, &old))
		return KMS_E_LEASE_OTHER;
	s->bundle_len = s->lease_certificate_len = 0;
	return KMS_OK;
}

/* These two ask for the same request again. */
static bool
is_put_off(const struct message_reply *reply)
{
	return reply->status == KMS_E_LEDGER || reply->status == KMS_E_OVERLOAD;
}

static bool
is_served(const struct message_reply *reply)
{
	return reply->status == KMS_OK || reply->status == KMS_E_COUNT_TOO_LOW;
}

/* Is it the host that counts this client without state, as far as is known? */
static bool
asks_its_host(const struct ask *a)
{
	return !a->c->has_served || discover_same(&a->c->served, &a->address_list[a->address]);
}

/*
 * Does a host count this client now? A refusal leaves it as it was before this call, and so does a
 * host that knows nothing of a seat that another one gave.
 */
static void
note_seat(struct ask *a, const struct message_reply *reply)
{
	struct kms_client *c = a->c;

	if (is_served(reply))
		c->seat = a->operation != MESSAGE_RELEASE;
	else
		c->seat =
		    a->had_seat && (reply->status != KMS_E_UNKNOWN_CLIENT || !asks_its_host(a));
	if (c->stateless && c->seat && is_served(reply)) {
		c->served = a->address_list[a->address];
		c->has_served = true;
	}
}

static void
remember(struct dialogue *d, const struct message_reply *reply)
{
	struct state *s = d->a->c->state;
	uint64_t now = client_now(d->a->c);

	if (!is_put_off(reply)) {
		d->a->c->secret->pending_operation = 0;
		d->a->c->secret->borrow_minutes = 0;
	}
	if (is_served(reply))
		sodium_memzero(d->a->c->secret->challenge, sizeof(d->a->c->secret->challenge));
	note_seat(d->a, reply);
	s->last_exchange = now;
	s->count = d->a->result.count = reply->count;
	s->required = d->a->result.required = reply->required;
	s->retry_after = d->a->result.retry_after = told_retry(reply->retry_after);
	s->activation_interval = told_interval(reply->activation_interval, s->activation_interval);
	s->renewal_interval = told_interval(reply->renewal_interval, s->renewal_interval);
	snprintf(s->host, sizeof(s->host), "%s", d->t->peer);
	/* A host that accepts our time also corrects a wrong latest time seen. */
	if (is_served(reply) && !licence_clock_back(now, reply->time) &&
	    !licence_clock_back(reply->time, now))
		s->highest_seen = now;
}

static void
note_skew(struct dialogue *d, const struct message_reply *reply)
{
	uint64_t now = client_now(d->a->c);
	bool behind = now < reply->time;
	uint64_t off = behind ? reply->time - now : now - reply->time;

	ask_note(d->a, reply->status, true,
	    "%s: this clock is %" PRIu64 " h %" PRIu64 " min %s the host's", d->t->peer, off / 3600,
	    off % 3600 / 60, behind ? "behind" : "ahead of");
}

/* The lease is kept all the same: a host that was honestly restored must be able to serve. */
static void
note_warning(struct dialogue *d)
{
	ask_note(d->a, KMS_OK, true, "%s: %s, but %s", d->t->peer, kms_strerror(KMS_OK),
	    kms_strerror(d->a->result.warning));
}

/*
 * What the answer says of this host's record, and of the requests that it was sent. A host that
 * dropped the batch of the lease of this very request challenges nobody.
 */
static void
hear_answer(struct dialogue *d, const struct message_reply *reply, bool first)
{
	struct kms_client *c = d->a->c;
	bool mine = reply->status == KMS_E_SEQUENCE && reply->challenge == NULL;

	if (reply->status == KMS_E_SEQUENCE && !mine)
		after_challenged(&c->secret->after, d->cert.host_id);
	else
		after_answered(&c->secret->after, d->cert.host_id, is_served(reply) || mine,
		    first && !is_put_off(reply));
	witness_answered(c->state, &d->cert, &d->witness, reply->show, client_now(c));
}

/* A success is one only when what came with it is good. */
static enum step
conclude(struct dialogue *d, int rc)
{
	bool release = d->a->operation == MESSAGE_RELEASE;
	uint32_t status = d->reply.status;

	if (status == KMS_OK && rc != KMS_OK) {
		ask_note(d->a, (uint32_t)rc, true, "%s: %s: %s", d->t->peer,
		    release ? "the lease is not from this host"
			    : "the lease from this host is not valid",
		    kms_strerror((uint32_t)rc));
		return STEP_NEXT_HOST;
	}
	ask_note(d->a, status, true, "%s: %s", d->t->peer, kms_strerror(status));
	if (status == KMS_E_TIME_SKEW)
		note_skew(d, &d->reply);
	if (status == KMS_OK && d->a->result.warning != 0)
		note_warning(d);
	return kms_error_find(status)->next == KMS_NEXT_HOST ? STEP_NEXT_HOST : STEP_FINAL;
}

enum step
judge_again(struct dialogue *d, bool fetched)
{
	int rc = fetched ? check_lease(d, &d->reply) : d->lease_rc;

	if (rc == KMS_OK)
		keep_lease(d);
	return conclude(d, rc);
}

static enum step
take_lease(struct dialogue *d)
{
	int rc;

	hear_witness(d, &d->reply);
	rc = check_lease(d, &d->reply);
	/* The host may have been confirmed again since the certificate was cached. */
	if ((rc == KMS_E_KEY_EXPIRED || rc == KMS_E_NOT_COVERED) && !d->a->refreshed) {
		d->judging = true;
		d->lease_rc = rc;
		return STEP_HELLO;
	}
	if (rc == KMS_OK)
		keep_lease(d);
	return conclude(d, rc);
}

enum step
judge_reply(struct dialogue *d)
{
	const struct message_reply *reply = &d->reply;
	int rc = told_status(reply->status);

	if (rc != KMS_OK)
		return dialogue_broken(d, rc, "status");
	hear_answer(d, reply, d->first);
	if (reply->status == KMS_E_SEQUENCE)
		return catch_up(d, reply);
	/* Nothing was recorded: what the host speaks now is in a newer statement. */
	if (reply->status == KMS_E_DOWNGRADE && !d->a->refreshed)
		return STEP_HELLO;
	remember(d, reply);
	if (reply->status == KMS_OK && d->a->operation != MESSAGE_RELEASE)
		return take_lease(d);
	return conclude(d, reply->status == KMS_OK ? drop_lease(d) : KMS_OK);
}

enum step
judge_settled(struct dialogue *d)
{
	if (is_put_off(&d->reply))
		return judge_reply(d);
	hear_answer(d, &d->reply, false);
	d->settled = true;
	return STEP_REQUEST;
}
