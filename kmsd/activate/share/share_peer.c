/*
 * share_peer.c - see share_peer.h.
 */
#include "kmsd/activate/share/share_peer.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/log.h"
#include "kmsd/ipc/channel.h"
#include "libkms/kms_error.h"

struct share_peer {
	struct share_peer_to to;
	struct ipc_channel *channel;
	struct event *readable, *writable;
	struct share_requests requests;
	uint64_t token;
	bool ready, dead;
	uint32_t layers;
};

/* It is freed by who made it: at the next call, or in ended. */
static void
end(struct share_peer *p)
{
	if (p->dead)
		return;
	p->dead = true;
	event_del(p->readable);
	event_del(p->writable);
	p->to.ended(p->to.arg);
}

void
share_peer_broken(struct share_peer *p, const char *what)
{
	log_limited(LOG_ERR, "share-refused", "kmsd-share %s; its channel is closed", what);
	end(p);
}

static int
put(struct share_peer *p, const struct share_message *m)
{
	uint8_t fixed[SHARE_FIXED], *body;
	struct ipc_frame f;

	if (share_encode(&f, fixed, m, SHARE_BY_ACTIVATE) != KMS_OK)
		return KMS_E_ARGUMENT;
	if ((body = ipc_channel_reserve(p->channel, f.length)) == NULL)
		return KMS_E_OVERLOAD;
	memcpy(body, fixed, SHARE_FIXED);
	if (m->len > 0)
		memcpy(body + SHARE_FIXED, m->octets, m->len);
	if (ipc_channel_commit(p->channel, &f) != KMS_OK || ipc_channel_flush(p->channel) != KMS_OK)
		return KMS_E_PEER;
	if (ipc_channel_pending(p->channel))
		event_add(p->writable, NULL);
	return KMS_OK;
}

/* KMS_E_FORMAT: it may not come now. */
static int
take_ready(struct share_peer *p, const struct share_message *m)
{
	const struct share_message welcome = { .verb = SHARE_WELCOME,
		.value = SHARE_VERSION,
		.octets = (const uint8_t *)p->to.share,
		.len = (uint32_t)strlen(p->to.share) };
	struct share_message out = welcome;

	if (p->ready || m->value != SHARE_VERSION)
		return KMS_E_FORMAT;
	p->ready = true;
	p->layers = (uint32_t)m->number;
	memcpy(out.host, p->to.own, sizeof(out.host));
	return put(p, &out);
}

static void
take(struct share_peer *p, const struct ipc_frame *f, const uint8_t *body)
{
	struct share_message m;

	if (share_decode(&m, f, body, SHARE_BY_SHARE) != KMS_OK) {
		share_peer_broken(p, "sent a message that is malformed or too long");
	} else if (m.verb == SHARE_READY) {
		if (take_ready(p, &m) != KMS_OK)
			share_peer_broken(
			    p, "is of another version, or sent its first message twice");
	} else if (!p->ready) {
		share_peer_broken(p, "sent something before READY");
	} else if (share_answered(&p->requests, &m) != KMS_OK) {
		share_peer_broken(p, "answered what was not asked");
	} else {
		p->to.take(&m, p->to.arg);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct share_peer *p = arg;
	const uint8_t *body;
	struct ipc_frame f;
	int rc = 0;

	if (ipc_channel_fill(p->channel) != KMS_OK) {
		log_event(LOG_NOTICE, "share-closed", "kmsd-share has ended");
		end(p);
		return;
	}
	while (!p->dead && (rc = ipc_channel_next(p->channel, &f, &body)) > 0)
		take(p, &f, body);
	if (!p->dead && rc < 0)
		share_peer_broken(p, "sent a frame that is malformed or too long");
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct share_peer *p = arg;

	if (ipc_channel_flush(p->channel) != KMS_OK)
		end(p);
	else if (ipc_channel_pending(p->channel))
		event_add(p->writable, NULL);
}

struct share_peer *
share_peer_new(struct event_base *base, int fd, const struct share_peer_to *to)
{
	struct share_peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->to = *to;
	evutil_make_socket_nonblocking(fd);
	p->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable = event_new(base, fd, EV_WRITE, on_writable, p);
	if (p->readable == NULL || p->writable == NULL || event_add(p->readable, NULL) != 0 ||
	    (p->channel = ipc_channel_new(fd, SHARE_BODY)) == NULL) {
		share_peer_free(p);
		return NULL;
	}
	ipc_channel_queue_for(p->channel, SHARE_REQUESTS + 1, SHARE_BODY);
	return p;
}

void
share_peer_free(struct share_peer *p)
{
	if (p == NULL)
		return;
	if (p->readable != NULL)
		event_free(p->readable);
	if (p->writable != NULL)
		event_free(p->writable);
	if (p->channel != NULL)
		ipc_channel_free(p->channel);
	free(p);
}

bool
share_peer_ready(const struct share_peer *p)
{
	return p->ready && !p->dead;
}

uint32_t
share_peer_layers(const struct share_peer *p)
{
	return p->layers;
}

int
share_peer_ask(struct share_peer *p, struct share_message *m, uint64_t *token)
{
	int rc;

	if (!share_peer_ready(p))
		return KMS_E_PEER;
	m->token = ++p->token;
	if ((rc = share_asked(&p->requests, m)) != KMS_OK)
		return rc;
	*token = m->token;
	if ((rc = put(p, m)) != KMS_OK)
		share_peer_broken(p, "does not read what it is asked");
	return rc;
}
