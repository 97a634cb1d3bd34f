/*
 * exchange.c - who may say what when. The client may bind the KMS interface and call its one
 * operation; the host may answer what was asked. Anything else ends the conversation.
 */
#include "kmsd/front/relay/exchange.h"

#include <string.h>

#include "kmsd/ipc/ipc.h"
#include "libkms/kms_error.h"

void
exchange_init(struct exchange *x)
{
	memset(x, 0, sizeof(*x));
}

bool
exchange_waits(const struct exchange *x)
{
	return x->state == EXCHANGE_BINDING || x->state == EXCHANGE_CALL ||
	       x->state == EXCHANGE_ALTER;
}

static enum exchange_do
refuse(struct exchange *x, const char *event, const char *why, enum exchange_do what)
{
	x->event = event;
	x->why = why;
	return what;
}

static enum exchange_do
malformed(struct exchange *x, const char *why)
{
	return refuse(x, "relay-bad-pdu", why, EXCHANGE_CLOSE);
}

static bool
has_context(const struct exchange *x, uint16_t id)
{
	for (uint8_t i = 0; i < x->context_count; i++)
		if (x->contexts[i] == id)
			return true;
	return false;
}

static bool
keep_context(struct exchange *x, uint16_t id)
{
	if (has_context(x, id))
		return true;
	if (x->context_count == PDU_CONTEXTS)
		return false;
	x->contexts[x->context_count++] = id;
	return true;
}

/* A bind or alter_context that names one interface which is not ours is answered here, whole. */
static enum exchange_do
offer(struct exchange *x, const struct pdu *p, int status)
{
	if (p->type == PDU_ALTER && (p->auth_length != 0 || status != KMS_OK))
		return malformed(x, "an alter_context that a KMS client does not send");
	if (status != KMS_OK && status != KMS_E_TOO_LARGE)
		return malformed(x, "a malformed bind");
	if (p->auth_length != 0) {
		x->answer_len = pdu_build_nak(x->answer, p, PDU_NAK_AUTH);
		return refuse(x, "relay-auth", "uses authentication, which cannot be relayed",
		    EXCHANGE_ANSWER_CLOSE);
	}
	if (status == KMS_E_TOO_LARGE) {
		x->answer_len = pdu_build_nak(x->answer, p, PDU_NAK_LIMIT);
		return refuse(
		    x, "relay-bad-pdu", "too many presentation contexts", EXCHANGE_ANSWER_CLOSE);
	}
	for (uint8_t i = 0; i < p->context_count; i++) {
		if (p->contexts[i].kms)
			continue;
		x->answer_len = pdu_build_rejection(x->answer, p);
		return refuse(
		    x, "relay-interface", "asks for an interface that is not KMS", EXCHANGE_ANSWER);
	}
	for (uint8_t i = 0; i < p->context_count; i++)
		x->pending[i] = p->contexts[i].id;
	x->pending_count = p->context_count;
	x->asked = *p;
	return EXCHANGE_PASS;
}

/*
 * The version of the KMS protocol: two little-endian numbers at the beginning of the payload. When
 * NDR or NDR64 encoded a byte array, its length (as a parameter and as the array's count) comes
 * before them.
 */
static void
read_version(struct exchange *x, const struct pdu *p, const uint8_t *data)
{
	const uint8_t *stub = data + p->stub;
	size_t at = 0, wide = 8;
	bool array;

	for (size_t width = 4; width <= wide && at == 0; width += 4) {
		uint64_t n = 0;

		if (p->stub_length < 2 * width + 4)
			break;
		for (size_t i = 0; i < width; i++)
			n = n << 8 | stub[p->big ? i : width - 1 - i];
		array = memcmp(stub, stub + width, width) == 0 && n >= 4 && n <= EXCHANGE_STUB_MAX;
		if (array)
			at = 2 * width;
	}
	if (p->stub_length < at + 4)
		return;
	x->call.minor = (uint16_t)(stub[at] | stub[at + 1] << 8);
	x->call.major = (uint16_t)(stub[at + 2] | stub[at + 3] << 8);
}

static enum exchange_do
refuse_call(
    struct exchange *x, const struct pdu *p, uint32_t status, const char *event, const char *why)
{
	x->answer_len = pdu_build_fault(x->answer, p, status, false);
	x->asked = *p;
	if (p->flags & PDU_LAST)
		return refuse(x, event, why, EXCHANGE_ANSWER);
	x->refuse = true;
	x->state = EXCHANGE_SWALLOW;
	return refuse(x, event, why, EXCHANGE_DROP);
}

static enum exchange_do
begin_call(struct exchange *x, const struct pdu *p, const uint8_t *data)
{
	if (!(p->flags & PDU_FIRST))
		return malformed(x, "a fragment of no request");
	if (!has_context(x, p->context))
		return refuse_call(x, p, PDU_UNKNOWN_IF, "relay-interface",
		    "calls in a context that was not accepted");
	if (p->opnum != 0)
		return refuse_call(x, p, PDU_OP_RANGE, "relay-operation",
		    "calls an operation that KMS does not have");
	x->asked = *p;
	x->answered = false;
	memset(&x->call, 0, sizeof(x->call));
	x->call.sent = p->stub_length;
	read_version(x, p, data);
	x->state = p->flags & PDU_LAST ? EXCHANGE_CALL : EXCHANGE_REQUEST;
	return EXCHANGE_PASS;
}

static bool
same_call(const struct exchange *x, const struct pdu *p)
{
	return p->type == PDU_REQUEST && !(p->flags & PDU_FIRST) &&
	       p->call_id == x->asked.call_id && p->context == x->asked.context &&
	       p->opnum == x->asked.opnum && p->big == x->asked.big;
}

static enum exchange_do
go_on_with_call(struct exchange *x, const struct pdu *p)
{
	if (!same_call(x, p))
		return malformed(x, "a fragment of another request within one");
	x->call.sent += p->stub_length;
	if (x->call.sent > EXCHANGE_STUB_MAX)
		return malformed(x, "a request larger than any of KMS");
	if (p->flags & PDU_LAST)
		x->state = EXCHANGE_CALL;
	return EXCHANGE_PASS;
}

static enum exchange_do
swallow(struct exchange *x, const struct pdu *p)
{
	if (!same_call(x, p))
		return malformed(x, "a fragment of another request within one");
	x->call.sent += p->stub_length;
	if (x->call.sent > EXCHANGE_STUB_MAX)
		return malformed(x, "a request larger than any of KMS");
	if (!(p->flags & PDU_LAST))
		return EXCHANGE_DROP;
	x->state = EXCHANGE_BOUND;
	return x->refuse ? EXCHANGE_ANSWER : EXCHANGE_DROP;
}

static enum exchange_do
from_bound(struct exchange *x, const struct pdu *p, const uint8_t *data, int status)
{
	enum exchange_do what;

	if (p->type == PDU_ALTER) {
		what = offer(x, p, status);
		if (what == EXCHANGE_PASS)
			x->state = EXCHANGE_ALTER;
		return what;
	}
	if (p->type != PDU_REQUEST)
		return malformed(x, "a PDU that a client may not send now");
	x->call.sent = 0;
	return begin_call(x, p, data);
}

enum exchange_do
exchange_client(struct exchange *x, const uint8_t *data, size_t len)
{
	enum exchange_do what;
	struct pdu p;
	int rc;

	if (exchange_waits(x))
		return EXCHANGE_WAIT;
	if (pdu_look(&p, data, len) != PDU_WHOLE || p.length != len)
		return malformed(x, "not a PDU that a KMS client sends");
	rc = pdu_parse(&p, data);
	if (x->state == EXCHANGE_BIND) {
		if (p.type != PDU_BIND)
			return malformed(x, "sends a request before it binds");
		what = offer(x, &p, rc);
		if (what != EXCHANGE_PASS)
			return what;
		x->state = EXCHANGE_BINDING;
		return EXCHANGE_CONNECT;
	}
	/* A signed or sealed request would belong to a context that was never made. */
	if (p.type == PDU_REQUEST && (rc != KMS_OK || p.auth_length != 0))
		return malformed(x, "a malformed request");
	if (x->state == EXCHANGE_REQUEST)
		return go_on_with_call(x, &p);
	if (x->state == EXCHANGE_SWALLOW)
		return swallow(x, &p);
	return from_bound(x, &p, data, rc);
}

/* The results of what was offered, in its order. */
static bool
take_results(struct exchange *x, const struct pdu *p)
{
	if (p->context_count != x->pending_count)
		return false;
	for (uint8_t i = 0; i < p->context_count; i++)
		if (p->contexts[i].result == PDU_ACCEPTED && !keep_context(x, x->pending[i]))
			return false;
	x->pending_count = 0;
	return true;
}

static enum exchange_do
bind_answered(struct exchange *x, const struct pdu *p)
{
	if (p->call_id != x->asked.call_id)
		return malformed(x, "answers another call");
	if (p->type == PDU_BIND_NAK) {
		memset(&x->call, 0, sizeof(x->call));
		x->call.ended = true;
		x->call.outcome = IPC_RELAYED_REFUSED;
		x->call.status = p->nak;
		return EXCHANGE_PASS_CLOSE;
	}
	if (p->type != PDU_BIND_ACK || !take_results(x, p))
		return malformed(x, "does not answer the bind");
	x->state = EXCHANGE_BOUND;
	return EXCHANGE_PASS;
}

static enum exchange_do
end_call(struct exchange *x, uint8_t outcome, uint32_t status)
{
	x->call.ended = true;
	x->call.outcome = outcome;
	x->call.status = status;
	/* A fault may come before the last fragment of the request: the rest is swallowed. */
	x->refuse = false;
	x->state = x->state == EXCHANGE_REQUEST ? EXCHANGE_SWALLOW : EXCHANGE_BOUND;
	return EXCHANGE_PASS;
}

static enum exchange_do
call_answered(struct exchange *x, const struct pdu *p)
{
	if (p->call_id != x->asked.call_id)
		return malformed(x, "answers another call");
	if (p->type == PDU_FAULT)
		return end_call(x, IPC_RELAYED_FAULT, p->status);
	if (p->type != PDU_RESPONSE || x->state != EXCHANGE_CALL || p->auth_length != 0)
		return malformed(x, "does not answer the request");
	if (!(p->flags & PDU_FIRST) != x->answered)
		return malformed(x, "fragments out of order");
	x->answered = true;
	x->call.received += p->stub_length;
	if (x->call.received > EXCHANGE_STUB_MAX)
		return malformed(x, "a response larger than any of KMS");
	return p->flags & PDU_LAST ? end_call(x, IPC_RELAYED_DONE, 0) : EXCHANGE_PASS;
}

enum exchange_do
exchange_host(struct exchange *x, const uint8_t *data, size_t len)
{
	struct pdu p;

	if (pdu_look(&p, data, len) != PDU_WHOLE || p.length != len ||
	    pdu_parse(&p, data) != KMS_OK)
		return malformed(x, "not a PDU that a KMS host sends");
	switch (x->state) {
	case EXCHANGE_BINDING:
		return bind_answered(x, &p);
	case EXCHANGE_ALTER:
		if (p.call_id != x->asked.call_id ||
		    (p.type == PDU_ALTER_RESP ? !take_results(x, &p) : p.type != PDU_FAULT))
			return malformed(x, "does not answer the alter_context");
		x->state = EXCHANGE_BOUND;
		return EXCHANGE_PASS;
	case EXCHANGE_REQUEST:
	case EXCHANGE_CALL:
		if (p.type != PDU_SHUTDOWN)
			return call_answered(x, &p);
		return EXCHANGE_PASS;
	default:
		if (p.type == PDU_SHUTDOWN && x->state != EXCHANGE_BIND)
			return EXCHANGE_PASS;
		return malformed(x, "sends something without a request");
	}
}

enum exchange_do
exchange_version(struct exchange *x, const uint8_t *data, size_t len)
{
	struct pdu p = { .drep = { 0x10, 0, 0, 0 } };

	if (x->state != EXCHANGE_BIND || len < PDU_HEADER || data[2] != PDU_BIND)
		return malformed(x, "has another version of RPC");
	/* The header is the same in all versions of connection-oriented RPC, as far as this goes.
	 */
	p.big = (data[4] & 0xf0) == 0;
	memcpy(p.drep, data + 4, 4);
	for (int i = 0; i < 4; i++)
		p.call_id |= (uint32_t)data[12 + i] << 8 * (p.big ? 3 - i : i);
	x->answer_len = pdu_build_nak(x->answer, &p, PDU_NAK_VERSION);
	return refuse(x, "relay-version", "uses another version of RPC", EXCHANGE_ANSWER_CLOSE);
}

enum exchange_do
exchange_lost(struct exchange *x, bool late, enum pdu_nak nak)
{
	uint8_t state = x->state;

	if (state == EXCHANGE_BOUND || state == EXCHANGE_BIND || state == EXCHANGE_SWALLOW)
		return EXCHANGE_CLOSE;
	if (state == EXCHANGE_BINDING)
		memset(&x->call, 0, sizeof(x->call));
	if (state != EXCHANGE_ALTER) {
		x->call.ended = true;
		x->call.outcome = late                        ? IPC_RELAYED_LATE
				  : state == EXCHANGE_BINDING ? IPC_RELAYED_NO_HOST
							      : IPC_RELAYED_LOST;
		x->call.status = state == EXCHANGE_BINDING ? nak : PDU_COMM_FAILURE;
	}
	if (state == EXCHANGE_BINDING)
		x->answer_len = pdu_build_nak(x->answer, &x->asked, nak);
	else
		x->answer_len = pdu_build_fault(x->answer, &x->asked, PDU_COMM_FAILURE, true);
	return EXCHANGE_ANSWER_CLOSE;
}
