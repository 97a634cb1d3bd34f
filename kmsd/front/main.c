/*
 * main.c - kmsd-front: takes from kmsd (child.h) its values of kms.ini, its listening sockets and
 * its channel to kmsd-activate, gives up everything else, and serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kmsd/common/child.h"
#include "kmsd/common/confine.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/front/front.h"
#include "kmsd/front/front_confine.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define STOP_SECONDS 5
#define LOG_FLUSH_SECONDS 60
/* Beside the connections: standard ones, PARENT, channel, epoll, log, reserve, room for a memfd. */
#define OWN_FILES 16

/* What main alone needs beside the front. */
struct server {
	struct front front;
	struct config config;
	struct event parent, tick, linger, late;
	unsigned ticks;
	bool too_late;
	unsigned index;             /* which front this is */
	int channel;                /* to kmsd-activate, until the front has it: -1 */
	struct ipc_upstreams hosts; /* as kmsd knew them before the start */
	int room; /* kept free for what kmsd sends: clients may have all other descriptors */
};

static const struct child_role role;

static void
take_limits(struct front *f, const struct config *c)
{
	f->throttle.connections = c->connections;
	f->throttle.per_source = c->connections_per_source;
	f->exempt = c->exempt;
	f->proxies = c->proxies;
	f->deadlines.seconds[DEADLINE_FIRST] = c->first_timeout;
	f->deadlines.seconds[DEADLINE_FRAME] = c->frame_timeout;
	f->deadlines.seconds[DEADLINE_IDLE] = c->idle_timeout;
	f->deadlines.seconds[DEADLINE_ANSWER] = c->idle_timeout;
	f->deadlines.seconds[DEADLINE_SEND] = c->frame_timeout;
	relay_limits(f, c);
}

/* kmsd's messages up to START, in any order. */
static int
take_message(void *arg, const struct ipc_parent *m)
{
	struct server *s = arg;
	int rc;

	if (m->verb == IPC_LISTEN)
		return listeners_add(&s->front, m->fd);
	if (m->verb == IPC_CHANNEL && s->channel == -1) {
		s->channel = m->fd;
		s->index = m->index;
		return KMS_OK;
	}
	if (m->verb != IPC_UPSTREAMS)
		return KMS_E_PEER;
	rc = ipc_upstreams_read(&s->hosts, m->fd);
	if (rc == KMS_OK)
		close(m->fd);
	return rc;
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	log_event(LOG_WARNING, "front-stopped", "%u requests were not answered in time",
	    s->front.forward.asked);
	s->too_late = true;
}

static void
on_linger(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	s->front.lingering = false;
	connections_stop(&s->front);
}

/* Answers what is in flight, for a limited time. */
static void
begin_stop(struct server *s)
{
	if (s->front.stopping)
		return;
	s->front.stopping = s->front.lingering = true;
	listeners_close(&s->front);
	connections_stop(&s->front);
	loop_timer(&s->linger, SECOND_US);
	loop_timer(&s->late, STOP_SECONDS * SECOND_US);
}

static void
reload(struct server *s, int fd)
{
	if (child_reload(&role, &s->config, fd) != KMS_OK)
		return;
	take_limits(&s->front, &s->config);
	log_event(LOG_INFO, "front-reloaded", "limits are those of the new ini file");
}

static void
on_message(struct server *s, const struct ipc_parent *m)
{
	if (m->verb == IPC_RELOAD && m->fd != -1)
		reload(s, m->fd);
	else if (m->verb == IPC_UPSTREAMS && m->fd != -1)
		relay_hosts_changed(&s->front, m->fd);
	else if (m->verb == IPC_PING)
		child_pong(m);
	else if (m->verb == IPC_STOP)
		begin_stop(s);
	if (m->fd != -1)
		close(m->fd);
}

static void
on_parent(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct ipc_parent m;
	int rc;

	if (s->room != -1)
		close(s->room);
	rc = ipc_parent_recv(fd, &m);
	if (rc == KMS_OK)
		on_message(s, &m);
	s->room = fcntl(IPC_PARENT_FD, F_DUPFD_CLOEXEC, 0);
	if (rc == KMS_OK || (rc == KMS_E_IO && (errno == EAGAIN || errno == EINTR)))
		return;
	if (rc == KMS_E_LIMIT) {
		log_event(LOG_ERR, "descriptor-limit",
		    "no descriptor for what kmsd sends: raise LimitNOFILE and reload");
		return;
	}
	/* kmsd has ended: stop, as if it had asked for that */
	event_del(&s->parent);
	begin_stop(s);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct connection *late;

	s->front.now = clock_seconds();
	while ((late = deadline_expired(&s->front.deadlines, s->front.now)) != NULL)
		connection_expired(late);
	listeners_resume(&s->front);
	relay_tick(&s->front);
	if (++s->ticks % LOG_FLUSH_SECONDS == 0)
		log_flush_limited();
}

/* As many descriptors as the configuration asks for, if kmsd was given so many. */
static uint64_t
file_limit(const struct front *f, const struct config *c)
{
	/* A relayed connection needs a second one, to the KMS host. */
	uint64_t want = (uint64_t)c->connections * (relay_configured(c) ? 2 : 1) +
			f->listeners.count + OWN_FILES;
	struct rlimit have;

	if (getrlimit(RLIMIT_NOFILE, &have) == 0 && have.rlim_max < want) {
		log_event(LOG_NOTICE, "descriptor-limit",
		    "[limits] connections = %u needs %llu descriptors, but %llu are allowed: raise LimitNOFILE or lower connections",
		    c->connections, (unsigned long long)want, (unsigned long long)have.rlim_max);
		want = have.rlim_max;
	}
	return want;
}

static int
confine(void *arg, uint32_t *layers)
{
	struct server *s = arg;
	struct front *f = &s->front;
	uint64_t seed;
	int rc;

	if (s->channel == -1)
		return KMS_E_PEER;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return KMS_E_IO;
	if ((rc = throttle_init(&f->throttle, seed)) != KMS_OK ||
	    (rc = relay_init(f, &s->config, seed)) != KMS_OK)
		return rc;
	relay_hosts_are(f, &s->hosts);
	take_limits(f, &s->config);
	fcntl(s->channel, F_SETFL, fcntl(s->channel, F_GETFL) | O_NONBLOCK);
	fcntl(IPC_PARENT_FD, F_SETFL, fcntl(IPC_PARENT_FD, F_GETFL) | O_NONBLOCK);
	fcntl(IPC_PARENT_FD, F_SETFD, FD_CLOEXEC);
	if ((rc = forward_open(f, s->channel, &connection_calls)) != KMS_OK ||
	    (rc = listeners_prepare(f, IPC_PARENT_FD)) != KMS_OK)
		return rc;
	s->room = fcntl(IPC_PARENT_FD, F_DUPFD_CLOEXEC, 0);
	*layers = front_confine(&s->config, s->index, file_limit(f, &s->config));
	return KMS_OK;
}

static int
open_forward(void *arg, uint32_t layers)
{
	struct server *s = arg;

	return forward_ready(&s->front, layers);
}

static void
serve(struct server *s)
{
	struct front *f = &s->front;

	event_assign(&s->parent, f->base, IPC_PARENT_FD, EV_READ | EV_PERSIST, on_parent, s);
	event_assign(&s->tick, f->base, -1, EV_PERSIST, on_tick, s);
	event_assign(&s->linger, f->base, -1, 0, on_linger, s);
	event_assign(&s->late, f->base, -1, 0, on_late, s);
	event_add(&s->parent, NULL);
	loop_timer(&s->tick, SECOND_US);
	f->now = clock_seconds();
	forward_turn(f);
	while (!f->broken && !s->too_late && !(f->stopping && f->connections.open == 0)) {
		if (event_base_loop(f->base, EVLOOP_ONCE) == -1)
			break;
		forward_turn(f);
		listeners_turn(f);
	}
}

static void
tear_down(struct server *s)
{
	struct front *f = &s->front;
	struct connection *c;

	for (uint32_t i = 0; (c = connections_at(&f->connections, i)) != NULL; i++)
		if (c->state != CONNECTION_FREE)
			connection_close(c);
	listeners_close(f);
	forward_close(f);
	connections_free(&f->connections);
	throttle_free(&f->throttle);
	relay_free(f);
	event_base_free(f->base);
}

static const struct child_role role = {
	.program = "kmsd-front",
	.reader = CONFIG_FRONT,
	.wanted = FRONT_CONFINE_WANTED,
	.ready = "front-ready",
	.failed = "front-failed",
	.take = take_message,
	.confine = confine,
	.open = open_forward,
};

int
main(int argc, char **argv)
{
	struct server *s = calloc(1, sizeof(*s));
	uint32_t layers = 0;
	int rc;

	if (child_asked(role.program, argc, argv))
		return 0;
	if (!child_begin(&role))
		return 1;
	if (s == NULL || (s->front.base = loop_new()) == NULL) {
		log_event(LOG_ERR, role.failed, "%s", kms_strerror(KMS_E_NO_MEMORY));
		return 1;
	}
	s->channel = s->room = -1;
	deadlines_init(&s->front.deadlines);
	connections_init(&s->front.connections);
	if (child_start(&role, &s->config, s, &layers) != KMS_OK)
		return 1;
	child_ready(layers);
	serve(s);
	rc = s->front.broken && !s->front.stopping;
	tear_down(s);
	log_close();
	free(s);
	return rc;
}
