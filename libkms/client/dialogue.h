/*
 * dialogue.h - one conversation with one host: what converse.c (what goes over the wire) and
 * judge.c (what an authenticated answer means) both know of it.
 */
#ifndef KMS_LIBKMS_CLIENT_DIALOGUE_H
#define KMS_LIBKMS_CLIENT_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/client/ask.h"
#include "libkms/client/transport.h"
#include "libkms/client/wait.h"
#include "libkms/client/witness.h"
#include "libkms/core/certificate.h"
#include "libkms/core/exchange_statement.h"
#include "libkms/core/frame.h"
#include "libkms/core/message.h"
#include "libkms/core/seal.h"

enum step {
	STEP_FINAL,     /* this is the end: no other host would do better */
	STEP_NEXT_HOST, /* another host may */
	STEP_HELLO,     /* fetch the host's certificate and exchange key, then go on */
	STEP_REQUEST,   /* send the request */
	STEP_WAIT,      /* for the host */
};

/* In guarded memory: session keys and clear text. */
struct dialogue {
	struct ask *a;
	struct transport *t;
	struct certificate cert;
	struct exchange exchange;
	struct seal_keys keys;
	struct witness witness; /* what the request says of this host's record */
	bool first;             /* the request was not sent to this host before */
	struct asked q;         /* that is sent, or was last */
	/* It is an earlier one, sent again so that its answer settles what the host served. */
	bool settling;
	bool settled; /* it has: now the request itself */
	/* The exchange that is on its way. */
	enum frame_type asked; /* FRAME_HELLO, FRAME_REQUEST; 0: none yet */
	bool sending;
	size_t done;   /* bytes of the frame, sent or received */
	int64_t until; /* clock_ms, of its end */
	/* A reply in text, whose lease is judged again after the HELLO that is on its way. */
	bool judging;
	int lease_rc; /* why it was not good before */
	struct message_reply reply;
	size_t frame_len;
	size_t text_len;
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REPLY];
	uint8_t text[FRAME_MAX_REPLY];
};

bool dialogue_among(const uint32_t *list, size_t count, uint32_t status);
#define DIALOGUE_AMONG(list, status) dialogue_among(list, sizeof(list) / sizeof(*list), status)

/* Note what went wrong with this host; always STEP_NEXT_HOST. */
enum step dialogue_broken(struct dialogue *d, int rc, const char *what);
/* Begin an exchange with d->frame. STEP_WAIT. */
enum step dialogue_say(struct dialogue *d, enum frame_type asked);
/*
 * Go on with it: send what is left, receive the answer into d->frame. STEP_WAIT: *w says for what;
 * STEP_FINAL: a whole answer of type want.
 */
enum step dialogue_hear(struct dialogue *d, enum frame_type want, const char *what, struct wait *w);
/*
 * To seal for: d->cert, d->exchange and d->keys, from a certificate and the statement of its host's
 * exchange key (EXCHANGE_SIZE bytes). KMS_OK or why they do not count.
 */
int dialogue_use(
    struct dialogue *d, const uint8_t *certificate, size_t len, const uint8_t *statement);
/* Ask for the host's certificate and exchange key; use and keep them. STEP_FINAL: done. */
enum step dialogue_say_hello(struct dialogue *d);
enum step dialogue_hear_hello(struct dialogue *d, struct wait *w);

#endif
