/*
 * dialogue.c - see dialogue.h. Nothing a host says counts before it is verified.
 */
#include "libkms/client/dialogue.h"

#include <errno.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/client/licence.h"
#include "libkms/client/told.h"
#include "libkms/client/trust.h"
#include "libkms/core/message.h"
#include "libkms/kms_error.h"
#include "libkms/os/error_text.h"

/* What a host may say in the clear. Anybody on the way could have sent it. */
static const uint32_t clear_statuses[] = {
	KMS_E_NOT_ENABLED,
	KMS_E_NOT_CONFIRMED,
	KMS_E_KEY_INVALID,
	KMS_E_KEY_EXPIRED,
	KMS_E_OVERLOAD,
	KMS_E_LEDGER,
	KMS_E_UNKNOWN_HOST,
	KMS_E_BAD_VERSION,
	KMS_E_BAD_FRAME,
	KMS_E_BAD_SEAL,
	KMS_E_TOO_LARGE,
	KMS_E_LOCKED,
	KMS_E_UNKNOWN_KEY,
};

bool
dialogue_among(const uint32_t *list, size_t count, uint32_t status)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (list[i] == status)
			return true;
	return false;
}

enum step
dialogue_broken(struct dialogue *d, int rc, const char *what)
{
	ask_note(
	    d->a, (uint32_t)rc, false, "%s: %s: %s", d->t->peer, what, kms_strerror((uint32_t)rc));
	return STEP_NEXT_HOST;
}

/*
 * For a product, a host that closes the connection is unreachable; the detail says what happened.
 */
static enum step
broken_wire(struct dialogue *d, int rc, const char *what)
{
	if (rc != KMS_E_TRUNCATED && rc != KMS_E_IO)
		return dialogue_broken(d, rc, what);
	ask_note(d->a, KMS_E_NO_HOST, false, "%s: %s: %s", d->t->peer, what,
	    rc == KMS_E_IO ? os_error_text(errno) : "the host closed the connection");
	return STEP_NEXT_HOST;
}

/* Anybody could have sent this: it may bring the next attempt forward, but never delay it. */
static void
keep_retry(struct state *s, uint32_t seconds)
{
	uint32_t minutes =
	    s->activation_interval ? s->activation_interval : LICENCE_ACTIVATION_INTERVAL;

	s->retry_after = seconds / 60 < minutes ? seconds : 0;
}

/*
 * An ERROR frame. STEP_HELLO only when what is cached belongs to another host, or its exchange key
 * has ended.
 */
static enum step
clear_error(struct dialogue *d)
{
	struct frame_error e;
	int rc = frame_error_decode(&e, d->frame + FRAME_HEADER, d->frame_len - FRAME_HEADER);

	if (rc != KMS_OK || !DIALOGUE_AMONG(clear_statuses, e.status))
		return dialogue_broken(d, KMS_E_BAD_FRAME, "error frame");
	if ((e.status == KMS_E_UNKNOWN_HOST || e.status == KMS_E_UNKNOWN_KEY) && !d->a->refreshed)
		return STEP_HELLO;
	d->a->result.retry_after = told_retry(e.retry_after);
	keep_retry(d->a->c->state, d->a->result.retry_after);
	ask_note(d->a, e.status, true, "%s: %s", d->t->peer, kms_strerror(e.status));
	return STEP_NEXT_HOST;
}

enum step
dialogue_say(struct dialogue *d, enum frame_type asked)
{
	d->asked = asked;
	d->sending = true;
	d->done = 0;
	d->until = transport_sooner(d->a->deadline, clock_ms() + d->a->c->reply_timeout);
	return STEP_WAIT;
}

/* As transport_read. */
static int
exchange_step(struct dialogue *d)
{
	int rc;

	if (d->sending) {
		rc = transport_write(d->t, d->frame, d->frame_len, &d->done);
		/* A host that refuses and closes may have answered before our send failed. */
		if (rc != KMS_OK && rc != KMS_E_IO)
			return rc;
		d->sending = false;
		d->done = 0;
	}
	return transport_read(d->t, d->frame, sizeof(d->frame), &d->done);
}

enum step
dialogue_hear(struct dialogue *d, enum frame_type want, const char *what, struct wait *w)
{
	int rc = exchange_step(d);
	struct frame f;

	if (rc == TRANSPORT_WAIT && clock_ms() < d->until) {
		wait_until(w, d->until);
		wait_fd(w, d->t->fd, d->t->events);
		return STEP_WAIT;
	}
	if (rc == TRANSPORT_WAIT)
		rc = KMS_E_TIMEOUT;
	if (rc != KMS_OK)
		return broken_wire(d, rc, what);
	d->frame_len = d->done;
	rc = frame_decode(&f, d->frame, FRAME_MAX_REPLY);
	if (rc == KMS_OK && f.type == FRAME_ERROR)
		return clear_error(d);
	if (rc != KMS_OK || f.type != want)
		return dialogue_broken(d, KMS_E_BAD_FRAME, what);
	return STEP_FINAL;
}

int
dialogue_use(struct dialogue *d, const uint8_t *certificate, size_t len, const uint8_t *statement)
{
	struct kms_client *c = d->a->c;
	uint64_t now = client_now(c);
	struct publisher_keys keys;
	int rc;

	trust_stored(&keys, c);
	if ((rc = trust_certificate(&keys, &d->cert, certificate, len, now)) != KMS_OK ||
	    (rc = client_pinned(c, &d->cert)) != KMS_OK ||
	    (rc = exchange_verify(&d->exchange, statement, EXCHANGE_SIZE, d->cert.sign_pk)) !=
		KMS_OK ||
	    (rc = exchange_usable(&d->exchange, now)) != KMS_OK)
		return rc;
	return seal_client_keys(&d->keys, c->state->pk, c->secret->sk, d->exchange.pk);
}

enum step
dialogue_say_hello(struct dialogue *d)
{
	struct message_hello m;
	size_t n;

	d->a->refreshed = true;
	memcpy(m.publisher, d->a->c->publisher.id, sizeof(m.publisher));
	n = message_hello_encode(d->frame + FRAME_HEADER, FRAME_MAX_REQUEST, &m);
	frame_encode(d->frame, FRAME_HELLO, (uint32_t)n);
	d->frame_len = FRAME_HEADER + n;
	return dialogue_say(d, FRAME_HELLO);
}

enum step
dialogue_hear_hello(struct dialogue *d, struct wait *w)
{
	enum step step = dialogue_hear(d, FRAME_HELLO_REPLY, "HELLO", w);
	struct state *s = d->a->c->state;
	struct message_hello_reply reply;
	int rc;

	if (step != STEP_FINAL)
		return step;
	rc = message_hello_reply_decode(
	    &reply, d->frame + FRAME_HEADER, d->frame_len - FRAME_HEADER);
	if (rc == KMS_OK && reply.certificate_len > sizeof(s->certificate))
		rc = KMS_E_TOO_LARGE;
	if (rc == KMS_OK)
		trust_remember(d->a->c, reply.rotations, reply.rotation_count);
	if (rc == KMS_OK)
		rc = dialogue_use(d, reply.certificate, reply.certificate_len, reply.exchange);
	if (rc != KMS_OK)
		return dialogue_broken(d, rc, "host certificate or exchange key");
	memcpy(s->certificate, reply.certificate, reply.certificate_len);
	s->certificate_len = reply.certificate_len;
	memcpy(s->statement, reply.exchange, EXCHANGE_SIZE);
	s->has_statement = true;
	return STEP_FINAL;
}
