/*
 * probe.c - one connection, as a client makes it, and the HELLO that every client begins with.
 */
#include "kmsctl/dns/probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/client/transport.h"
#include "libkms/core/frame.h"
#include "libkms/core/message.h"
#include "libkms/kms_error.h"

#define CONNECT_MS 3000
#define ANSWER_MS 5000

/* What was received in answer to HELLO. */
static void
judge(struct probe *p, const uint8_t *in, size_t len)
{
	struct message_hello_reply reply;
	struct frame_error error;
	struct frame f;

	if (frame_decode(&f, in, FRAME_MAX_REPLY) != KMS_OK) {
		snprintf(p->state, sizeof(p->state), "answers, but is not a kmsd");
	} else if (f.type == FRAME_HELLO_REPLY &&
		   message_hello_reply_decode(&reply, in + FRAME_HEADER, len - FRAME_HEADER) ==
		       KMS_OK) {
		p->serves = true;
		snprintf(p->state, sizeof(p->state), "serves");
	} else if (f.type == FRAME_ERROR &&
		   frame_error_decode(&error, in + FRAME_HEADER, len - FRAME_HEADER) == KMS_OK) {
		snprintf(
		    p->state, sizeof(p->state), "kmsd answers: %s", kms_strerror(error.status));
	} else {
		snprintf(p->state, sizeof(p->state), "does not answer HELLO with HELLO_REPLY");
	}
}

static void
say_hello(struct probe *p, struct transport *t, const uint8_t publisher[8], int64_t until)
{
	uint8_t frame[FRAME_HEADER + FRAME_MAX_REPLY];
	struct message_hello m;
	size_t len;
	int rc;

	memcpy(m.publisher, publisher, sizeof(m.publisher));
	len = message_hello_encode(frame + FRAME_HEADER, FRAME_MAX_REQUEST, &m);
	frame_encode(frame, FRAME_HELLO, (uint32_t)len);
	rc = transport_send(t, frame, FRAME_HEADER + len, until);
	/* A host that refuses and closes may have answered before our send failed. */
	if (rc == KMS_OK || rc == KMS_E_IO)
		rc = transport_receive(t, frame, sizeof(frame), &len, until);
	if (rc == KMS_OK)
		judge(p, frame, len);
	else if (rc == KMS_E_TRUNCATED || rc == KMS_E_IO)
		snprintf(p->state, sizeof(p->state), "closes the connection without an answer");
	else if (rc == KMS_E_TIMEOUT)
		snprintf(p->state, sizeof(p->state), "accepts, but does not answer");
	else
		snprintf(p->state, sizeof(p->state), "answers, but is not a kmsd");
}

void
probe_address(struct probe *p, const struct discover_address *a, bool hello,
    const uint8_t publisher[8], int64_t deadline)
{
	int64_t until = transport_sooner(deadline, clock_ms() + CONNECT_MS);
	struct transport t = { .fd = -1 };
	int rc = transport_connect(&t, (const struct sockaddr *)&a->to, a->len, until);

	memset(p, 0, sizeof(*p));
	snprintf(p->address, sizeof(p->address), "%s", t.peer);
	p->reached = rc == KMS_OK;
	if (rc != KMS_OK)
		snprintf(p->state, sizeof(p->state), "%s",
		    rc == KMS_E_IO ? strerror(errno) : "no answer");
	else if (!hello)
		snprintf(p->state, sizeof(p->state), "accepts");
	else
		say_hello(p, &t, publisher, transport_sooner(deadline, clock_ms() + ANSWER_MS));
	transport_close(&t);
}
