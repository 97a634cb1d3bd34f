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

/* Which machine this is, to a host whose policy binds leases to it; NULL: it has no id. */
static const uint8_t *
binding(const struct kms_client *c, uint8_t out[MESSAGE_BINDING_SIZE])
{
	char id[MACHINE_ID + 1];

	if (!machine_id(id, ""))
		return NULL;
	hash16(out, "KMS bind v1",
	    (const struct hash16_part[]){
		{ c->product, sizeof(c->product) }, { (const uint8_t *)id, MACHINE_ID } },
	    2);
	return out;
}

/*
 * What this client says of itself and of this host. Of another host's record it says nothing. A
 * challenge is echoed until a request was served (judge.c), so that a number raised because of it
 * is never used without its proof.
 */
static void
add_claims(struct dialogue *d, struct message_request *m, uint8_t bound[MESSAGE_BINDING_SIZE])
{
	struct kms_client *c = d->a->c;

	witness_for(&d->witness, c->state, &d->cert);
	if (d->witness.number != 0)
		m->witness = d->witness.text;
	if (d->witness.shown)
		m->header = d->witness.header;
	if (!sodium_is_zero(c->secret->challenge, sizeof(c->secret->challenge)))
		m->echo = c->secret->challenge;
	m->binding = binding(c, bound);
}

static size_t
request_text(struct dialogue *d, uint8_t *out, size_t size)
{
	struct kms_client *c = d->a->c;
	struct message_request m = { .operation = d->a->operation };
	uint8_t bound[MESSAGE_BINDING_SIZE];
	size_t len;
	struct licence_facts f;
	struct certificate cert;

	client_facts(c, &f, &cert, client_now(c));
	m.grace_minutes = licence_grace_left(&f);
	m.state = (uint8_t)licence_state(&f);
	m.flags = c->virtual_machine ? MESSAGE_VM : 0;
	memcpy(m.request_id, d->a->request_id, sizeof(m.request_id));
	m.time = client_now(c);
	m.sequence = c->secret->sequence;
	memcpy(m.product, c->product, sizeof(m.product));
	memcpy(m.name, c->name, sizeof(m.name));
	hash16_salt(m.salt, c->secret->sk);
	m.highest_version = FRAME_VERSION;
	add_claims(d, &m, bound);
	len = message_request_encode(out, size, &m);
	sodium_memzero(&m, sizeof(m));
	return len;
}

/*
 * Sealed for us, but in answer to which request? Another request id means a replay; no id means
 * that the host could not read the request.
 */
static bool
answers(const struct dialogue *d, const struct message_reply *reply)
{
	if (reply->status == KMS_E_BAD_REQUEST &&
	    sodium_is_zero(reply->request_id, sizeof(reply->request_id)))
		return true;
	return memcmp(reply->request_id, d->a->request_id, sizeof(reply->request_id)) == 0;
}

/* One sealed request and its answer. */
static enum step
request(struct dialogue *d)
{
	struct message_reply reply;
	enum step step;
	int rc;

	d->text_len = request_text(d, d->text, sizeof(d->text));
	d->frame_len = seal_request(d->frame, sizeof(d->frame), &d->keys, d->cert.host_id,
	    d->exchange.key_id, d->a->c->state->pk, NULL, d->text, d->text_len);
	if (d->text_len == 0 || d->frame_len == 0)
		return dialogue_broken(d, KMS_E_TOO_LARGE, "request");
	step = dialogue_roundtrip(d, FRAME_REPLY, "request");
	if (step == STEP_AGAIN) /* UNKNOWN_HOST, UNKNOWN_KEY */
		return (step = dialogue_hello(d)) == STEP_FINAL ? STEP_AGAIN : step;
	if (step != STEP_FINAL)
		return step;
	rc = seal_open_reply(
	    d->text, sizeof(d->text), &d->text_len, &d->keys, d->frame, d->frame_len);
	if (rc == KMS_OK)
		rc = message_reply_decode(&reply, d->text, d->text_len);
	if (rc == KMS_E_SCHEMA) /* a flag or critical TLV of a later version */
		rc = KMS_E_BAD_VERSION;
	if (rc == KMS_OK && !answers(d, &reply))
		rc = KMS_E_BAD_SEAL;
	return rc == KMS_OK ? judge_reply(d, &reply) : dialogue_broken(d, rc, "reply");
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

bool
converse(struct ask *a, struct transport *t)
{
	struct dialogue *d = sodium_malloc(sizeof(*d));
	enum step step = STEP_FINAL;

	if (d == NULL) {
		ask_note(a, KMS_E_NO_MEMORY, false, "no guarded memory: raise ulimit -l");
		return true;
	}
	d->a = a;
	d->t = t;
	if (!have_host(d))
		step = dialogue_hello(d);
	/* This ends: hello and catch_up return AGAIN at most once each. */
	if (step == STEP_FINAL)
		do
			step = request(d);
		while (step == STEP_AGAIN);
	sodium_free(d);
	return step == STEP_FINAL;
}
