/*
 * main.c - kmsd-web: takes from kmsd (child.h) its values of kms.ini, its listening sockets and its
 * channel to kmsd-activate, gives up everything else, and answers browsers and monitors.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kmsd/common/child.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/web/known.h"
#include "kmsd/web/question.h"
#include "kmsd/web/server.h"
#include "kmsd/web/web_confine.h"
#include "libkms/kms_error.h"

#define LOG_FLUSH_SECONDS 60
/* Standard ones, PARENT, channel, epoll, log, room for a memfd; a connection that has to go. */
#define OWN_FILES 24

struct web {
	struct config config;
	struct event_base *base;
	struct event *parent, *tick;
	struct ask *ask;
	struct known *known;
	struct server *server;
	int channel; /* until ask has it; -1: there is none */
	int listeners[SERVER_LISTENERS];
	unsigned listener_count;
	unsigned ticks;
	bool stopping;
};

static const struct child_role role;

/* kmsd's messages up to START, in any order. */
static int
take_message(void *arg, const struct ipc_parent *m)
{
	struct web *w = arg;

	if (m->verb == IPC_LISTEN && w->listener_count < SERVER_LISTENERS) {
		w->listeners[w->listener_count++] = m->fd;
		return KMS_OK;
	}
	if (m->verb != IPC_WEB || w->channel != -1)
		return KMS_E_PEER;
	w->channel = m->fd;
	return KMS_OK;
}

static void
on_parent(evutil_socket_t fd, short what, void *arg)
{
	struct web *w = arg;
	struct ipc_parent m;
	int rc = ipc_parent_recv(fd, &m);

	if (rc == KMS_E_IO && (errno == EAGAIN || errno == EINTR))
		return;
	/* kmsd has ended: stop, as if it had asked for that. */
	if (rc != KMS_OK || m.verb == IPC_STOP)
		w->stopping = true;
	else if (m.verb == IPC_RELOAD && m.fd != -1)
		child_reload(&role, &w->config, m.fd);
	else if (m.verb == IPC_PING)
		child_pong(&m);
	if (rc == KMS_OK && m.fd != -1)
		close(m.fd);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct web *w = arg;

	if (++w->ticks % LOG_FLUSH_SECONDS == 0)
		log_flush_limited();
}

/* What opens a file or asks the kernel for something, while it still may. */
static int
open_all(struct web *w)
{
	tzset();
	/* It would read a file for it. */
	json_object_seed(0);
	evutil_make_socket_nonblocking(w->channel);
	evutil_make_socket_nonblocking(IPC_PARENT_FD);
	fcntl(IPC_PARENT_FD, F_SETFD, FD_CLOEXEC);
	if ((w->ask = ask_new(w->base, w->channel)) == NULL ||
	    (w->known = known_new(w->ask, &w->config)) == NULL ||
	    (w->server = server_new(w->base, &w->config, w->known, w->ask)) == NULL)
		return KMS_E_NO_MEMORY;
	for (unsigned i = 0; i < w->listener_count; i++)
		if (server_listen(w->server, w->listeners[i]) != KMS_OK)
			return KMS_E_NO_MEMORY;
	w->parent = event_new(w->base, IPC_PARENT_FD, EV_READ | EV_PERSIST, on_parent, w);
	w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
	if (w->parent == NULL || w->tick == NULL || event_add(w->parent, NULL) != 0 ||
	    loop_timer(w->tick, SECOND_US) != 0)
		return KMS_E_NO_MEMORY;
	return KMS_OK;
}

static int
confine(void *arg, uint32_t *layers)
{
	struct web *w = arg;
	int rc;

	if (w->channel == -1 || w->listener_count == 0)
		return KMS_E_PEER;
	if ((rc = open_all(w)) != KMS_OK)
		return rc;
	*layers = web_confine(&w->config, (uint64_t)w->config.web_connections + OWN_FILES);
	return KMS_OK;
}

static void
on_welcome(void *arg, uint32_t status, struct reply *reply)
{
	reply_free(reply);
}

static int
greet(void *arg, uint32_t layers)
{
	struct web *w = arg;
	struct control_buf b = { 0 };
	int rc;

	control_number(&b, "layers", layers);
	rc = ask_put(w->ask, CONTROL_WEB_READY, &b, on_welcome, w);
	control_buf_free(&b);
	return rc;
}

static const struct child_role role = {
	.program = "kmsd-web",
	.reader = CONFIG_WEB,
	.wanted = WEB_CONFINE_WANTED,
	.ready = "web-ready",
	.failed = "web-failed",
	.take = take_message,
	.confine = confine,
	.open = greet,
};

static void
serve(struct web *w)
{
	while (!w->stopping && !ask_broken(w->ask)) {
		if (event_base_loop(w->base, EVLOOP_ONCE) == -1)
			break;
		server_turn(w->server);
	}
}

static void
tear_down(struct web *w)
{
	server_free(w->server);
	known_free(w->known);
	ask_free(w->ask);
	event_free(w->parent);
	event_free(w->tick);
	event_base_free(w->base);
}

int
main(int argc, char **argv)
{
	struct web *w = calloc(1, sizeof(*w));
	uint32_t layers = 0;
	int rc;

	if (child_asked(role.program, argc, argv))
		return 0;
	if (!child_begin(&role))
		return 1;
	if (w == NULL || (w->base = loop_new()) == NULL) {
		log_event(LOG_ERR, role.failed, "%s", kms_strerror(KMS_E_NO_MEMORY));
		return 1;
	}
	w->channel = -1;
	if (child_start(&role, &w->config, w, &layers) != KMS_OK)
		return 1;
	child_ready(layers);
	serve(w);
	rc = !w->stopping;
	tear_down(w);
	log_close();
	free(w);
	return rc;
}
