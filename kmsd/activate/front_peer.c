/*
 * front_peer.c - frames of a front: what it may send when, its credits, and the end
 * of a channel that breaks the rules. kmsd starts another front.
 */
#include "kmsd/activate/front_peer.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/pending.h"
#include "kmsd/common/log.h"
#include "kmsd/ipc/channel.h"
#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"

/* The longest that is reserved for an answer: a HELLO_REPLY with the largest certificate and a
 * rotation. */
#define ANSWER_MAX (FRAME_HEADER + CERTIFICATE_MAX + ROTATION_SIZE + 64)
#define HALF_LEAST 24    /* frames; a batch of so many is worth its fdatasync */
#define STATS_UNASKED 64 /* FRONT_STATS frames between two of our questions */

struct peer {
	struct peer *next;
	struct activate *activate;
	struct ipc_channel *channel;
	struct event *readable, *writable;
	unsigned index;
	bool ready;
	bool dead; /* freed at the end of the turn: slots may still point here */
	uint32_t credits, in_flight;
	uint32_t layers;
	unsigned stats_left;
	struct relayed_bucket relayed;
	uint64_t requests, replies;
	bool have_stats;
	struct ipc_front_stats stats;
};

static void
give_up(struct peer *p)
{
	p->dead = true;
	event_del(p->readable);
	event_del(p->writable);
}

static int
broken(struct peer *p, const char *event, const char *what)
{
	log_limited(LOG_ERR, event, "front %u: %s; its channel is closed", p->index, what);
	return KMS_E_PEER;
}

static void
send_small(struct peer *p, uint8_t verb, const void *body, uint32_t len)
{
	struct ipc_frame f = { .verb = verb, .length = len };

	if (ipc_channel_put(p->channel, &f, body) != KMS_OK)
		give_up(p);
}

static int
on_ready(struct peer *p, const struct ipc_frame *f, const uint8_t *body)
{
	uint8_t welcome[8];
	struct wire_reader r;
	struct wire_writer w;
	uint32_t version;

	wire_reader_init(&r, body, f->length);
	version = wire_get_u32(&r);
	p->layers = wire_get_u32(&r);
	if (p->ready || wire_finish(&r) != KMS_OK)
		return broken(p, "peer-ready", "ready twice, or a malformed READY");
	if (version != IPC_VERSION)
		return broken(
		    p, "peer-version", "speaks another version: reinstall, all of one build");
	p->ready = true;
	wire_writer_init(&w, welcome, sizeof(welcome));
	wire_put_u32(&w, IPC_VERSION);
	wire_put_u32(&w, p->credits);
	send_small(p, IPC_WELCOME, welcome, sizeof(welcome));
	return KMS_OK;
}

static int
on_hello(struct peer *p, const struct ipc_frame *f, const uint8_t *body)
{
	activate_hello(p->activate, p, f, body);
	return KMS_OK;
}

static int
on_request(struct peer *p, const struct ipc_frame *f, const uint8_t *body)
{
	activate_request(p->activate, p, f, body);
	return KMS_OK;
}

static int
on_stats(struct peer *p, const struct ipc_frame *f, const uint8_t *body)
{
	if (p->stats_left == 0)
		return broken(p, "peer-stats", "a flood of figures nobody asked for");
	p->stats_left--;
	if (ipc_front_stats_decode(&p->stats, body, f->length) != KMS_OK)
		return broken(p, "peer-stats", "malformed figures");
	p->have_stats = true;
	return KMS_OK;
}

static int
on_relayed(struct peer *p, const struct ipc_frame *f, const uint8_t *body)
{
	if (relayed_take(p->activate, &p->relayed, f, body) != KMS_OK)
		return broken(p, "peer-relayed", "a malformed report of an exchange");
	return KMS_OK;
}

static const struct {
	enum ipc_verb verb;
	bool before_ready, credit;
	int (*handle)(struct peer *p, const struct ipc_frame *f, const uint8_t *body);
} verbs[] = {
	{ IPC_REQUEST, false, true, on_request },
	{ IPC_HELLO, false, true, on_hello },
	{ IPC_FRONT_READY, true, false, on_ready },
	{ IPC_FRONT_STATS, false, false, on_stats },
	{ IPC_RELAYED, false, false, on_relayed },
};

static int
dispatch(struct peer *p, const struct ipc_frame *f, const uint8_t *body)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].verb != f->verb)
			continue;
		if (!p->ready && !verbs[i].before_ready)
			return broken(p, "peer-early", "speaks before it is ready");
		if (f->flags != 0)
			return broken(p, "peer-flags", "sets flags that are ours to set");
		if (verbs[i].credit) {
			if (p->in_flight == p->credits)
				return broken(p, "peer-credit", "sends without credit");
			p->in_flight++;
			p->requests++;
		}
		return verbs[i].handle(p, f, body);
	}
	return broken(p, "peer-verb", "a verb that is not its to send");
}

/*
 * After how many of the waiting frames a batch is closed within a turn; 0: not before its end.
 * While the second half is decided and synced, the front speaks with the clients of the first, and
 * the other way round; one batch of all would leave each idle while the other works.
 */
static size_t
half_way(size_t waiting)
{
	return waiting / 2 >= HALF_LEAST ? waiting / 2 : 0;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	struct ipc_frame f, ahead = { 0 };
	const uint8_t *body, *ahead_body = NULL;
	size_t left;
	int rc, n;

	activate_clock(p->activate);
	if ((rc = ipc_channel_fill(p->channel)) != KMS_OK) {
		log_event(LOG_NOTICE, "peer-closed", "front %u: channel closed", p->index);
		give_up(p);
		return;
	}
	left = half_way(ipc_channel_waiting(p->channel));
	n = ipc_channel_next(p->channel, &f, &body);
	while (!p->dead && n > 0) {
		/* One ahead: both bodies stay where they are until the next fill. */
		n = ipc_channel_next(p->channel, &ahead, &ahead_body);
		if (n > 0)
			activate_expect(p->activate, &ahead, ahead_body);
		if (dispatch(p, &f, body) != KMS_OK)
			give_up(p);
		if (left > 0 && --left == 0) {
			batch_finish(p->activate);
			peer_flush(p);
		}
		f = ahead;
		body = ahead_body;
	}
	if (n < 0 && !p->dead) {
		broken(p, "peer-malformed", "a frame too long or with reserved octets set");
		give_up(p);
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	/* Nothing to do here: the end of each turn flushes every channel. */
}

static void
peer_free(struct peer *p)
{
	if (p->readable != NULL)
		event_free(p->readable);
	if (p->writable != NULL)
		event_free(p->writable);
	ipc_channel_free(p->channel);
	free(p);
}

int
peer_add(struct activate *a, int fd, unsigned index)
{
	struct peer *p = calloc(1, sizeof(*p)), **at = &a->peers;

	if (p == NULL)
		return KMS_E_NO_MEMORY;
	p->activate = a;
	p->index = index;
	p->credits = a->config.credits;
	p->stats_left = STATS_UNASKED;
	if ((p->channel = ipc_channel_new(fd, IPC_MAX_TO_ACTIVATE)) == NULL) {
		free(p);
		return KMS_E_NO_MEMORY;
	}
	ipc_channel_queue_for(p->channel, p->credits + 1, ANSWER_MAX);
	p->readable = event_new(a->base, fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable = event_new(a->base, fd, EV_WRITE, on_writable, p);
	if (p->readable == NULL || p->writable == NULL || event_add(p->readable, NULL) != 0) {
		peer_free(p);
		return KMS_E_NO_MEMORY;
	}
	for (struct peer *old = a->peers; old != NULL; old = old->next) {
		if (old->index == index && !old->dead)
			give_up(old);
	}
	/* In the fronts' order, as status shows them. */
	while (*at != NULL && (*at)->index < index)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
	return KMS_OK;
}

void
peer_free_all(struct activate *a)
{
	struct peer *p;

	while ((p = a->peers) != NULL) {
		a->peers = p->next;
		peer_free(p);
	}
}

uint8_t *
peer_reserve(struct peer *p, size_t size)
{
	uint8_t *room;

	if (p->dead)
		return NULL;
	if ((room = ipc_channel_reserve(p->channel, size)) != NULL)
		return room;
	broken(p, "peer-stuck", "does not read its replies");
	give_up(p);
	return NULL;
}

void
peer_commit(struct peer *p, uint64_t token, uint8_t flags, size_t len)
{
	struct ipc_frame f = {
		.verb = IPC_REPLY,
		.flags = len > 0 ? flags : IPC_CLOSE,
		.token = token,
		.length = (uint32_t)len,
	};

	if (p->in_flight > 0)
		p->in_flight--;
	p->replies++;
	if (ipc_channel_commit(p->channel, &f) != KMS_OK)
		give_up(p);
}

void
peer_flush(struct peer *p)
{
	if (!p->dead && ipc_channel_flush(p->channel) != KMS_OK)
		give_up(p);
}

void
peer_flush_all(struct activate *a)
{
	struct peer **at = &a->peers, *p;

	while ((p = *at) != NULL) {
		if (!p->dead && ipc_channel_pending(p->channel)) {
			if (ipc_channel_flush(p->channel) != KMS_OK)
				give_up(p);
			else if (ipc_channel_pending(p->channel))
				event_add(p->writable, NULL);
		}
		if (p->dead) {
			*at = p->next;
			peer_free(p);
		} else {
			at = &p->next;
		}
	}
}

bool
peer_pending_any(const struct activate *a)
{
	for (const struct peer *p = a->peers; p != NULL; p = p->next) {
		if (!p->dead && ipc_channel_pending(p->channel))
			return true;
	}
	return false;
}

void
peer_ask_stats(struct activate *a)
{
	for (struct peer *p = a->peers; p != NULL; p = p->next) {
		if (p->dead || !p->ready)
			continue;
		p->stats_left = STATS_UNASKED;
		/* A front that does not read gets no more questions. */
		if (!ipc_channel_pending(p->channel))
			send_small(p, IPC_STATS_ASK, NULL, 0);
	}
}

void
peer_each(const struct activate *a, void (*fn)(const struct peer_info *i, void *arg), void *arg)
{
	for (const struct peer *p = a->peers; p != NULL; p = p->next) {
		struct peer_info i = {
			.index = p->index,
			.ready = p->ready,
			.layers = p->layers,
			.credits = p->credits,
			.in_flight = p->in_flight,
			.requests = p->requests,
			.replies = p->replies,
			.have_stats = p->have_stats,
			.stats = p->stats,
		};

		if (!p->dead)
			fn(&i, arg);
	}
}
