/*
 * front_peer.c - the channels of the fronts: their beginning, the replies, and the end of one
 * that breaks the rules. kmsd starts another front.
 */
#include "kmsd/activate/front_peer.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/common/log.h"
#include "kmsd/ipc/channel.h"
#include "libkms/core/certificate.h"

/* The longest that is reserved for an answer: a HELLO_REPLY with the largest certificate and a
 * rotation. */
#define ANSWER_MAX (FRAME_HEADER + FRAME_MAX_REPLY)
#define STATS_UNASKED 64 /* FRONT_STATS frames between two of our questions */

void
front_peer_give_up(struct front_peer *p)
{
	p->dead = true;
	event_del(p->readable);
	event_del(p->writable);
}

int
front_peer_broken(struct front_peer *p, const char *event, const char *what)
{
	log_limited(LOG_ERR, event, "front %u: %s; its channel is closed", p->index, what);
	return KMS_E_PEER;
}

void
front_peer_send(struct front_peer *p, uint8_t verb, const void *body, uint32_t len)
{
	struct ipc_frame f = { .verb = verb, .length = len };

	if (ipc_channel_put(p->channel, &f, body) != KMS_OK)
		front_peer_give_up(p);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	/* Nothing to do here: the end of each turn flushes every channel. */
}

static void
front_peer_free(struct front_peer *p)
{
	if (p->readable != NULL)
		event_free(p->readable);
	if (p->writable != NULL)
		event_free(p->writable);
	ipc_channel_free(p->channel);
	free(p);
}

int
front_peer_add(struct activate *a, int fd, unsigned index, event_callback_fn readable)
{
	struct front_peer *p = calloc(1, sizeof(*p)), **at = &a->peers;

	if (p == NULL)
		return KMS_E_NO_MEMORY;
	p->activate = a;
	p->index = index;
	p->serial = ++a->peer_serial;
	p->credits = a->config.credits;
	p->stats_left = STATS_UNASKED;
	if ((p->channel = ipc_channel_new(fd, IPC_MAX_TO_ACTIVATE)) == NULL) {
		free(p);
		return KMS_E_NO_MEMORY;
	}
	ipc_channel_queue_for(p->channel, p->credits + 1, ANSWER_MAX);
	p->readable = event_new(a->base, fd, EV_READ | EV_PERSIST, readable, p);
	p->writable = event_new(a->base, fd, EV_WRITE, on_writable, p);
	if (p->readable == NULL || p->writable == NULL || event_add(p->readable, NULL) != 0) {
		front_peer_free(p);
		return KMS_E_NO_MEMORY;
	}
	for (struct front_peer *old = a->peers; old != NULL; old = old->next) {
		if (old->index == index && !old->dead)
			front_peer_give_up(old);
	}
	/* In the fronts' order, as status shows them. */
	while (*at != NULL && (*at)->index < index)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
	return KMS_OK;
}

struct front_peer *
front_peer_find(const struct activate *a, uint64_t serial)
{
	for (struct front_peer *p = a->peers; p != NULL; p = p->next) {
		if (p->serial == serial && !p->dead)
			return p;
	}
	return NULL;
}

void
front_peer_free_all(struct activate *a)
{
	struct front_peer *p;

	while ((p = a->peers) != NULL) {
		a->peers = p->next;
		front_peer_free(p);
	}
}

uint8_t *
front_peer_reserve(struct front_peer *p, size_t size)
{
	uint8_t *room;

	if (p->dead)
		return NULL;
	if ((room = ipc_channel_reserve(p->channel, size)) != NULL)
		return room;
	front_peer_broken(p, "peer-stuck", "does not read its replies");
	front_peer_give_up(p);
	return NULL;
}

void
front_peer_commit(struct front_peer *p, uint64_t token, uint8_t flags, size_t len)
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
		front_peer_give_up(p);
}

void
front_peer_flush(struct front_peer *p)
{
	if (!p->dead && ipc_channel_flush(p->channel) != KMS_OK)
		front_peer_give_up(p);
}

void
front_peer_flush_all(struct activate *a)
{
	struct front_peer **at = &a->peers, *p;

	while ((p = *at) != NULL) {
		if (!p->dead && ipc_channel_pending(p->channel)) {
			if (ipc_channel_flush(p->channel) != KMS_OK)
				front_peer_give_up(p);
			else if (ipc_channel_pending(p->channel))
				event_add(p->writable, NULL);
		}
		if (p->dead) {
			*at = p->next;
			front_peer_free(p);
		} else {
			at = &p->next;
		}
	}
}

bool
front_peer_pending_any(const struct activate *a)
{
	for (const struct front_peer *p = a->peers; p != NULL; p = p->next) {
		if (!p->dead && ipc_channel_pending(p->channel))
			return true;
	}
	return false;
}

void
front_peer_ask_stats(struct activate *a)
{
	for (struct front_peer *p = a->peers; p != NULL; p = p->next) {
		if (p->dead || !p->ready)
			continue;
		p->stats_left = STATS_UNASKED;
		/* A front that does not read is not asked again. */
		if (!ipc_channel_pending(p->channel))
			front_peer_send(p, IPC_STATS_ASK, NULL, 0);
	}
}

bool
front_peer_fresh(const struct front_peer *p)
{
	return p->have_stats && p->stats_left < STATS_UNASKED;
}

void
front_peer_each(
    const struct activate *a, void (*fn)(const struct front_peer *i, void *arg), void *arg)
{
	for (const struct front_peer *p = a->peers; p != NULL; p = p->next) {
		if (!p->dead)
			fn(p, arg);
	}
}
