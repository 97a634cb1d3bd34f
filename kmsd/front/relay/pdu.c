/*
 * pdu.c - the layouts of C706 section 12.6.4, read with every length checked against the
 * fragment's, the three answers that the relay gives by itself, and the bind that kmsctl tries a
 * host with.
 */
#include "kmsd/front/relay/pdu.h"

#include <string.h>

#include "libkms/kms_error.h"

#define RPC_MAJOR 5
#define BIND_FIXED (PDU_HEADER + 12)
#define CONTEXT_FIXED (4 + PDU_SYNTAX)
#define RESULT_SIZE 24
#define BODY_FIXED (PDU_HEADER + 8) /* of a request or a response */
#define FAULT_FIXED                                                                                \
	(PDU_HEADER +                                                                              \
	    12) /* C706 has four more reserved bytes, which some implementations do not send */
#define AUTH_TRAILER 8
#define OBJECT_SIZE 16

/* 51c82175-844e-4750-b0d8-ec255555bc06: the first three fields follow the byte order. */
static const uint8_t kms_little[16] = { 0x75, 0x21, 0xc8, 0x51, 0x4e, 0x84, 0x50, 0x47, 0xb0, 0xd8,
	0xec, 0x25, 0x55, 0x55, 0xbc, 0x06 };
static const uint8_t kms_big[16] = { 0x51, 0xc8, 0x21, 0x75, 0x84, 0x4e, 0x47, 0x50, 0xb0, 0xd8,
	0xec, 0x25, 0x55, 0x55, 0xbc, 0x06 };
/* NDR: 8a885d04-1ceb-11c9-9fe8-08002b104860, version 2. */
static const uint8_t ndr_little[16] = { 0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8,
	0x08, 0x00, 0x2b, 0x10, 0x48, 0x60 };
#define NDR_VERSION 2
#define KMS_VERSION 1 /* major 1 in the low half, minor 0 in the high */

static uint16_t
get_u16(const struct pdu *p, const uint8_t *at)
{
	return (uint16_t)(p->big ? at[0] << 8 | at[1] : at[1] << 8 | at[0]);
}

static uint32_t
get_u32(const struct pdu *p, const uint8_t *at)
{
	uint32_t a = get_u16(p, at), b = get_u16(p, at + 2);

	return p->big ? a << 16 | b : b << 16 | a;
}

/* Which types there are, which flags a first fragment needs, and how short each may be. */
static const struct shape {
	uint8_t type;
	uint8_t least;
	bool fragments; /* may come in several */
} shapes[] = {
	{ PDU_REQUEST, BODY_FIXED, true },
	{ PDU_RESPONSE, BODY_FIXED, true },
	{ PDU_FAULT, FAULT_FIXED, false },
	{ PDU_BIND, BIND_FIXED, false },
	{ PDU_BIND_ACK, BIND_FIXED, false },
	{ PDU_BIND_NAK, PDU_HEADER + 2, false },
	{ PDU_ALTER, BIND_FIXED, false },
	{ PDU_ALTER_RESP, BIND_FIXED, false },
	{ PDU_SHUTDOWN, PDU_HEADER, false },
};

static const struct shape *
find_shape(uint8_t type)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].type == type)
			return &shapes[i];
	return NULL;
}

enum pdu_whole
pdu_look(struct pdu *p, const uint8_t *data, size_t len)
{
	const struct shape *shape;

	if (len > 0 && data[0] != RPC_MAJOR)
		return PDU_OTHER_VERSION;
	if (len < PDU_HEADER)
		return PDU_MORE;
	memset(p, 0, sizeof(*p));
	p->minor = data[1];
	p->type = data[2];
	p->flags = data[3];
	memcpy(p->drep, data + 4, 4);
	p->big = (data[4] & 0xf0) == 0;
	p->length = get_u16(p, data + 8);
	p->auth_length = get_u16(p, data + 10);
	p->call_id = get_u32(p, data + 12);
	/*
	 * Integers big or little; characters and floats are in the payload, which is not read here.
	 */
	if ((data[4] & 0xe0) != 0 || data[6] != 0 || data[7] != 0)
		return PDU_BAD;
	if (p->minor > 1)
		return PDU_OTHER_VERSION;
	shape = find_shape(p->type);
	if (shape == NULL || p->length < shape->least || p->length > PDU_MAX)
		return PDU_BAD;
	return len < p->length ? PDU_MORE : PDU_WHOLE;
}

/* p_cont_list_t: every context has at least one transfer syntax; trailing bytes are malformed. */
static int
parse_contexts(struct pdu *p, const uint8_t *data)
{
	size_t at = BIND_FIXED, end = p->length;
	uint8_t count = data[BIND_FIXED - 4];

	if (count == 0)
		return KMS_E_FORMAT;
	if (count > PDU_CONTEXTS)
		return KMS_E_TOO_LARGE;
	for (uint8_t i = 0; i < count; i++) {
		struct pdu_context *c = &p->contexts[i];
		uint8_t syntaxes;

		if (end - at < CONTEXT_FIXED)
			return KMS_E_FORMAT;
		syntaxes = data[at + 2];
		c->id = get_u16(p, data + at);
		c->kms = memcmp(data + at + 4, p->big ? kms_big : kms_little, 16) == 0 &&
			 get_u32(p, data + at + 20) == KMS_VERSION;
		at += CONTEXT_FIXED;
		if (syntaxes == 0 || syntaxes > PDU_SYNTAXES ||
		    end - at < (size_t)syntaxes * PDU_SYNTAX)
			return KMS_E_FORMAT;
		at += (size_t)syntaxes * PDU_SYNTAX;
		for (uint8_t j = 0; j < i; j++)
			if (p->contexts[j].id == c->id)
				return KMS_E_FORMAT;
	}
	p->context_count = count;
	return at == end ? KMS_OK : KMS_E_FORMAT;
}

/* bind_ack: the secondary address, padded to four, then a result for each context. */
static int
parse_results(struct pdu *p, const uint8_t *data)
{
	size_t at = BIND_FIXED - 4, end = p->length, address;
	uint8_t count;

	address = get_u16(p, data + at);
	at += 2;
	if (end - at < address)
		return KMS_E_FORMAT;
	at = (at + address + 3) & ~(size_t)3;
	if (at > end || end - at < 4)
		return KMS_E_FORMAT;
	count = data[at];
	at += 4;
	if (count == 0 || count > PDU_CONTEXTS || end - at != (size_t)count * RESULT_SIZE)
		return KMS_E_FORMAT;
	for (uint8_t i = 0; i < count; i++, at += RESULT_SIZE) {
		p->contexts[i].result = get_u16(p, data + at);
		p->contexts[i].reason = get_u16(p, data + at + 2);
		if (p->contexts[i].result > PDU_NEGOTIATED)
			return KMS_E_FORMAT;
	}
	p->context_count = count;
	return KMS_OK;
}

static int
parse_bind(struct pdu *p, const uint8_t *data)
{
	p->max_xmit = get_u16(p, data + 16);
	p->max_recv = get_u16(p, data + 18);
	p->group = get_u32(p, data + 20);
	/*
	 * An auth verifier cannot be relayed: the caller refuses it without reading the contexts.
	 */
	if (p->auth_length != 0)
		return KMS_OK;
	if (p->type == PDU_BIND || p->type == PDU_ALTER)
		return parse_contexts(p, data);
	return parse_results(p, data);
}

static int
parse_body(struct pdu *p, const uint8_t *data)
{
	size_t stub = BODY_FIXED;

	p->context = get_u16(p, data + 20);
	if (p->type == PDU_REQUEST) {
		p->opnum = get_u16(p, data + 22);
		if (p->flags & PDU_OBJECT)
			stub += OBJECT_SIZE;
	}
	if (p->type == PDU_FAULT) {
		p->status = get_u32(p, data + 24);
		stub = p->length;
	}
	if (p->length < stub)
		return KMS_E_FORMAT;
	p->stub = (uint16_t)stub;
	p->stub_length = (uint16_t)(p->length - stub);
	return KMS_OK;
}

int
pdu_parse(struct pdu *p, const uint8_t *data)
{
	const struct shape *shape = find_shape(p->type);

	if (p->auth_length != 0 && p->auth_length + AUTH_TRAILER > p->length - shape->least)
		return KMS_E_FORMAT;
	if (!shape->fragments && (p->flags & (PDU_FIRST | PDU_LAST)) != (PDU_FIRST | PDU_LAST))
		return KMS_E_FORMAT;
	switch (p->type) {
	case PDU_BIND:
	case PDU_ALTER:
	case PDU_BIND_ACK:
	case PDU_ALTER_RESP:
		return parse_bind(p, data);
	case PDU_BIND_NAK:
		p->nak = get_u16(p, data + PDU_HEADER);
		return KMS_OK;
	case PDU_SHUTDOWN:
		return KMS_OK;
	default:
		return parse_body(p, data);
	}
}

/* Writing: at moves on. */
struct out {
	uint8_t *octets;
	size_t at;
	bool big;
};

static void
put_u16(struct out *o, uint16_t v)
{
	o->octets[o->at++] = (uint8_t)(o->big ? v >> 8 : v);
	o->octets[o->at++] = (uint8_t)(o->big ? v : v >> 8);
}

static void
put_u32(struct out *o, uint32_t v)
{
	put_u16(o, (uint16_t)(o->big ? v >> 16 : v));
	put_u16(o, (uint16_t)(o->big ? v : v >> 16));
}

static struct out
begin(uint8_t *octets, const struct pdu *to, uint8_t type, uint8_t flags)
{
	struct out o = { .octets = octets, .big = to->big };

	octets[0] = RPC_MAJOR;
	octets[1] = to->minor;
	octets[2] = type;
	octets[3] = PDU_FIRST | PDU_LAST | flags;
	memcpy(octets + 4, to->drep, 4);
	o.at = 10; /* the length comes last */
	put_u16(&o, 0);
	put_u32(&o, to->call_id);
	return o;
}

static size_t
finish(struct out *o)
{
	size_t len = o->at;

	o->at = 8;
	put_u16(o, (uint16_t)len);
	return len;
}

size_t
pdu_build_fault(uint8_t out[PDU_ANSWER], const struct pdu *to, uint32_t status, bool executed)
{
	struct out o = begin(out, to, PDU_FAULT, executed ? 0 : PDU_DID_NOT_EXECUTE);

	put_u32(&o, 0); /* alloc_hint */
	put_u16(&o, to->context);
	put_u16(&o, 0); /* cancel_count, reserved */
	put_u32(&o, status);
	put_u32(&o, 0);
	return finish(&o);
}

size_t
pdu_build_nak(uint8_t out[PDU_ANSWER], const struct pdu *to, enum pdu_nak reason)
{
	struct out o = begin(out, to, PDU_BIND_NAK, 0);

	put_u16(&o, reason);
	o.octets[o.at++] = 1; /* one version spoken here: 5.0 */
	o.octets[o.at++] = RPC_MAJOR;
	o.octets[o.at++] = 0;
	return finish(&o);
}

size_t
pdu_build_rejection(uint8_t out[PDU_ANSWER], const struct pdu *to)
{
	struct out o = begin(out, to, to->type == PDU_ALTER ? PDU_ALTER_RESP : PDU_BIND_ACK, 0);

	/* What the client sends is what we receive. */
	put_u16(&o, to->max_recv < PDU_MAX ? to->max_recv : PDU_MAX);
	put_u16(&o, to->max_xmit < PDU_MAX ? to->max_xmit : PDU_MAX);
	put_u32(&o, to->group);
	put_u16(&o, 0); /* no secondary address */
	put_u16(&o, 0); /* padding */
	o.octets[o.at++] = to->context_count;
	memset(o.octets + o.at, 0, 3);
	o.at += 3;
	for (uint8_t i = 0; i < to->context_count; i++) {
		put_u16(&o, PDU_REJECTED);
		put_u16(&o, to->contexts[i].kms ? PDU_REASON_NONE : PDU_ABSTRACT_SYNTAX);
		memset(o.octets + o.at, 0, PDU_SYNTAX);
		o.at += PDU_SYNTAX;
	}
	return finish(&o);
}

static void
put_syntax(struct out *o, const uint8_t uuid[16], uint32_t version)
{
	memcpy(o->octets + o->at, uuid, 16);
	o->at += 16;
	put_u32(o, version);
}

size_t
pdu_build_bind(uint8_t out[PDU_BIND_SIZE], uint32_t call_id)
{
	const struct pdu as = { .drep = { 0x10, 0, 0, 0 }, .call_id = call_id };
	struct out o = begin(out, &as, PDU_BIND, 0);

	put_u16(&o, PDU_MAX);
	put_u16(&o, PDU_MAX);
	put_u32(&o, 0); /* no association group yet */
	put_u32(&o, 1); /* one context, and padding */
	put_u16(&o, 0); /* its id */
	put_u16(&o, 1); /* one transfer syntax, and padding */
	put_syntax(&o, kms_little, KMS_VERSION);
	put_syntax(&o, ndr_little, NDR_VERSION);
	return finish(&o);
}
