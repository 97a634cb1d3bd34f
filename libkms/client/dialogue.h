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
#include "libkms/client/witness.h"
#include "libkms/core/certificate.h"
#include "libkms/core/exchange_statement.h"
#include "libkms/core/frame.h"
#include "libkms/core/seal.h"

enum step {
	STEP_FINAL,
	STEP_NEXT_HOST,
	STEP_AGAIN,
};

/* In guarded memory: session keys and clear text. */
struct dialogue {
	struct ask *a;
	struct transport *t;
	struct certificate cert;
	struct exchange exchange;
	struct seal_keys keys;
	struct witness witness; /* what the request says of this host's record */
	size_t frame_len;
	size_t text_len;
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REPLY];
	uint8_t text[FRAME_MAX_REPLY];
};

bool dialogue_among(const uint32_t *list, size_t count, uint32_t status);
#define DIALOGUE_AMONG(list, status) dialogue_among(list, sizeof(list) / sizeof(*list), status)

/* Note what went wrong with this host; always STEP_NEXT_HOST. */
enum step dialogue_broken(struct dialogue *d, int rc, const char *what);
/* Send d->frame, receive the answer into it. STEP_FINAL: it is of type want. */
enum step dialogue_roundtrip(struct dialogue *d, enum frame_type want, const char *what);
/*
 * To seal for: d->cert, d->exchange and d->keys, from a certificate and the statement of its host's
 * exchange key (EXCHANGE_SIZE bytes). KMS_OK or why they do not count.
 */
int dialogue_use(
    struct dialogue *d, const uint8_t *certificate, size_t len, const uint8_t *statement);
/* Fetch the host's certificate and exchange key, use and keep them. STEP_FINAL: done. */
enum step dialogue_hello(struct dialogue *d);

#endif
