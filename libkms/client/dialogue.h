/*
 * dialogue.h - one conversation with one host, shared by converse.c (what goes
 * over the wire) and judge.c (what an authenticated answer means).
 */
#ifndef KMS_LIBKMS_CLIENT_DIALOGUE_H
#define KMS_LIBKMS_CLIENT_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/client/client.h"
#include "libkms/core/frame.h"

struct transport;

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
	struct seal_keys keys;
	size_t frame_len;
	size_t text_len;
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REPLY];
	uint8_t text[FRAME_MAX_REPLY];
};

bool dialogue_among(const uint32_t *list, size_t count, uint32_t status);
#define DIALOGUE_AMONG(list, status) dialogue_among(list, sizeof(list) / sizeof(*list), status)

/* Note what went wrong with this host; always STEP_NEXT_HOST. */
enum step dialogue_broken(struct dialogue *d, int rc, const char *what);
/* Fetch the host's certificate and keep it. STEP_FINAL: done. */
enum step dialogue_hello(struct dialogue *d);
/* judge.c: an opened, decoded reply to the request that was sent. */
enum step dialogue_judge(struct dialogue *d, const struct message_reply *reply);

#endif
