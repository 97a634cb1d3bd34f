/*
 * requests.c - kms_activate, kms_renew and kms_release: the request put on disk, the
 * hosts tried one after the other, and the outcome put on disk again.
 */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/client/client.h"
#include "libkms/client/converse.h"
#include "libkms/client/hosts.h"
#include "libkms/client/licence.h"
#include "libkms/client/stored.h"
#include "libkms/client/transport.h"
#include "libkms/client/witness.h"
#include "libkms/core/batch.h"
#include "libkms/kms_error.h"

/* The lease that is kept testifies too, also one of before this library kept hosts. */
static void
hear_stored(struct kms_client *c)
{
	uint8_t header[MESSAGE_HEADER_SIZE];
	struct batch_header batch;
	struct certificate cert;
	struct entry_client e;
	struct lease l;

	/* Nearly always the host is known, and no signature need be looked at. */
	if (lease_decode(&l, c->state->bundle, c->state->bundle_len) != KMS_OK ||
	    batch_header_decode(&batch, l.header) != KMS_OK ||
	    witness_knows(c->state, batch.host_id) || client_stored(c, &e, &cert) != KMS_OK)
		return;
	witness_header(header, &l);
	(void)witness_lease(c->state, &cert, header, client_now(c));
}

/*
 * Is this the request that got no answer? After an hour a new one may be made, but not while it
 * echoes a challenge: the answer that was lost may have used that up, and a new request with it
 * would look like a second holder of the key.
 */
static bool
is_repeat(const struct ask *a, uint64_t now)
{
	const struct secret *s = a->c->secret;

	if (s->pending_operation != a->operation ||
	    memcmp(s->pending_product, a->c->product, sizeof(s->pending_product)) != 0)
		return false;
	if (!sodium_is_zero(s->challenge, sizeof(s->challenge)))
		return true;
	return now >= s->pending_time && now - s->pending_time <= CLIENT_PENDING;
}

/*
 * A request that got no answer is sent again unchanged, so that the host answers for the same
 * seat; otherwise a new request is made. It is on disk before it is sent.
 */
static int
prepare(struct ask *a, struct fault *fault)
{
	struct kms_client *c = a->c;
	struct secret *s = c->secret;
	uint64_t now = client_now(c);
	bool repeat = is_repeat(a, now);

	if (!repeat) {
		s->sequence++;
		s->pending_operation = a->operation;
		s->pending_time = now;
		memcpy(s->pending_product, c->product, sizeof(s->pending_product));
		randombytes_buf(s->pending_id, sizeof(s->pending_id));
	}
	memcpy(a->request_id, s->pending_id, sizeof(a->request_id));
	hear_stored(c);
	c->state->last_attempt = now;
	c->state->highest_seen = licence_time(now, c->state->highest_seen);
	return repeat ? KMS_OK : state_save_secret(c->file, fault);
}

/* The outcome before "nothing is pending": a crash between the two repeats the same request. */
static int
conclude(struct ask *a, struct fault *fault)
{
	struct kms_client *c = a->c;
	int rc;

	c->state->last_status = a->result.status;
	if ((rc = state_save(c->file, fault)) != KMS_OK || c->secret->pending_operation != 0)
		return rc;
	return state_save_secret(c->file, fault);
}

/*
 * Every address gets a share of the host's time, so that a dead first address leaves time for the
 * others.
 */
static bool
try_addresses(struct ask *a, const struct discover_address *at, size_t count)
{
	int64_t until = transport_sooner(a->deadline, clock_ms() + a->c->connect_timeout);
	struct transport t = { .fd = -1 };
	bool final = false;
	size_t i;

	for (i = 0; i < count && !final; i++) {
		int64_t now = clock_ms(), share = (until - now) / (int64_t)(count - i);
		int rc = transport_connect(
		    &t, (const struct sockaddr *)&at[i].to, at[i].len, now + share);

		snprintf(a->result.host, sizeof(a->result.host), "%s", t.peer);
		if (rc != KMS_OK) {
			ask_note(a, KMS_E_NO_HOST, false, "%s: %s", t.peer,
			    rc == KMS_E_TIMEOUT ? "no connection in time" : strerror(errno));
			continue;
		}
		a->refreshed = a->caught_up = false;
		final = converse(a, &t);
		transport_close(&t);
		until = transport_sooner(a->deadline, clock_ms() + a->c->connect_timeout);
	}
	return final;
}

static void
try_hosts(struct ask *a)
{
	struct discover d;
	struct discover_host hosts[DISCOVER_HOSTS];
	struct discover_address at[DISCOVER_ADDRESSES];
	size_t i, count, addresses;
	int rc = client_hosts(a->c, &d, a->deadline, hosts, &count);

	if (rc != KMS_OK) {
		ask_note(a, (uint32_t)rc, false, "%s", d.detail);
		return;
	}
	for (i = 0; i < count; i++) {
		if (clock_ms() >= a->deadline) {
			ask_note(a, KMS_E_TIMEOUT, false, "out of time after %zu of %zu hosts", i,
			    count);
			return;
		}
		rc = discover_addresses(&d, &hosts[i], at, &addresses);
		if (rc != KMS_OK) {
			snprintf(a->result.host, sizeof(a->result.host), "%.240s port %u",
			    hosts[i].name, hosts[i].port);
			ask_note(a, (uint32_t)rc, false, "%s", d.detail);
		} else if (try_addresses(a, at, addresses)) {
			return;
		}
	}
}

static int
ask(struct kms_client *c, uint8_t operation, struct kms_result *result)
{
	struct ask a = { .c = c, .operation = operation };
	struct fault fault = { 0 };
	int rc;

	if (c == NULL || (result != NULL && result->size < sizeof(result->size)))
		return KMS_E_ARGUMENT;
	a.deadline = clock_ms() + c->total_timeout;
	ask_note(&a, KMS_E_NO_HOST, false, "no host was tried");
	rc = client_begin(c, &fault);
	if (rc == KMS_OK && (rc = prepare(&a, &fault)) == KMS_OK) {
		try_hosts(&a);
		rc = conclude(&a, &fault);
	}
	client_end(c);
	if (rc != KMS_OK) {
		a.from_host = false;
		ask_note(&a, (uint32_t)rc, false, "%s", fault_text(&fault, rc));
	}
	if (result != NULL)
		client_give(result, &a.result, sizeof(a.result));
	return (int)a.result.status;
}

int
kms_activate(struct kms_client *c, struct kms_result *result)
{
	return ask(c, MESSAGE_ACTIVATE, result);
}

int
kms_renew(struct kms_client *c, struct kms_result *result)
{
	return ask(c, MESSAGE_RENEW, result);
}

int
kms_release(struct kms_client *c, struct kms_result *result)
{
	return ask(c, MESSAGE_RELEASE, result);
}
