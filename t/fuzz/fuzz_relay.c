/*
 * fuzz_relay.c - a conversation through the relay, in both directions. The input is a row of steps:
 * what happens (a PDU of the client's, one of the host's, the host is lost), a length, and that
 * many bytes. Whatever is passed on keeps to what the relay promises.
 */
#include <string.h>

#include "kmsd/front/relay/exchange.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static const uint8_t kms[16] = { 0x75, 0x21, 0xc8, 0x51, 0x4e, 0x84, 0x50, 0x47, 0xb0, 0xd8, 0xec,
	0x25, 0x55, 0x55, 0xbc, 0x06 };

/* Looked at afresh, little-endian only: what may reach a host. */
static void
may_pass(const uint8_t *d, size_t len)
{
	MUST(len >= 16 && d[0] == 5 && d[1] <= 1);
	MUST(d[10] == 0 && d[11] == 0);
	if (!(d[4] & 0x10))
		return;
	MUST((size_t)(d[8] | d[9] << 8) == len);
	MUST(d[2] == PDU_REQUEST || d[2] == PDU_BIND || d[2] == PDU_ALTER);
	if (d[2] == PDU_REQUEST)
		MUST(len >= 24 && d[22] == 0 && d[23] == 0);
	else
		MUST(len >= 52 && memcmp(d + 32, kms, 16) == 0);
}

static void
check_answer(const struct exchange *x)
{
	struct pdu p;

	MUST(x->answer_len > 0 && x->answer_len <= PDU_ANSWER);
	MUST(pdu_look(&p, x->answer, x->answer_len) == PDU_WHOLE && p.length == x->answer_len);
	MUST(pdu_parse(&p, x->answer) == KMS_OK);
	MUST(p.type == PDU_FAULT || p.type == PDU_BIND_NAK || p.type == PDU_BIND_ACK ||
	     p.type == PDU_ALTER_RESP);
}

/* False: the conversation is over. */
static bool
client(struct exchange *x, const uint8_t *d, size_t len)
{
	uint8_t before = x->state;
	enum exchange_do what = exchange_client(x, d, len);

	MUST((what == EXCHANGE_WAIT) ==
	     (before == EXCHANGE_BINDING || before == EXCHANGE_CALL || before == EXCHANGE_ALTER));
	if (what == EXCHANGE_PASS || what == EXCHANGE_CONNECT) {
		MUST((what == EXCHANGE_CONNECT) == (before == EXCHANGE_BIND));
		may_pass(d, len);
	}
	if (what == EXCHANGE_ANSWER || what == EXCHANGE_ANSWER_CLOSE)
		check_answer(x);
	MUST(what != EXCHANGE_PASS_CLOSE);
	MUST(x->call.sent <= EXCHANGE_STUB_MAX + PDU_MAX);
	return what != EXCHANGE_CLOSE && what != EXCHANGE_ANSWER_CLOSE;
}

static bool
host(struct exchange *x, const uint8_t *d, size_t len)
{
	uint8_t before = x->state;
	enum exchange_do what = exchange_host(x, d, len);

	MUST(what == EXCHANGE_PASS || what == EXCHANGE_PASS_CLOSE || what == EXCHANGE_CLOSE);
	/* Nothing of a host's is passed before a bind, and no call ends twice. */
	if (before == EXCHANGE_BIND)
		MUST(what == EXCHANGE_CLOSE);
	if (x->call.ended)
		MUST(x->state != EXCHANGE_CALL && x->state != EXCHANGE_REQUEST);
	x->call.ended = false;
	MUST(x->call.received <= EXCHANGE_STUB_MAX + PDU_MAX);
	MUST(x->context_count <= PDU_CONTEXTS && x->pending_count <= PDU_CONTEXTS);
	return what == EXCHANGE_PASS;
}

static bool
lost(struct exchange *x, bool late)
{
	enum exchange_do what = exchange_lost(x, late, PDU_NAK_CONGESTION);

	MUST(what == EXCHANGE_CLOSE || what == EXCHANGE_ANSWER_CLOSE);
	if (what == EXCHANGE_ANSWER_CLOSE)
		check_answer(x);
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exchange x;
	bool open = true;

	exchange_init(&x);
	while (open && size >= 3) {
		size_t len = (size_t)(data[1] | data[2] << 8);
		uint8_t step = data[0];

		data += 3;
		size -= 3;
		len = len < size ? len : size;
		if (step == 'c')
			open = client(&x, data, len);
		else if (step == 'h')
			open = host(&x, data, len);
		else if (step == 'v')
			open = exchange_version(&x, data, len) == EXCHANGE_ANSWER && false;
		else
			open = lost(&x, step & 1);
		data += len;
		size -= len;
	}
	return 0;
}
