/*
 * forward.c - one channel to kmsd-activate. Requests of a whole turn of the
 * event loop leave in one write; replies are sent to their clients straight from the channel's
 * buffer.
 */
#include "kmsd/front/forward.h"

#include <string.h>

#include "kmsd/common/log.h"
#include "kmsd/front/front.h"
#include "libkms/base/wire.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

static void
forward_broken(struct front *f, const char *what)
{
	if (!f->broken && !f->stopping)
		log_event(LOG_ERR, "channel-lost", "kmsd-activate: %s", what);
	f->broken = true;
}

/* WELCOME: u32 version, u32 credits. Once. */
static void
on_welcome(struct front *f, const struct ipc_frame *frame, const uint8_t *body)
{
	struct forward *w = &f->forward;
	struct wire_reader r;
	uint32_t version, credits;

	wire_reader_init(&r, body, frame->length);
	version = wire_get_u32(&r);
	credits = wire_get_u32(&r);
	if (wire_finish(&r) != KMS_OK || version != IPC_VERSION || credits == 0 || w->welcome) {
		forward_broken(f, "a malformed or second WELCOME");
		return;
	}
	w->welcome = true;
	w->credits = credits;
	w->waiting_max =
	    credits > UINT32_MAX / FORWARD_WAITING ? UINT32_MAX : credits * FORWARD_WAITING;
	ipc_channel_queue_for(w->channel, (size_t)credits + 1, IPC_MAX_TO_ACTIVATE);
}

/* Only whole frames that a host may send leave this process. */
static bool
reply_ok(const uint8_t *body, uint32_t length)
{
	struct frame frame;

	if (length < FRAME_HEADER || frame_decode(&frame, body, FRAME_MAX_REPLY) != KMS_OK)
		return false;
	if (frame.type != FRAME_HELLO_REPLY && frame.type != FRAME_REPLY &&
	    frame.type != FRAME_ERROR)
		return false;
	return length == FRAME_HEADER + frame.length;
}

static void
on_reply(struct front *f, const struct ipc_frame *frame, const uint8_t *body)
{
	struct forward *w = &f->forward;
	struct connection *c = NULL;
	enum connection_lookup found = connection_find(&f->connections, frame->token, &c);

	if (w->asked == 0) {
		forward_broken(f, "a reply without a request");
		return;
	}
	if (found == CONNECTION_NEVER) {
		/* The credit is not given back: the real reply to that request has not come yet. */
		log_limited(LOG_ERR, "bad-reply",
		    "kmsd-activate answered a connection that has no request");
		return;
	}
	w->asked--;
	w->credits++;
	if (found == CONNECTION_LEFT)
		return;
	if (!reply_ok(body, frame->length)) {
		log_limited(
		    LOG_ERR, "bad-reply", "kmsd-activate sent something that is not a frame");
		w->calls->close(c);
		return;
	}
	f->stats.replies++;
	w->calls->reply(c, body, frame->length, (frame->flags & IPC_CLOSE) != 0);
}

static void
on_stats_ask(struct front *f, const struct ipc_frame *frame, const uint8_t *body)
{
	struct ipc_frame answer = { .verb = IPC_FRONT_STATS, .length = IPC_FRONT_STATS_SIZE };
	uint8_t stats[IPC_FRONT_STATS_SIZE];

	f->stats.open = f->connections.open;
	ipc_front_stats_encode(stats, &f->stats);
	if (ipc_channel_put(f->forward.channel, &answer, stats) != KMS_OK)
		forward_broken(f, "does not read");
}

/* What activate may send, and how long. */
static const struct verb {
	uint8_t verb;
	uint32_t max;
	void (*take)(struct front *f, const struct ipc_frame *frame, const uint8_t *body);
} verbs[] = {
	{ IPC_REPLY, IPC_MAX_BODY, on_reply },
	{ IPC_STATS_ASK, 0, on_stats_ask },
	{ IPC_WELCOME, 8, on_welcome },
};

static void
forward_take(struct front *f, const struct ipc_frame *frame, const uint8_t *body)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].verb != frame->verb)
			continue;
		if (frame->length > verbs[i].max)
			break;
		verbs[i].take(f, frame, body);
		return;
	}
	forward_broken(f, "a verb or length that it may not send");
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct front *f = arg;
	struct ipc_frame frame;
	const uint8_t *body;
	int n = 0;

	if (ipc_channel_fill(f->forward.channel) != KMS_OK) {
		forward_broken(f, "channel closed");
		return;
	}
	while (!f->broken && (n = ipc_channel_next(f->forward.channel, &frame, &body)) > 0)
		forward_take(f, &frame, body);
	if (n < 0)
		forward_broken(f, "malformed frame");
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	/* forward_turn, after every turn of the loop, does the rest */
}

int
forward_open(struct front *f, int fd, const struct forward_calls *calls)
{
	struct forward *w = &f->forward;

	memset(w, 0, sizeof(*w));
	w->calls = calls;
	TAILQ_INIT(&w->waiting);
	w->channel = ipc_channel_new(fd, IPC_MAX_BODY);
	if (w->channel == NULL)
		return KMS_E_NO_MEMORY;
	event_assign(&w->readable, f->base, fd, EV_READ | EV_PERSIST, on_readable, f);
	event_assign(&w->writable, f->base, fd, EV_WRITE | EV_PERSIST, on_writable, f);
	event_add(&w->readable, NULL);
	return KMS_OK;
}

void
forward_close(struct front *f)
{
	struct forward *w = &f->forward;

	if (w->channel == NULL)
		return;
	event_del(&w->readable);
	event_del(&w->writable);
	ipc_channel_free(w->channel);
	w->channel = NULL;
}

int
forward_ready(struct front *f, uint32_t layers)
{
	struct ipc_frame frame = { .verb = IPC_FRONT_READY, .length = 8 };
	struct wire_writer out;
	uint8_t body[8];

	wire_writer_init(&out, body, sizeof(body));
	wire_put_u32(&out, IPC_VERSION);
	wire_put_u32(&out, layers);
	return ipc_channel_put(f->forward.channel, &frame, body);
}

uint8_t *
forward_room(struct front *f, size_t size)
{
	return ipc_channel_reserve(f->forward.channel, size);
}

static struct ipc_frame
request_frame(const struct connection *c, uint8_t verb, uint32_t length)
{
	struct ipc_frame frame = {
		.length = length,
		.verb = verb,
		.port = c->port,
		.token = connection_token(c),
	};

	memcpy(frame.address, c->address, sizeof(frame.address));
	return frame;
}

static int
forward_asked(struct forward *w, int status)
{
	if (status == KMS_OK) {
		w->credits--;
		w->asked++;
	}
	return status;
}

int
forward_commit(struct front *f, const struct connection *c, uint8_t verb, uint32_t length)
{
	struct ipc_frame frame = request_frame(c, verb, length);

	return forward_asked(&f->forward, ipc_channel_commit(f->forward.channel, &frame));
}

int
forward_put(
    struct front *f, const struct connection *c, uint8_t verb, const uint8_t *body, uint32_t length)
{
	struct ipc_frame frame = request_frame(c, verb, length);

	return forward_asked(&f->forward, ipc_channel_put(f->forward.channel, &frame, body));
}

void
forward_tell(
    struct front *f, const struct connection *c, uint8_t verb, const uint8_t *body, uint32_t length)
{
	struct ipc_frame frame = request_frame(c, verb, length);

	/* If the channel is full, the peer does not read: forward_turn finds out. */
	if (!f->broken)
		ipc_channel_put(f->forward.channel, &frame, body);
}

bool
forward_wait(struct front *f, struct connection *c)
{
	struct forward *w = &f->forward;

	if (w->waiting_count >= w->waiting_max)
		return false;
	TAILQ_INSERT_TAIL(&w->waiting, c, queued);
	w->waiting_count++;
	return true;
}

void
forward_unwait(struct front *f, struct connection *c)
{
	TAILQ_REMOVE(&f->forward.waiting, c, queued);
	f->forward.waiting_count--;
}

void
forward_turn(struct front *f)
{
	struct forward *w = &f->forward;
	struct connection *c;
	bool pending;

	while (w->credits > 0 && (c = TAILQ_FIRST(&w->waiting)) != NULL) {
		forward_unwait(f, c);
		w->calls->resume(c);
	}
	if (f->broken)
		return;
	if (ipc_channel_flush(w->channel) != KMS_OK) {
		forward_broken(f, "channel closed");
		return;
	}
	pending = ipc_channel_pending(w->channel);
	if (pending == w->writing)
		return;
	w->writing = pending;
	if (pending)
		event_add(&w->writable, NULL);
	else
		event_del(&w->writable);
}
