/*
 * upstream.c - the table of hosts. A probe is a connection that is closed again as soon as it is
 * made: it costs the host nothing and shows what a client would find.
 */
#include "kmsd/front/relay/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

void
upstreams_init(struct upstreams *u, struct event_base *base, uint32_t seed)
{
	memset(u, 0, sizeof(*u));
	u->base = base;
	u->random = seed;
	u->backoff = 1;
}

static void
end_probe(struct upstream *h)
{
	if (h->probe == -1)
		return;
	event_del(&h->probing);
	close(h->probe);
	h->probe = -1;
}

void
upstreams_free(struct upstreams *u)
{
	for (unsigned i = 0; i < u->count; i++)
		end_probe(&u->at[i]);
	u->count = 0;
}

static bool
same_host(const struct ipc_upstream *a, const struct ipc_upstream *b)
{
	return memcmp(a->address, b->address, 16) == 0 && a->port == b->port;
}

struct upstream *
upstreams_find(struct upstreams *u, const struct ipc_upstream *host)
{
	for (unsigned i = 0; i < u->count; i++)
		if (same_host(&u->at[i].host, host))
			return &u->at[i];
	return NULL;
}

void
upstreams_replace(struct upstreams *u, const struct ipc_upstreams *to)
{
	struct upstream old[IPC_UPSTREAMS_MAX];
	unsigned count = u->count;

	/* Events lie inside: no probe may be under way when their places change. */
	upstreams_free(u);
	u->generation++;
	memcpy(old, u->at, sizeof(old));
	for (unsigned i = 0; i < to->count; i++) {
		struct upstream *h;

		if (upstreams_find(u, &to->at[i]) != NULL)
			continue;
		h = &u->at[u->count];
		memset(h, 0, sizeof(*h));
		for (unsigned j = 0; j < count; j++)
			if (same_host(&old[j].host, &to->at[i]))
				*h = old[j];
		h->host = to->at[i];
		h->all = u;
		h->probe = -1;
		u->count++;
	}
}

uint32_t
upstream_bit(const struct upstream *h)
{
	return UINT32_C(1) << (h - h->all->at);
}

/* xorshift: which of several hosts a client gets is not secret. */
static uint32_t
draw(struct upstreams *u, uint32_t upper)
{
	u->random |= u->random == 0;
	u->random ^= u->random << 13;
	u->random ^= u->random >> 17;
	u->random ^= u->random << 5;
	return u->random % upper;
}

static bool
eligible(const struct upstreams *u, unsigned i, uint32_t tried)
{
	return !u->at[i].aside && (tried & UINT32_C(1) << i) == 0;
}

struct upstream *
upstreams_choose(struct upstreams *u, uint32_t tried)
{
	uint32_t sum = 0, priority = UINT32_MAX, at;

	for (unsigned i = 0; i < u->count; i++)
		if (eligible(u, i, tried) && u->at[i].host.priority < priority)
			priority = u->at[i].host.priority;
	/* A weight of zero is a small chance, not none: every weight counts as one more. */
	for (unsigned i = 0; i < u->count; i++)
		if (eligible(u, i, tried) && u->at[i].host.priority == priority)
			sum += u->at[i].host.weight + 1u;
	if (sum == 0)
		return NULL;
	at = draw(u, sum);
	for (unsigned i = 0; i < u->count; i++) {
		if (!eligible(u, i, tried) || u->at[i].host.priority != priority)
			continue;
		if (at < u->at[i].host.weight + 1u)
			return &u->at[i];
		at -= u->at[i].host.weight + 1u;
	}
	return NULL;
}

int
upstream_connect(const struct ipc_upstream *host, int *fd)
{
	struct sockaddr_storage to;
	socklen_t len = address_give(&to, host->address, host->port);
	int on = 1, saved;

	*fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd == -1)
		return KMS_E_IO;
	setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(*fd, (struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS)
		return KMS_OK;
	saved = errno;
	close(*fd);
	*fd = -1;
	errno = saved;
	return KMS_E_IO;
}

const char *
upstream_text(char out[UPSTREAM_TEXT], const struct ipc_upstream *host)
{
	char address[ADDRESS_PORT_TEXT];

	address_port_text(address, host->address, host->port);
	if (host->name[0] == '\0' || strncmp(host->name, address, strlen(host->name)) == 0)
		snprintf(out, UPSTREAM_TEXT, "%s", address);
	else
		snprintf(out, UPSTREAM_TEXT, "%s, %s", host->name, address);
	return out;
}

void
upstream_good(struct upstream *h)
{
	h->strikes = 0;
	h->backoff = 0;
}

static void
set_aside(struct upstream *h, uint64_t now, const char *why)
{
	char text[UPSTREAM_TEXT];
	bool first = !h->aside;

	h->backoff = h->backoff == 0 ? h->all->backoff : h->backoff * 2;
	if (h->backoff > UPSTREAM_BACKOFF_MAX)
		h->backoff = UPSTREAM_BACKOFF_MAX;
	h->until = now + h->backoff * UINT64_C(1000);
	h->aside = true;
	h->strikes = 0;
	if (first)
		log_limited(LOG_WARNING, "relay-host-down",
		    "%s: %s; not used for now, tried again in %u s", upstream_text(text, &h->host),
		    why, h->backoff);
}

void
upstream_failed(struct upstream *h, uint64_t now, const char *why)
{
	/* Many connections may fail together: that is one failure. */
	if (!h->aside)
		set_aside(h, now, why);
}

void
upstreams_outdone(struct upstreams *u, uint32_t closed, uint32_t silent, uint64_t now)
{
	for (unsigned i = 0; i < u->count; i++) {
		struct upstream *h = &u->at[i];

		if (silent & upstream_bit(h))
			upstream_failed(h, now, "does not answer");
		else if ((closed & upstream_bit(h)) && ++h->strikes >= UPSTREAM_STRIKES)
			upstream_failed(h, now, "closes without an answer");
	}
}

static void
on_probe(evutil_socket_t fd, short what, void *arg)
{
	struct upstream *h = arg;
	char text[UPSTREAM_TEXT];
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	end_probe(h);
	if (error != 0) {
		h->probe_until = 0;
		h->until = 0; /* the next tick sets it aside for longer */
		return;
	}
	h->aside = false;
	h->strikes = 0;
	log_event(
	    LOG_NOTICE, "relay-host-up", "%s: can be reached again", upstream_text(text, &h->host));
}

static void
probe(struct upstream *h, uint64_t now)
{
	h->probe_until = now + h->all->connect_timeout * UINT64_C(1000);
	if (upstream_connect(&h->host, &h->probe) != KMS_OK) {
		h->probe = -1;
		set_aside(h, now, "");
		return;
	}
	event_assign(&h->probing, h->all->base, h->probe, EV_WRITE, on_probe, h);
	event_add(&h->probing, NULL);
}

void
upstreams_tick(struct upstreams *u, uint64_t now)
{
	for (unsigned i = 0; i < u->count; i++) {
		struct upstream *h = &u->at[i];

		if (!h->aside)
			continue;
		if (h->probe != -1 && now >= h->probe_until) {
			end_probe(h);
			set_aside(h, now, "");
		} else if (h->probe == -1 && h->until == 0) {
			set_aside(h, now, "");
		} else if (h->probe == -1 && now >= h->until) {
			probe(h, now);
		}
	}
}
