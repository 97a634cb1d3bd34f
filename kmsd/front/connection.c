/*
 * connection.c - from readable to request, from reply to sent. An ordinary renewal costs one recv
 * into the channel's own buffer, a look at twelve bytes, and one send: no allocation, no timer, no
 * change of the event.
 */
#include "kmsd/front/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/front/evict.h"
#include "kmsd/front/front.h"
#include "kmsd/front/proxy.h"
#include "libkms/base/address.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

#define CONNECTION_ROOM (FRAME_HEADER + FRAME_MAX_REQUEST)
/* What a refused client may still send before its connection is closed. */
#define CONNECTION_DRAIN (256 * 1024)
#define RPC_FIRST_OCTET 5
/*
 * A client needs one HELLO and perhaps an error before its first REPLY. One that gets nothing but
 * such answers only holds the connection.
 */
#define UNSERVED_MOST 8

static const uint8_t magic[4] = { 'K', 'M', 'S', 'D' };

static void on_event(evutil_socket_t fd, short what, void *arg);
static void connection_parse(struct connection *c, uint8_t *data, size_t len);

void
connection_watch(struct connection *c, short what)
{
	if (c->watching == what)
		return;
	if (c->watching != 0)
		event_del(&c->event);
	c->watching = (uint8_t)what;
	if (what == 0)
		return;
	event_assign(&c->event, c->front->base, c->fd, (short)(what | EV_PERSIST), on_event, c);
	event_add(&c->event, NULL);
}

void
connection_deadline(struct connection *c, enum deadline kind)
{
	deadline_set(&c->front->deadlines, c, kind, c->front->now);
}

/* At the limit of its source, a connection of the same source that is idle gives way. */
static int
enter(struct front *f, const uint8_t address[16], bool *counted)
{
	int rc = KMS_OK;

	*counted = !networks_have(f->exempt.at, f->exempt.count, address);
	if (*counted)
		rc = throttle_enter(&f->throttle, address);
	if (rc == KMS_E_LIMIT && evict(f, address))
		rc = throttle_enter(&f->throttle, address);
	if (rc == KMS_E_LIMIT)
		log_limited(LOG_NOTICE, "source-limit",
		    "[limits] connections_per_source allows %u connections of one address",
		    f->throttle.per_source);
	return rc;
}

int
connection_open(struct front *f, int fd, const uint8_t address[16], uint16_t port)
{
	bool proxied = networks_have(f->proxies.at, f->proxies.count, address), counted = false;
	struct connection *c;
	int rc;

	/* What counts is the source that the balancer names. */
	if (!proxied && (rc = enter(f, address, &counted)) != KMS_OK)
		return rc;
	if ((c = connections_take(&f->connections)) == NULL) {
		if (counted)
			throttle_leave(&f->throttle, address);
		return KMS_E_NO_MEMORY;
	}
	c->front = f;
	c->proxied = proxied;
	c->counted = counted;
	c->fd = fd;
	memcpy(c->address, address, sizeof(c->address));
	c->port = port;
	c->state = CONNECTION_READING;
	connection_deadline(c, DEADLINE_FIRST);
	connection_watch(c, EV_READ);
	f->stats.accepted++;
	return KMS_OK;
}

static void
drop_input(struct connection *c)
{
	free(c->in);
	c->in = NULL;
	c->in_len = 0;
}

static void
drop_output(struct connection *c)
{
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_len = 0;
}

void
connection_close(struct connection *c)
{
	struct front *f = c->front;

	if (c->state == CONNECTION_WAITING)
		forward_unwait(f, c);
	if (c->conversation != NULL)
		f->relay.calls->free(c);
	connection_watch(c, 0);
	deadline_set(&f->deadlines, c, DEADLINE_NONE, f->now);
	drop_input(c);
	drop_output(c);
	close(c->fd);
	if (c->counted)
		throttle_leave(&f->throttle, c->address);
	f->stats.closed++;
	connections_give(&f->connections, c);
}

/*
 * The last frame is sent. Closing with unread bytes would make the kernel send a reset, which can
 * overtake that frame: so half-close, and read on until the client closes.
 */
static void
connection_drain(struct connection *c)
{
	if (c->front->stopping) {
		connection_close(c);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	drop_input(c);
	c->state = CONNECTION_DRAINING;
	c->drained = 0;
	connection_deadline(c, DEADLINE_FRAME);
	connection_watch(c, EV_READ);
}

/*
 * Has this client connected without sending its request yet (nothing so far, or only HELLO)?
 * During a stop, such a client gets a moment, so that what it began is answered.
 */
static bool
expected(const struct connection *c)
{
	return c->front->lingering &&
	       (c->deadline == DEADLINE_FIRST || c->deadline == DEADLINE_FRAME || c->greeted);
}

/*
 * Only a REPLY earns the long time between requests. After a HELLO or an error the time runs on
 * that was running before, so that nobody holds a connection by asking for nothing.
 */
static void
wait_for_next(struct connection *c)
{
	if (c->in != NULL)
		connection_deadline(c, DEADLINE_FRAME);
	else if (c->unserved == 0)
		connection_deadline(c, DEADLINE_IDLE);
	else if (c->deadline != DEADLINE_FIRST && c->deadline != DEADLINE_IDLE)
		connection_deadline(c, DEADLINE_FIRST);
}

/* The reply is sent: go on to the next request, a part of which may have arrived. */
static void
connection_answered(struct connection *c)
{
	if (c->closing || c->unserved == UNSERVED_MOST) {
		connection_drain(c);
		return;
	}
	c->state = CONNECTION_READING;
	if (c->front->stopping && !expected(c)) {
		connection_close(c);
		return;
	}
	wait_for_next(c);
	connection_watch(c, EV_READ);
	if (c->in != NULL)
		connection_parse(c, c->in, c->in_len);
}

void
connection_reply(struct connection *c, const uint8_t *frame, size_t len, bool close_after)
{
	ssize_t n = send(c->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	c->closing = close_after;
	c->unserved = frame[FRAME_TYPE_AT] == FRAME_REPLY ? 0 : (uint8_t)(c->unserved + 1);
	if (n == (ssize_t)len) {
		connection_answered(c);
		return;
	}
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR) {
			connection_close(c);
			return;
		}
		n = 0;
	}
	c->out = malloc(len - (size_t)n);
	if (c->out == NULL) {
		connection_close(c);
		return;
	}
	memcpy(c->out, frame + n, len - (size_t)n);
	c->out_at = 0;
	c->out_len = (uint32_t)(len - (size_t)n);
	c->state = CONNECTION_ANSWERING;
	connection_deadline(c, DEADLINE_SEND);
	connection_watch(c, EV_WRITE);
}

static void
connection_write_on(struct connection *c)
{
	ssize_t n =
	    send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			connection_close(c);
		return;
	}
	c->out_at += (uint32_t)n;
	if (c->out_at < c->out_len)
		return;
	drop_output(c);
	connection_answered(c);
}

static void
connection_error(
    struct connection *c, uint8_t version, uint32_t status, uint32_t retry_after, bool close_after)
{
	uint8_t frame[FRAME_ERROR_SIZE];
	struct frame_error e = {
		.version = version,
		.status = status,
		.retry_after = retry_after,
		.time = (uint64_t)time(NULL),
	};

	frame_error_encode(frame, &e);
	connection_reply(c, frame, sizeof(frame), close_after);
}

/* What can be wrong with a frame, its name in the log, and whether the client is told. */
static const struct refusal {
	int status;
	const char *event;
	const char *text;
	bool answer;
} refusals[] = {
	{ KMS_E_BAD_VERSION, "bad-version", "protocol version not supported", true },
	{ KMS_E_TOO_LARGE, "frame-too-large", "longer than a client may send", true },
	{ KMS_E_BAD_FRAME, "bad-frame", "a type that a client may not send", true },
	{ KMS_E_TRUNCATED, "bad-frame", "connection closed within a frame", false },
	{ KMS_E_NOT_COVERED, "relay-not-configured", "a DCE/RPC client, but no relay is configured",
	    false },
	{ KMS_E_ARGUMENT, "bad-proxy-header",
	    "[limits] proxies names it, but it sends no PROXY header", false },
	/* last, and for anything else */
	{ KMS_E_FORMAT, "bad-frame", "not a frame of this protocol", false },
};

/* version: of the frame that is refused, 0 when there is none. */
static void
connection_refuse(struct connection *c, int status, uint8_t version)
{
	const struct refusal *r = refusals;
	char peer[ADDRESS_PORT_TEXT];

	while (r->status != status && r->status != KMS_E_FORMAT)
		r++;
	c->front->stats.refused_frames++;
	log_limited(
	    LOG_NOTICE, r->event, "%s: %s", address_port_text(peer, c->address, c->port), r->text);
	if (r->answer)
		connection_error(c, version, (uint32_t)status, 0, true);
	else
		connection_close(c);
}

/*
 * The frame that begins at data: KMS_OK and its size; KMS_E_TIMEOUT: more bytes must come; or the
 * refusal.
 */
static int
frame_look(const uint8_t *data, size_t len, struct frame *out)
{
	int rc;

	out->version = 0;
	if (data[0] == RPC_FIRST_OCTET)
		return KMS_E_NOT_COVERED;
	if (memcmp(data, magic, len < sizeof(magic) ? len : sizeof(magic)) != 0)
		return KMS_E_FORMAT;
	if (len < FRAME_HEADER)
		return KMS_E_TIMEOUT;
	rc = frame_decode(out, data, FRAME_MAX_REQUEST);
	if (rc == KMS_E_BAD_VERSION)
		return rc;
	if (out->flags != 0)
		return KMS_E_FORMAT;
	if (out->type != FRAME_HELLO && out->type != FRAME_REQUEST)
		return KMS_E_BAD_FRAME;
	if (rc != KMS_OK)
		return rc;
	return len < FRAME_HEADER + out->length ? KMS_E_TIMEOUT : KMS_OK;
}

/* Keep len bytes for later; they may lie in the same buffer. */
static bool
keep_input(struct connection *c, const uint8_t *data, size_t len)
{
	if (c->in == NULL && (c->in = malloc(CONNECTION_ROOM)) == NULL) {
		connection_close(c);
		return false;
	}
	memmove(c->in, data, len);
	c->in_len = (uint16_t)len;
	return true;
}

static void
connection_forward(struct connection *c, uint8_t *data, size_t len, const struct frame *frame)
{
	struct front *f = c->front;
	size_t size = FRAME_HEADER + frame->length, rest = len - size;
	uint8_t verb = frame->type == FRAME_HELLO ? IPC_HELLO : IPC_REQUEST;
	int rc;

	if (data == c->in)
		rc = forward_put(f, c, verb, data, (uint32_t)size);
	else
		rc = forward_commit(f, c, verb, (uint32_t)size);
	if (rc != KMS_OK) {
		connection_error(c, 0, KMS_E_OVERLOAD, 1, true);
		return;
	}
	f->stats.requests++;
	c->state = CONNECTION_ASKED;
	c->greeted = verb == IPC_HELLO;
	if (rest == 0)
		drop_input(c);
	else if (keep_input(c, data + size, rest))
		connection_watch(c, 0);
}

/* Too many wait already: say so, and keep the connection. Clients retry at different times. */
static void
connection_overload(
    struct connection *c, const uint8_t *data, size_t len, const struct frame *frame)
{
	struct front *f = c->front;
	size_t size = FRAME_HEADER + frame->length;

	f->stats.refused_frames++;
	log_limited(LOG_WARNING, "overload",
	    "%u requests wait for kmsd-activate: clients are told to retry",
	    f->forward.waiting_count);
	if (len == size)
		drop_input(c);
	else if (!keep_input(c, data + size, len - size))
		return;
	connection_error(c, 0, KMS_E_OVERLOAD, 1 + (uint32_t)(f->stats.refused_frames % 4), false);
}

/* A Windows client: the relay takes it over, with the bytes that have arrived. */
static void
connection_relay(struct connection *c, const uint8_t *data, size_t len)
{
	uint8_t *copy = c->front->relay.scratch;

	_Static_assert(
	    CONNECTION_ROOM <= sizeof(((struct relay *)0)->scratch), "all that was read fits");
	memcpy(copy, data, len);
	drop_input(c);
	c->front->relay.calls->open(c, copy, len);
}

/* One frame, and no waiting for the client to read it: whoever finds no room gets none. */
void
connection_turn_away(int fd)
{
	uint8_t frame[FRAME_ERROR_SIZE];
	struct frame_error e = {
		.status = KMS_E_OVERLOAD,
		.retry_after = CONNECTION_RETRY,
		.time = (uint64_t)time(NULL),
	};

	frame_error_encode(frame, &e);
	send(fd, frame, sizeof(frame), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Its address is known now: it is counted, or there are too many of it. False: it was closed. */
static bool
proxy_take(struct connection *c, const struct proxy_header *h)
{
	int rc = KMS_OK;
	bool counted = false;

	c->proxied = false;
	if (h->named) {
		memcpy(c->address, h->address, sizeof(c->address));
		c->port = h->port;
		/* Counted only afterwards: what gives way must not be this connection. */
		rc = enter(c->front, c->address, &counted);
		c->counted = counted && rc == KMS_OK;
	}
	if (rc == KMS_OK)
		return true;
	c->front->stats.refused_connections++;
	connection_turn_away(c->fd);
	connection_close(c);
	return false;
}

/* The bytes of a balancer's connection before it is known who the client is. */
static void
proxy_begin(struct connection *c, const uint8_t *data, size_t len)
{
	struct proxy_header h;
	int rc = proxy_parse(&h, data, len);

	_Static_assert(PROXY_MAX <= CONNECTION_ROOM, "a whole header can be kept");
	if (rc == KMS_E_TIMEOUT) {
		keep_input(c, data, len);
		return;
	}
	if (rc != KMS_OK) {
		connection_refuse(c, KMS_E_ARGUMENT, 0);
		return;
	}
	if (len == h.size)
		drop_input(c);
	else if (!keep_input(c, data + h.size, len - h.size))
		return;
	if (proxy_take(c, &h) && c->in != NULL)
		connection_parse(c, c->in, c->in_len);
}

static void
connection_parse(struct connection *c, uint8_t *data, size_t len)
{
	struct frame frame = { 0 };
	int rc;

	if (c->proxied) {
		proxy_begin(c, data, len);
		return;
	}

	if (data[0] == RPC_FIRST_OCTET && c->front->relay.calls != NULL) {
		connection_relay(c, data, len);
		return;
	}
	rc = frame_look(data, len, &frame);

	if (rc == KMS_E_TIMEOUT) {
		if (keep_input(c, data, len) && c->deadline != DEADLINE_FRAME)
			connection_deadline(c, DEADLINE_FRAME);
	} else if (rc != KMS_OK) {
		connection_refuse(c, rc, frame.version);
	} else if (c->front->forward.credits > 0) {
		connection_forward(c, data, len, &frame);
	} else if (data == c->in && forward_wait(c->front, c)) {
		/* a complete frame is kept until its turn comes */
		c->state = CONNECTION_WAITING;
		connection_watch(c, 0);
	} else {
		connection_overload(c, data, len, &frame);
	}
}

static void
connection_read(struct connection *c)
{
	struct front *f = c->front;
	uint8_t overflow[CONNECTION_ROOM], *room;
	ssize_t n;

	if (c->in != NULL)
		room = c->in;
	else if (f->forward.credits == 0 || (room = forward_room(f, CONNECTION_ROOM)) == NULL)
		room = overflow;
	n = recv(c->fd, room + c->in_len, CONNECTION_ROOM - c->in_len, MSG_DONTWAIT);
	if (n > 0) {
		connection_parse(c, room, c->in_len + (size_t)n);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (c->in_len > 0)
		connection_refuse(c, KMS_E_TRUNCATED, 0);
	else
		connection_close(c);
}

static void
connection_discard(struct connection *c)
{
	uint8_t waste[16384];
	ssize_t n = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (c->drained += (uint32_t)n) > CONNECTION_DRAIN)
		connection_close(c);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	switch (c->state) {
	case CONNECTION_READING:
		/* Without a credit nothing is read: the bytes wait in the kernel. */
		if (c->front->forward.credits == 0 && forward_wait(c->front, c)) {
			c->state = CONNECTION_WAITING;
			connection_watch(c, 0);
		} else {
			connection_read(c);
		}
		break;
	case CONNECTION_RELAYED:
		c->front->relay.calls->event(c, what);
		break;
	case CONNECTION_ANSWERING:
		connection_write_on(c);
		break;
	case CONNECTION_DRAINING:
		connection_discard(c);
		break;
	default:
		/*
		 * It sends something (or has left) before it has its reply: look again after the
		 * reply.
		 */
		connection_watch(c, 0);
	}
}

static void
connection_resume(struct connection *c)
{
	struct frame frame;

	c->state = CONNECTION_READING;
	connection_watch(c, EV_READ);
	if (c->in != NULL && frame_look(c->in, c->in_len, &frame) == KMS_OK)
		connection_parse(c, c->in, c->in_len);
	else
		connection_read(c);
	if (c->front->stopping && c->state == CONNECTION_READING && !expected(c))
		connection_close(c);
}

void
connection_expired(struct connection *c)
{
	static const struct {
		const char *event, *text;
	} lines[DEADLINES] = {
		[DEADLINE_FIRST] = { "silent-connection", "sent no request" },
		[DEADLINE_FRAME] = { "slow-sender", "frame not complete in time" },
		[DEADLINE_ANSWER] = { "no-answer", "kmsd-activate does not answer" },
		[DEADLINE_SEND] = { "slow-reader", "does not read its reply" },
	};
	char peer[ADDRESS_PORT_TEXT];

	if ((c->state == CONNECTION_ASKED || c->state == CONNECTION_WAITING) &&
	    c->deadline != DEADLINE_ANSWER) {
		/*
		 * it waits for us, not we for it: this deadline begins only here, outside the hot
		 * path
		 */
		connection_deadline(c, DEADLINE_ANSWER);
		return;
	}
	c->front->stats.timeouts++;
	if (lines[c->deadline].event != NULL && c->state != CONNECTION_DRAINING)
		log_limited(LOG_NOTICE, lines[c->deadline].event, "%s: %s",
		    address_port_text(peer, c->address, c->port), lines[c->deadline].text);
	connection_close(c);
}

void
connections_stop(struct front *f)
{
	struct connection *c;

	for (uint32_t i = 0; (c = connections_at(&f->connections, i)) != NULL; i++) {
		if (c->state == CONNECTION_READING)
			connection_read(c);
		if (c->state == CONNECTION_DRAINING ||
		    (c->state == CONNECTION_READING && !expected(c)) ||
		    (c->state == CONNECTION_RELAYED && !f->relay.calls->busy(c)))
			connection_close(c);
	}
}

const struct forward_calls connection_calls = {
	.reply = connection_reply,
	.resume = connection_resume,
	.close = connection_close,
};
