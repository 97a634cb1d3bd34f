/*
 * connection.c - from readable to request, from reply to sent. The way of an
 * ordinary renewal is: one recv into the channel's own buffer, a look at twelve octets, and one
 * send; no allocation, no timer, no change of the event.
 */
#include "kmsd/front/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/front/client_address.h"
#include "kmsd/front/front.h"
#include "kmsd/front/relay/conversation.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

#define SESSION_ROOM (FRAME_HEADER + FRAME_MAX_REQUEST)
/* What a refused client may still send before we stop being polite. */
#define SESSION_DRAIN (256 * 1024)
#define RPC_FIRST_OCTET 5

static const uint8_t magic[4] = { 'K', 'M', 'S', 'D' };

static void on_event(evutil_socket_t fd, short what, void *arg);
static void session_parse(struct session *s, uint8_t *data, size_t len);

void
session_watch(struct session *s, short what)
{
	if (s->watching == what)
		return;
	if (s->watching != 0)
		event_del(&s->event);
	s->watching = (uint8_t)what;
	if (what == 0)
		return;
	event_assign(&s->event, s->front->base, s->fd, (short)(what | EV_PERSIST), on_event, s);
	event_add(&s->event, NULL);
}

void
session_deadline(struct session *s, enum deadline kind)
{
	deadline_set(&s->front->deadlines, s, kind, s->front->now);
}

int
session_open(struct front *f, int fd, const uint8_t address[16], uint16_t port)
{
	struct session *s = sessions_take(&f->sessions);

	if (s == NULL) {
		close(fd);
		return KMS_E_NO_MEMORY;
	}
	s->front = f;
	s->fd = fd;
	memcpy(s->address, address, sizeof(s->address));
	s->port = port;
	s->state = SESSION_READING;
	session_deadline(s, DEADLINE_FIRST);
	session_watch(s, EV_READ);
	f->stats.accepted++;
	return KMS_OK;
}

static void
drop_input(struct session *s)
{
	free(s->in);
	s->in = NULL;
	s->in_len = 0;
}

static void
drop_output(struct session *s)
{
	free(s->out);
	s->out = NULL;
	s->out_at = s->out_len = 0;
}

void
session_close(struct session *s)
{
	struct front *f = s->front;

	if (s->state == SESSION_WAITING)
		forward_unwait(f, s);
	relayed_free(s);
	session_watch(s, 0);
	deadline_set(&f->deadlines, s, DEADLINE_NONE, f->now);
	drop_input(s);
	drop_output(s);
	close(s->fd);
	throttle_leave(&f->throttle, s->address);
	f->stats.closed++;
	sessions_give(&f->sessions, s);
	if (f->listeners.paused)
		listeners_resume(f);
}

/*
 * The last word is out. Closing with octets unread would make the kernel send
 * a reset, which can overtake that word: so half-close, and read on until the client closes.
 */
static void
session_drain(struct session *s)
{
	if (s->front->stopping) {
		session_close(s);
		return;
	}
	shutdown(s->fd, SHUT_WR);
	drop_input(s);
	s->state = SESSION_DRAINING;
	s->drained = 0;
	session_deadline(s, DEADLINE_FRAME);
	session_watch(s, EV_READ);
}

/*
 * Whether a client that has connected for a request is still to send it: it has said nothing yet,
 * or HELLO. During the stop such a one gets a moment, so that what was begun is answered.
 */
static bool
expected(const struct session *s)
{
	return s->front->lingering &&
	       (s->deadline == DEADLINE_FIRST || s->deadline == DEADLINE_FRAME || s->greeted);
}

/* The reply is out: on to the next request, of which a part may already be here. */
static void
session_answered(struct session *s)
{
	if (s->closing) {
		session_drain(s);
		return;
	}
	s->state = SESSION_READING;
	if (s->front->stopping && !expected(s)) {
		session_close(s);
		return;
	}
	session_deadline(s, s->in == NULL ? DEADLINE_IDLE : DEADLINE_FRAME);
	session_watch(s, EV_READ);
	if (s->in != NULL)
		session_parse(s, s->in, s->in_len);
}

void
session_reply(struct session *s, const uint8_t *frame, size_t len, bool close_after)
{
	ssize_t n = send(s->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	s->closing = close_after;
	if (n == (ssize_t)len) {
		session_answered(s);
		return;
	}
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR) {
			session_close(s);
			return;
		}
		n = 0;
	}
	s->out = malloc(len - (size_t)n);
	if (s->out == NULL) {
		session_close(s);
		return;
	}
	memcpy(s->out, frame + n, len - (size_t)n);
	s->out_at = 0;
	s->out_len = (uint32_t)(len - (size_t)n);
	s->state = SESSION_ANSWERING;
	session_deadline(s, DEADLINE_SEND);
	session_watch(s, EV_WRITE);
}

static void
session_write_on(struct session *s)
{
	ssize_t n =
	    send(s->fd, s->out + s->out_at, s->out_len - s->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			session_close(s);
		return;
	}
	s->out_at += (uint32_t)n;
	if (s->out_at < s->out_len)
		return;
	drop_output(s);
	session_answered(s);
}

static void
session_error(struct session *s, uint32_t status, uint32_t retry_after, bool close_after)
{
	uint8_t frame[FRAME_ERROR_SIZE];
	struct frame_error e = {
		.status = status,
		.retry_after = retry_after,
		.time = (uint64_t)time(NULL),
	};

	frame_error_encode(frame, &e);
	session_reply(s, frame, sizeof(frame), close_after);
}

/* What is wrong with a frame, its name in the log, and whether the client is told. */
static const struct refusal {
	int status;
	const char *event;
	const char *text;
	bool answer;
} refusals[] = {
	{ KMS_E_BAD_VERSION, "bad-version", "protocol version not spoken here", true },
	{ KMS_E_TOO_LARGE, "frame-too-large", "longer than a client may send", true },
	{ KMS_E_BAD_FRAME, "bad-frame", "a type that a client may not send", true },
	{ KMS_E_TRUNCATED, "bad-frame", "connection closed within a frame", false },
	{ KMS_E_NOT_COVERED, "relay-not-configured", "a DCE/RPC client, and no relay is set up",
	    false },
	/* last, and for anything else */
	{ KMS_E_FORMAT, "bad-frame", "not a frame of this protocol", false },
};

static void
session_refuse(struct session *s, int status)
{
	const struct refusal *r = refusals;
	char peer[PEER_TEXT];

	while (r->status != status && r->status != KMS_E_FORMAT)
		r++;
	s->front->stats.refused_frames++;
	log_limited(LOG_NOTICE, r->event, "%s: %s", peer_text(peer, s->address, s->port), r->text);
	if (r->answer)
		session_error(s, (uint32_t)status, 0, true);
	else
		session_close(s);
}

/* How the frame that begins at data stands: KMS_OK and its size, KMS_E_TIMEOUT: more must come, or
 * a refusal. */
static int
frame_look(const uint8_t *data, size_t len, struct frame *out)
{
	int status;

	if (data[0] == RPC_FIRST_OCTET)
		return KMS_E_NOT_COVERED;
	if (memcmp(data, magic, len < sizeof(magic) ? len : sizeof(magic)) != 0)
		return KMS_E_FORMAT;
	if (len < FRAME_HEADER)
		return KMS_E_TIMEOUT;
	status = frame_decode(out, data, FRAME_MAX_REQUEST);
	if (status == KMS_E_BAD_VERSION)
		return status;
	if (out->flags != 0)
		return KMS_E_FORMAT;
	if (out->type != FRAME_HELLO && out->type != FRAME_REQUEST)
		return KMS_E_BAD_FRAME;
	if (status != KMS_OK)
		return status;
	return len < FRAME_HEADER + out->length ? KMS_E_TIMEOUT : KMS_OK;
}

/* Keep len octets for later; they may lie in the same buffer. */
static bool
keep_input(struct session *s, const uint8_t *data, size_t len)
{
	if (s->in == NULL && (s->in = malloc(SESSION_ROOM)) == NULL) {
		session_close(s);
		return false;
	}
	memmove(s->in, data, len);
	s->in_len = (uint16_t)len;
	return true;
}

static void
session_forward(struct session *s, uint8_t *data, size_t len, const struct frame *frame)
{
	struct front *f = s->front;
	size_t size = FRAME_HEADER + frame->length, rest = len - size;
	uint8_t verb = frame->type == FRAME_HELLO ? IPC_HELLO : IPC_REQUEST;
	int status;

	if (data == s->in)
		status = forward_put(f, s, verb, data, (uint32_t)size);
	else
		status = forward_commit(f, s, verb, (uint32_t)size);
	if (status != KMS_OK) {
		session_error(s, KMS_E_OVERLOAD, 1, true);
		return;
	}
	f->stats.requests++;
	s->state = SESSION_ASKED;
	s->greeted = verb == IPC_HELLO;
	if (rest == 0)
		drop_input(s);
	else if (keep_input(s, data + size, rest))
		session_watch(s, 0);
}

/* Too many wait already: say so, and keep the connection; a client that retries spreads out. */
static void
session_overload(struct session *s, const uint8_t *data, size_t len, const struct frame *frame)
{
	struct front *f = s->front;
	size_t size = FRAME_HEADER + frame->length;

	f->stats.refused_frames++;
	log_limited(LOG_WARNING, "overload",
	    "%u requests wait for kmsd-activate: clients told to retry", f->forward.waiting_count);
	if (len == size)
		drop_input(s);
	else if (!keep_input(s, data + size, len - size))
		return;
	session_error(s, KMS_E_OVERLOAD, 1 + (uint32_t)(f->stats.refused_frames % 4), false);
}

/* A Windows client: from here on the relay's, with the octets that have come. */
static void
session_relay(struct session *s, const uint8_t *data, size_t len)
{
	uint8_t *copy = s->front->relay.scratch;

	_Static_assert(
	    SESSION_ROOM <= sizeof(((struct relay *)0)->scratch), "all that was read fits");
	memcpy(copy, data, len);
	drop_input(s);
	relayed_open(s, copy, len);
}

static void
session_parse(struct session *s, uint8_t *data, size_t len)
{
	struct frame frame = { 0 };
	int status;

	if (data[0] == RPC_FIRST_OCTET && s->front->relay.configured) {
		session_relay(s, data, len);
		return;
	}
	status = frame_look(data, len, &frame);

	if (status == KMS_E_TIMEOUT) {
		if (keep_input(s, data, len) && s->deadline != DEADLINE_FRAME)
			session_deadline(s, DEADLINE_FRAME);
	} else if (status != KMS_OK) {
		session_refuse(s, status);
	} else if (s->front->forward.credits > 0) {
		session_forward(s, data, len, &frame);
	} else if (data == s->in && forward_wait(s->front, s)) {
		/* a whole frame is kept: it goes when its turn comes */
		s->state = SESSION_WAITING;
		session_watch(s, 0);
	} else {
		session_overload(s, data, len, &frame);
	}
}

static void
session_read(struct session *s)
{
	struct front *f = s->front;
	uint8_t overflow[SESSION_ROOM], *room;
	ssize_t n;

	if (s->in != NULL)
		room = s->in;
	else if (f->forward.credits == 0 || (room = forward_room(f, SESSION_ROOM)) == NULL)
		room = overflow;
	n = recv(s->fd, room + s->in_len, SESSION_ROOM - s->in_len, MSG_DONTWAIT);
	if (n > 0) {
		session_parse(s, room, s->in_len + (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (s->in_len > 0)
		session_refuse(s, KMS_E_TRUNCATED);
	else
		session_close(s);
}

static void
session_discard(struct session *s)
{
	uint8_t waste[16384];
	ssize_t n = recv(s->fd, waste, sizeof(waste), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (s->drained += (uint32_t)n) > SESSION_DRAIN)
		session_close(s);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	switch (s->state) {
	case SESSION_READING:
		/* Without a credit nothing is read: the octets are safe in the kernel. */
		if (s->front->forward.credits == 0 && forward_wait(s->front, s)) {
			s->state = SESSION_WAITING;
			session_watch(s, 0);
		} else {
			session_read(s);
		}
		break;
	case SESSION_RELAYED:
		relayed_event(s, what);
		break;
	case SESSION_ANSWERING:
		session_write_on(s);
		break;
	case SESSION_DRAINING:
		session_discard(s);
		break;
	default:
		/* It speaks (or has gone) before it has its reply: look again after that. */
		session_watch(s, 0);
	}
}

void
session_resume(struct session *s)
{
	struct frame frame;

	s->state = SESSION_READING;
	session_watch(s, EV_READ);
	if (s->in != NULL && frame_look(s->in, s->in_len, &frame) == KMS_OK)
		session_parse(s, s->in, s->in_len);
	else
		session_read(s);
	if (s->front->stopping && s->state == SESSION_READING && !expected(s))
		session_close(s);
}

void
session_expired(struct session *s)
{
	static const struct {
		const char *event, *text;
	} lines[DEADLINES] = {
		[DEADLINE_FIRST] = { "silent-connection", "has said nothing" },
		[DEADLINE_FRAME] = { "slow-sender", "frame not whole in time" },
		[DEADLINE_ANSWER] = { "no-answer", "kmsd-activate does not answer" },
		[DEADLINE_SEND] = { "slow-reader", "does not take its reply" },
	};
	char peer[PEER_TEXT];

	if ((s->state == SESSION_ASKED || s->state == SESSION_WAITING) &&
	    s->deadline != DEADLINE_ANSWER) {
		/* it waits for us, not we for it: that clock begins only now, off the hot path */
		session_deadline(s, DEADLINE_ANSWER);
		return;
	}
	s->front->stats.timeouts++;
	if (lines[s->deadline].event != NULL && s->state != SESSION_DRAINING)
		log_limited(LOG_NOTICE, lines[s->deadline].event, "%s: %s",
		    peer_text(peer, s->address, s->port), lines[s->deadline].text);
	session_close(s);
}

void
sessions_stop(struct front *f)
{
	struct session *s;

	for (uint32_t i = 0; (s = sessions_at(&f->sessions, i)) != NULL; i++) {
		if (s->state == SESSION_READING)
			session_read(s);
		if (s->state == SESSION_DRAINING || (s->state == SESSION_READING && !expected(s)) ||
		    (s->state == SESSION_RELAYED && !relayed_busy(s)))
			session_close(s);
	}
}
