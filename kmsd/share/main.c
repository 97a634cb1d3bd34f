/*
 * main.c - kmsd-share: takes from kmsd (child.h) its values of kms.ini, the members of the engine's
 * cluster with their addresses, its keys and certificates and its channel to kmsd-activate, gives
 * up everything else, and carries bytes between the two.
 */
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kmsd/common/child_loop.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/ipc/channel.h"
#include "kmsd/share/carrier.h"
#include "kmsd/share/share_confine.h"
#include "libkms/kms_error.h"

/* Standard ones, PARENT, channel, epoll, log, room for what kmsd sends. */
#define OWN_FILES (16 + ENGINE_FILES)

struct share {
	struct config config;
	struct ipc_upstreams members;
	struct engine_tls tls;
	struct child_loop loop; /* its base is that of all */
	struct event *readable, *writable;
	int fd; /* until channel has it; -1: there is none */
	struct ipc_channel *channel;
	struct engine *engine;
	struct carrier *carrier;
	struct share_requests requests;
	bool broken; /* no more is said or heard */
	bool closed; /* because activation has gone */
};

static const struct child_role role;

/* -- what kmsd hands over -- */

static int
take_tls(struct share *s, const struct ipc_parent *m)
{
	struct engine_pem *into[] = { &s->tls.authority, &s->tls.certificate, &s->tls.key };
	int rc;

	if (m->index >= sizeof(into) / sizeof(into[0]) || into[m->index]->len > 0)
		return KMS_E_PEER;
	rc = ipc_memory_read(m->fd, into[m->index]->bytes, ENGINE_TLS_MAX, &into[m->index]->len);
	if (rc == KMS_OK)
		close(m->fd);
	return rc;
}

static int
take_members(struct share *s, const struct ipc_parent *m)
{
	int rc = s->members.count > 0 ? KMS_E_PEER : ipc_upstreams_read(&s->members, m->fd);

	if (rc != KMS_OK)
		return rc;
	if (s->members.count == 0 || s->members.count > ENGINE_MEMBERS)
		return KMS_E_FORMAT;
	for (unsigned i = 0; i < s->members.count; i++)
		if (!engine_member_ok(&s->members.at[i]))
			return KMS_E_FORMAT;
	close(m->fd);
	return KMS_OK;
}

/* kmsd's messages up to START, in any order. */
static int
take_message(void *arg, const struct ipc_parent *m)
{
	struct share *s = arg;

	if (m->verb == IPC_SHARE_TLS)
		return take_tls(s, m);
	if (m->verb == IPC_UPSTREAMS)
		return take_members(s, m);
	if (m->verb != IPC_SHARE || s->fd != -1)
		return KMS_E_PEER;
	s->fd = m->fd;
	return KMS_OK;
}

/* -- activation -- */

static void
broken(struct share *s, const char *what)
{
	if (!s->broken)
		log_event(LOG_ERR, role.failed, "kmsd-activate %s", what);
	s->broken = true;
}

/* It has ended, or kmsd is about to start another one of us: which of the two, kmsd knows. */
static void
closed(struct share *s)
{
	if (!s->broken)
		log_event(LOG_NOTICE, "share-closed", "kmsd-activate has closed its channel");
	s->broken = s->closed = true;
}

static void
flush(struct share *s)
{
	if (ipc_channel_flush(s->channel) != KMS_OK)
		closed(s);
	else if (ipc_channel_pending(s->channel))
		event_add(s->writable, NULL);
}

/* Answers, from carrier.h. */
static void
say(void *arg, const struct share_message *m)
{
	struct share *s = arg;
	uint8_t fixed[SHARE_FIXED], *body;
	struct ipc_frame f;

	if (s->broken)
		return;
	if (share_answered(&s->requests, m) != KMS_OK ||
	    share_encode(&f, fixed, m, SHARE_BY_SHARE) != KMS_OK ||
	    (body = ipc_channel_reserve(s->channel, f.length)) == NULL) {
		broken(s, "cannot be answered");
		return;
	}
	memcpy(body, fixed, SHARE_FIXED);
	if (m->len > 0)
		memcpy(body + SHARE_FIXED, m->octets, m->len);
	if (ipc_channel_commit(s->channel, &f) != KMS_OK)
		broken(s, "cannot be answered");
	flush(s);
}

static int
take(struct share *s, const struct ipc_frame *f, const uint8_t *body)
{
	struct share_message m;
	int rc = share_decode(&m, f, body, SHARE_BY_ACTIVATE);

	if (rc != KMS_OK)
		return rc;
	if (m.verb == SHARE_WELCOME)
		return m.value == SHARE_VERSION ? carrier_begin(s->carrier, &m) : KMS_E_BAD_VERSION;
	if ((rc = share_asked(&s->requests, &m)) != KMS_OK)
		return rc;
	return carrier_take(s->carrier, &m);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct share *s = arg;
	struct ipc_frame f;
	const uint8_t *body;
	int rc = 0;

	if (ipc_channel_fill(s->channel) != KMS_OK) {
		closed(s);
		return;
	}
	while (!s->broken && (rc = ipc_channel_next(s->channel, &f, &body)) == 1)
		if (take(s, &f, body) != KMS_OK)
			broken(s, "sent what it may not send");
	if (rc < 0)
		broken(s, "sent a malformed frame");
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	flush(arg);
}

/* -- start -- */

static int
open_channel(struct share *s)
{
	if ((s->channel = ipc_channel_new(s->fd, SHARE_BODY)) == NULL)
		return KMS_E_NO_MEMORY;
	ipc_channel_queue_for(s->channel, SHARE_REQUESTS + 1, SHARE_BODY);
	s->readable = event_new(s->loop.base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(s->loop.base, s->fd, EV_WRITE, on_writable, s);
	return s->readable != NULL && s->writable != NULL && event_add(s->readable, NULL) == 0
		   ? KMS_OK
		   : KMS_E_NO_MEMORY;
}

/* What opens a file or asks the kernel for something, while it still may. */
static int
open_all(struct share *s)
{
	tzset();
	/* It would read a file for it. */
	json_object_seed(0);
	if ((s->engine = engine_new(s->loop.base, &s->members, &s->tls)) == NULL ||
	    (s->carrier = carrier_new(s->loop.base, s->engine, &s->members, say, s)) == NULL)
		return KMS_E_NO_MEMORY;
	if (child_loop_open(&s->loop) != KMS_OK)
		return KMS_E_NO_MEMORY;
	return open_channel(s);
}

static int
confine(void *arg, uint32_t *layers)
{
	struct share *s = arg;
	uint16_t ports[ENGINE_MEMBERS];
	int rc;

	if (s->fd == -1 || s->members.count == 0 || s->tls.authority.len == 0 ||
	    s->tls.certificate.len == 0 || s->tls.key.len == 0)
		return KMS_E_PEER;
	if ((rc = open_all(s)) != KMS_OK)
		return rc;
	for (unsigned i = 0; i < s->members.count; i++)
		ports[i] = s->members.at[i].port;
	*layers = share_confine(&s->config, ports, s->members.count, OWN_FILES);
	return KMS_OK;
}

static int
greet(void *arg, uint32_t layers)
{
	struct share *s = arg;
	const struct share_message ready = {
		.verb = SHARE_READY, .number = layers, .value = SHARE_VERSION
	};

	say(s, &ready);
	return s->broken ? KMS_E_PEER : KMS_OK;
}

static const struct child_role role = {
	.program = "kmsd-share",
	.reader = CONFIG_SHARE,
	.wanted = SHARE_CONFINE_WANTED,
	.ready = "share-ready",
	.failed = "share-failed",
	.take = take_message,
	.confine = confine,
	.open = greet,
};

static void
tear_down(struct share *s)
{
	engine_free(s->engine);
	carrier_free(s->carrier);
	event_free(s->readable);
	event_free(s->writable);
	child_loop_close(&s->loop);
	ipc_channel_free(s->channel);
	event_base_free(s->loop.base);
	explicit_bzero(&s->tls, sizeof(s->tls));
}

int
main(int argc, char **argv)
{
	struct share *s = calloc(1, sizeof(*s));
	uint32_t layers = 0;
	int rc;

	if (child_asked(role.program, argc, argv))
		return 0;
	if (!child_begin(&role))
		return 1;
	if (s == NULL || (s->loop.base = loop_new()) == NULL) {
		log_event(LOG_ERR, role.failed, "%s", kms_strerror(KMS_E_NO_MEMORY));
		return 1;
	}
	s->fd = -1;
	s->loop.role = &role;
	s->loop.config = &s->config;
	if (child_start(&role, &s->config, s, &layers) != KMS_OK)
		return 1;
	child_ready(layers);
	while (!s->loop.stopping && !s->broken)
		if (event_base_loop(s->loop.base, EVLOOP_ONCE) == -1)
			break;
	rc = !s->loop.stopping && !s->closed;
	tear_down(s);
	log_close();
	free(s);
	return rc;
}
