/*
 * exchange.h - the state of a relayed conversation, and what to do with the next PDU of either
 * side. Pure: no clock, no socket, no memory of its own, so that tests and fuzzers drive the real
 * thing.
 *
 *   client    BIND -> BINDING -> BOUND <-> REQUEST -> CALL -> BOUND ...
 *                                BOUND <-> ALTER
 *                                BOUND <-> SWALLOW (rest of a request that was refused)
 */
#ifndef KMSD_FRONT_RELAY_EXCHANGE_H
#define KMSD_FRONT_RELAY_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/front/relay/pdu.h"

#define EXCHANGE_STUB_MAX 65536 /* payload of one call, each way */

enum exchange_state {
	EXCHANGE_BIND,    /* nothing but a bind is expected */
	EXCHANGE_BINDING, /* the bind is on its way: it is kept for the next host */
	EXCHANGE_BOUND,
	EXCHANGE_REQUEST, /* fragments of a request pass */
	EXCHANGE_CALL,    /* all of it has passed, the response is awaited */
	EXCHANGE_ALTER,
	EXCHANGE_SWALLOW,
};

enum exchange_do {
	EXCHANGE_PASS,       /* pass it to the other side, byte for byte */
	EXCHANGE_PASS_CLOSE, /* the same, and that was the last */
	EXCHANGE_CONNECT,    /* a bind: keep it, choose a host */
	EXCHANGE_WAIT,       /* not this side's turn: keep it, stop reading */
	EXCHANGE_ANSWER,     /* x->answer to the client */
	EXCHANGE_ANSWER_CLOSE,
	EXCHANGE_DROP,  /* nobody gets it */
	EXCHANGE_CLOSE, /* x->event and x->why give the reason */
};

/* How a call ended: enum ipc_relayed_outcome, ipc.h. */
struct exchange_call {
	bool ended; /* to be reported; the caller clears it */
	uint8_t outcome;
	/* of the KMS protocol, in clear in the request; 0.0: unknown */
	uint16_t major, minor;
	uint32_t sent, received; /* bytes of payload */
	uint32_t status;         /* of a fault, or the reason of a bind_nak */
};

struct exchange {
	uint8_t state;
	bool answered; /* a part of the response has passed */
	bool refuse;   /* SWALLOW: a fault is to be sent at the end */
	uint8_t context_count, pending_count;
	uint16_t contexts[PDU_CONTEXTS]; /* accepted, of the KMS interface */
	uint16_t pending[PDU_CONTEXTS];  /* of the bind or alter_context under way */
	struct pdu asked; /* what is to be answered: the bind, or the first fragment */
	struct exchange_call call;
	const char *event, *why; /* of the last refusal, for the log */
	uint8_t answer[PDU_ANSWER];
	size_t answer_len;
};

void exchange_init(struct exchange *x);
/* A whole fragment from the client, or from the host. */
enum exchange_do exchange_client(struct exchange *x, const uint8_t *data, size_t len);
enum exchange_do exchange_host(struct exchange *x, const uint8_t *data, size_t len);
/*
 * The first bytes are of another version of RPC: a bind_nak that names ours, when there is
 * enough to answer.
 */
enum exchange_do exchange_version(struct exchange *x, const uint8_t *data, size_t len);
/*
 * The host is lost or unreachable, or (late) its time is over: what the client gets, ANSWER_CLOSE
 * or CLOSE. nak: the reason to give during a bind.
 */
enum exchange_do exchange_lost(struct exchange *x, bool late, enum pdu_nak nak);
/* The client waits for the host. */
bool exchange_waits(const struct exchange *x);

#endif
