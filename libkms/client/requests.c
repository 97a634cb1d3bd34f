/*
 * requests.c - kms_activate, kms_renew, kms_release, and the same in steps, kms_start and kms_poll:
 * the request, what attempt.c makes of it, and the outcome put on disk.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libkms/base/clock.h"
#include "libkms/client/attempt.h"
#include "libkms/client/client.h"
#include "libkms/client/licence.h"
#include "libkms/client/stored.h"
#include "libkms/client/witness.h"
#include "libkms/core/batch.h"
#include "libkms/kms_error.h"

/*
 * Milliseconds: a process that only remembers the time has the lock no longer; how often to look.
 */
#define PATIENCE_MS 1000
#define LOOK_MS 10

_Static_assert((int)KMS_ACTIVATE == (int)MESSAGE_ACTIVATE && (int)KMS_RENEW == (int)MESSAGE_RENEW &&
		   (int)KMS_RELEASE == (int)MESSAGE_RELEASE,
    "as a request says them");

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

	if (s->pending_operation != a->operation || s->borrow_minutes != a->borrow ||
	    memcmp(s->pending_product, a->c->product, sizeof(s->pending_product)) != 0)
		return false;
	if (!sodium_is_zero(s->challenge, sizeof(s->challenge)))
		return true;
	return now >= s->pending_time && now - s->pending_time <= CLIENT_PENDING;
}

/*
 * A request that got no answer is sent again unchanged, so that the host answers for the same
 * seat; otherwise a new request is made. What sends it puts it on disk first (converse.c).
 */
static void
prepare(struct ask *a)
{
	struct kms_client *c = a->c;
	struct secret *s = c->secret;
	uint64_t now = client_now(c);

	if (!is_repeat(a, now)) {
		s->sequence++;
		s->pending_operation = a->operation;
		s->borrow_minutes = a->borrow;
		s->pending_time = now;
		memcpy(s->pending_product, c->product, sizeof(s->pending_product));
		randombytes_buf(s->pending_id, sizeof(s->pending_id));
	}
	memcpy(a->request_id, s->pending_id, sizeof(a->request_id));
	hear_stored(c);
	c->state->last_attempt = now;
	c->state->highest_seen = licence_time(now, c->state->highest_seen);
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

/* Takes the state file. False: it waits for another process. The outcome is in the fault. */
static bool
take_state(struct ask *a, struct fault *fault)
{
	int rc = client_begin(a->c, fault);

	if (rc == KMS_E_EXISTS && clock_ms() < a->lock_until) {
		wait_until(&a->wait, clock_ms() + LOOK_MS);
		return false;
	}
	if (rc == KMS_OK)
		prepare(a);
	fault->status = (uint32_t)rc;
	return true;
}

/* The request is over: its end goes on disk, and what became of it into a->result. */
static void
finish(struct ask *a, struct fault *fault)
{
	int rc = (int)fault->status;

	if (a->c->secret != NULL) {
		rc = conclude(a, fault);
		client_end(a->c);
	}
	if (rc == KMS_OK)
		return;
	a->from_host = false;
	ask_note(a, (uint32_t)rc, false, "%s", fault_text(fault, rc));
}

/* As far as it goes now. True: it is over. False: a->wait says what it waits for. */
static bool
go_on(struct ask *a)
{
	struct fault fault = { 0 };

	if (a->phase == ASK_LOCK) {
		if (!take_state(a, &fault))
			return false;
		a->phase = fault.status == KMS_OK ? ASK_AGAIN : ASK_DONE;
	}
	if (!attempt_step(a))
		return false;
	finish(a, &fault);
	return true;
}

static struct ask *
begin(struct kms_client *c, uint8_t operation, uint32_t borrow, uint32_t total_timeout)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->c = c;
	a->operation = operation;
	a->borrow = borrow;
	a->had_seat = c->seat;
	a->t.fd = -1;
	a->deadline = clock_ms() + total_timeout;
	a->lock_until = transport_sooner(a->deadline, clock_ms() + PATIENCE_MS);
	wait_until(&a->wait, clock_ms());
	c->owner = getpid();
	ask_note(a, KMS_E_NO_HOST, false, "no host was tried");
	return a;
}

/* What a call says without having asked. */
static int
refuse(struct kms_result *result, int rc, const char *detail)
{
	struct kms_result full = { .status = (uint32_t)rc };

	snprintf(full.detail, sizeof(full.detail), "%s", detail);
	if (result != NULL)
		client_give(result, &full, sizeof(full));
	return rc;
}

static int
end(struct ask *a, struct kms_result *result)
{
	int rc = (int)a->result.status;

	if (result != NULL)
		client_give(result, &a->result, sizeof(a->result));
	free(a);
	return rc;
}

static int
ask_within(struct kms_client *c, uint8_t operation, uint32_t borrow, struct kms_result *result,
    uint32_t total_timeout)
{
	struct ask *a;

	if (c->ask != NULL)
		return refuse(
		    result, KMS_E_EXISTS, "this client object is already waiting for an answer");
	if ((a = begin(c, operation, borrow, total_timeout)) == NULL)
		return refuse(result, KMS_E_NO_MEMORY, kms_strerror(KMS_E_NO_MEMORY));
	while (!go_on(a))
		wait_block(&a->wait);
	return end(a, result);
}

static bool
fits(const struct kms_client *c, const struct kms_result *result)
{
	return c != NULL && (result == NULL || result->size >= sizeof(result->size));
}

static int
ask(struct kms_client *c, uint8_t operation, struct kms_result *result)
{
	return fits(c, result) ? ask_within(c, operation, 0, result, c->total_timeout)
			       : KMS_E_ARGUMENT;
}

/* A child that a process forked after it asked has its parent's object, and not its seat. */
void
client_give_back(struct kms_client *c)
{
	if (c->owner == getpid())
		(void)ask_within(c, MESSAGE_RELEASE, 0, NULL, c->close_timeout);
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

int
kms_borrow(struct kms_client *c, uint32_t minutes, struct kms_result *result)
{
	return fits(c, result) && minutes > 0
		   ? ask_within(c, MESSAGE_ACTIVATE, minutes, result, c->total_timeout)
		   : KMS_E_ARGUMENT;
}

static int
start(struct kms_client *c, uint8_t operation, uint32_t borrow)
{
	if (c->ask != NULL)
		return KMS_E_EXISTS;
	if ((c->ask = begin(c, operation, borrow, c->total_timeout)) == NULL)
		return KMS_E_NO_MEMORY;
	watch_set(c->watch, &c->ask->wait);
	return KMS_OK;
}

int
kms_start(struct kms_client *c, enum kms_operation operation)
{
	if (c == NULL || operation < KMS_ACTIVATE || operation > KMS_RELEASE)
		return KMS_E_ARGUMENT;
	return start(c, (uint8_t)operation, 0);
}

int
kms_start_borrow(struct kms_client *c, uint32_t minutes)
{
	return c != NULL && minutes > 0 ? start(c, MESSAGE_ACTIVATE, minutes) : KMS_E_ARGUMENT;
}

int
kms_poll(struct kms_client *c, struct kms_result *result)
{
	struct ask *a;

	if (!fits(c, result) || c->ask == NULL)
		return KMS_E_ARGUMENT;
	watch_clear(c->watch);
	if (!go_on(c->ask)) {
		watch_set(c->watch, &c->ask->wait);
		return KMS_E_PENDING;
	}
	a = c->ask;
	c->ask = NULL;
	return end(a, result);
}

int
kms_fd(struct kms_client *c)
{
	if (c == NULL)
		return -1;
	if (c->watch == NULL && (c->watch = watch_open()) != NULL && c->ask != NULL)
		watch_set(c->watch, &c->ask->wait);
	return c->watch == NULL ? -1 : watch_fd(c->watch);
}

/*
 * A child that was forked meanwhile has copies of the descriptors, and the request is its parent's:
 * it leaves the set of them, the state file and the lock as they are.
 */
void
kms_cancel(struct kms_client *c)
{
	struct fault fault = { 0 };
	bool own;

	if (c == NULL || c->ask == NULL)
		return;
	own = c->owner == getpid();
	if (own)
		watch_clear(c->watch);
	attempt_end(c->ask);
	if (own)
		finish(c->ask, &fault);
	else if (c->secret != NULL)
		client_end(c);
	free(c->ask);
	c->ask = NULL;
}
