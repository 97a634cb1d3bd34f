/*
 * converse.c - the dialogue with one host on one connection: HELLO when its
 * certificate is not known yet, then the sealed request, once more when the
 * sequence number was behind. Nothing a host says counts before it is verified.
 */
#include "libkms/client/converse.h"

#include <sodium.h>
#include <string.h>

#include "libkms/client/dialogue.h"
#include "libkms/client/judge.h"
#include "libkms/client/licence.h"
#include "libkms/client/machine.h"
#include "libkms/client/stored.h"
#include "libkms/client/transport.h"
#include "libkms/core/hash16.h"
#include "libkms/core/message.h"
#include "libkms/kms_error.h"

/*
 * Which machine this is, to a host whose policy binds leases for this product to it; NULL: it has
 * no id.
 */
static const uint8_t *
binding(const uint8_t product[16], uint8_t out[MESSAGE_BINDING_SIZE])
{
	char id[MACHINE_ID + 1];

	if (!machine_id(id, ""))
		return NULL;
	hash16(out, "KMS bind v1",
	    (const struct hash16_part[]){ { product, 16 }, { (const uint8_t *)id, MACHINE_ID } },
	    2);
	return out;
}

/* What a request borrows while it is encoded. */
struct claims {
	uint8_t bound[MESSAGE_BINDING_SIZE];
	uint8_t after[16 * MESSAGE_AFTER_MAX];
};

/*
 * What this client says of itself and of this host. Of another host's record, and of what it sent
 * to another, it says nothing. A challenge is echoed until a request was served (judge.c), so that
 * a number raised because of it is never used without its proof.
 */
static void
add_claims(struct dialogue *d, struct message_request *m, struct claims *own)
{
	struct kms_client *c = d->a->c;

	witness_for(&d->witness, c->state, &d->cert);
	if (d->witness.number != 0)
		m->witness = d->witness.text;
	if (d->witness.shown)
		m->header = d->witness.header;
	if (!sodium_is_zero(c->secret->challenge, sizeof(c->secret->challenge)))
		m->echo = c->secret->challenge;
	m->binding = binding(m->product, own->bound);
	m->after_count = after_say(&c->secret->after, d->cert.host_id, m->request_id, own->after);
	m->after = m->after_count > 0 ? own->after : NULL;
}

static size_t
request_text(struct dialogue *d, const struct asked *q, uint8_t *out, size_t size)
{
	struct kms_client *c = d->a->c;
	struct message_request m = { .operation = q->operation };
	struct claims own;
	size_t len;
	struct licence_facts f;
	struct certificate cert;

	client_facts(c, &f, &cert, client_now(c));
	m.grace_minutes = licence_grace_left(&f);
	m.state = (uint8_t)licence_state(&f);
	m.flags = (uint16_t)((c->virtual_machine ? MESSAGE_VM : 0) |
			     (c->stateless ? MESSAGE_STATELESS : 0));
	memcpy(m.request_id, q->id, sizeof(m.request_id));
	m.time = client_now(c);
	m.sequence = q->sequence;
	memcpy(m.product, q->product, sizeof(m.product));
	memcpy(m.name, c->name, sizeof(m.name));
	memcpy(m.user, c->user, sizeof(m.user));
	hash16_salt(m.salt, c->secret->sk);
	m.highest_version = FRAME_VERSION;
	/*
	 * An earlier request that is sent again to settle what its host served borrows nothing:
	 * whoever asked for that waits no longer, and its lease is not kept. A repeat is known by
	 * number and id alone.
	 */
	m.borrow = d->settling ? 0 : d->a->borrow;
	add_claims(d, &m, &own);
	len = message_request_encode(out, size, &m);
	sodium_memzero(&m, sizeof(m));
	return len;
}

/*
 * Sealed for us, but in answer to which request? Another request id means a replay; no id means
 * that the host could not read the request.
 */
static bool
answers(const struct asked *q, const struct message_reply *reply)
{
	if (reply->status == KMS_E_BAD_REQUEST &&
	    sodium_is_zero(reply->request_id, sizeof(reply->request_id)))
		return true;
	return memcmp(reply->request_id, q->id, sizeof(reply->request_id)) == 0;
}

static enum step
send_request(struct dialogue *d)
{
	d->text_len = request_text(d, &d->q, d->text, sizeof(d->text));
	d->frame_len = seal_request(d->frame, sizeof(d->frame), &d->keys, d->cert.host_id,
	    d->exchange.key_id, d->a->c->state->pk, NULL, d->text, d->text_len);
	if (d->text_len == 0 || d->frame_len == 0)
		return dialogue_broken(d, KMS_E_TOO_LARGE, "request");
	/* From now on a host may count this client, whatever becomes of its answer. */
	d->a->c->seat = d->a->c->seat || d->a->operation != MESSAGE_RELEASE;
	return dialogue_say(d, FRAME_REQUEST);
}

/*
 * The request is on disk before it is sent, with the hosts that it was sent to: after a crash, too,
 * the host may have served it. One that is not new to its host is there already. One that was never
 * sent is nowhere, and its number is free.
 */
static int
keep_sent(struct dialogue *d)
{
	struct kms_client *c = d->a->c;
	struct fault fault = { 0 };
	int rc;

	d->first = after_sending(&c->secret->after, d->cert.host_id, &d->q, client_now(c));
	if (!d->first || (rc = state_save_secret(c->file, &fault)) == KMS_OK)
		return KMS_OK;
	ask_note(d->a, (uint32_t)rc, false, "%s", fault_text(&fault, rc));
	return rc;
}

/*
 * Were so many requests sent without an answer of this host that this one could push away the one
 * that it served? Then *newest is sent again first: its answer says which it was, and no more. With
 * an echo the host needs to know nothing else.
 */
static bool
must_settle(struct dialogue *d, struct asked *newest)
{
	struct secret *s = d->a->c->secret;
	bool settled = d->settled;

	d->settled = false;
	return !settled && sodium_is_zero(s->challenge, sizeof(s->challenge)) &&
	       after_unsettled(&s->after, d->cert.host_id, d->q.id, newest);
}

static enum step
say_request(struct dialogue *d)
{
	struct kms_client *c = d->a->c;
	struct asked newest;

	d->q = (struct asked){
		.operation = d->a->operation,
		.sequence = c->secret->sequence,
	};
	memcpy(d->q.id, d->a->request_id, sizeof(d->q.id));
	memcpy(d->q.product, c->product, sizeof(d->q.product));
	if ((d->settling = must_settle(d, &newest))) {
		d->first = false;
		d->q = newest;
	} else if (keep_sent(d) != KMS_OK) {
		return STEP_FINAL;
	}
	return send_request(d);
}

static enum step
hear_reply(struct dialogue *d, struct wait *w)
{
	enum step step = dialogue_hear(d, FRAME_REPLY, "request", w);
	int rc;

	if (step == STEP_HELLO) /* UNKNOWN_HOST, UNKNOWN_KEY: most likely it got to another */
		after_answered(&d->a->c->secret->after, d->cert.host_id, false, d->first);
	if (step != STEP_FINAL)
		return step;
	rc = seal_open_reply(
	    d->text, sizeof(d->text), &d->text_len, &d->keys, d->frame, d->frame_len);
	if (rc == KMS_OK)
		rc = message_reply_decode(&d->reply, d->text, d->text_len);
	if (rc == KMS_E_SCHEMA) /* a flag or critical TLV of a later version */
		rc = KMS_E_BAD_VERSION;
	if (rc == KMS_OK && !answers(&d->q, &d->reply))
		rc = KMS_E_BAD_SEAL;
	if (rc != KMS_OK)
		return dialogue_broken(d, rc, "reply");
	return d->settling ? judge_settled(d) : judge_reply(d);
}

/*
 * A host to seal for: its certificate signed by the publisher and not expired, its exchange key
 * neither replaced nor kept while our clock was ahead. Otherwise the host may have newer ones.
 */
static bool
have_host(struct dialogue *d)
{
	const struct state *s = d->a->c->state;
	uint64_t now = client_now(d->a->c);

	return s->certificate_len > 0 && s->has_statement &&
	       dialogue_use(d, s->certificate, s->certificate_len, s->statement) == KMS_OK &&
	       now >= d->cert.not_before && now <= d->cert.not_after && now <= d->exchange.until;
}

struct dialogue *
converse_begin(struct ask *a, struct transport *t)
{
	struct dialogue *d = sodium_malloc(sizeof(*d));

	if (d == NULL)
		return NULL;
	sodium_memzero(d, sizeof(*d));
	d->a = a;
	d->t = t;
	return d;
}

void
converse_end(struct dialogue *d)
{
	sodium_free(d);
}

static enum step
hear(struct dialogue *d, struct wait *w)
{
	enum step step;

	if (d->asked == FRAME_REQUEST)
		return hear_reply(d, w);
	if ((step = dialogue_hear_hello(d, w)) == STEP_WAIT)
		return step;
	if (d->judging)
		return judge_again(d, step == STEP_FINAL);
	return step == STEP_FINAL ? STEP_REQUEST : step;
}

enum step
converse_step(struct dialogue *d, struct wait *w)
{
	enum step step = d->asked != 0 ? hear(d, w) : have_host(d) ? STEP_REQUEST : STEP_HELLO;

	/* This ends: a host is asked for a HELLO, and caught up with, at most once each. */
	while (step == STEP_REQUEST || step == STEP_HELLO) {
		step = step == STEP_HELLO ? dialogue_say_hello(d) : say_request(d);
		if (step == STEP_WAIT)
			step = hear(d, w);
	}
	return step;
}
