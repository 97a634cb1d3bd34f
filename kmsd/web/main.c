/*
 * main.c - kmsd-web: takes from kmsd (child.h) its values of kms.ini, its listening sockets and its
 * channel to kmsd-activate, gives up everything else, and answers browsers and monitors.
 */
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "kmsd/common/child_loop.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/web/known.h"
#include "kmsd/web/question.h"
#include "kmsd/web/server.h"
#include "kmsd/web/web_confine.h"
#include "libkms/kms_error.h"

/* Standard ones, PARENT, channel, epoll, log, room for a memfd; a connection that has to go. */
#define OWN_FILES 24

struct web {
	struct config config;
	struct child_loop loop; /* its base is that of all */
	struct ask *ask;
	struct known *known;
	struct server *server;
	int channel; /* until ask has it; -1: there is none */
	int listeners[SERVER_LISTENERS];
	unsigned listener_count;
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

/* What opens a file or asks the kernel for something, while it still may. */
static int
open_all(struct web *w)
{
	tzset();
	/* It would read a file for it. */
	json_object_seed(0);
	evutil_make_socket_nonblocking(w->channel);
	if ((w->ask = ask_new(w->loop.base, w->channel)) == NULL ||
	    (w->known = known_new(w->ask, &w->config)) == NULL ||
	    (w->server = server_new(w->loop.base, &w->config, w->known, w->ask)) == NULL)
		return KMS_E_NO_MEMORY;
	for (unsigned i = 0; i < w->listener_count; i++)
		if (server_listen(w->server, w->listeners[i]) != KMS_OK)
			return KMS_E_NO_MEMORY;
	return child_loop_open(&w->loop);
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
	while (!w->loop.stopping && !ask_broken(w->ask)) {
		if (event_base_loop(w->loop.base, EVLOOP_ONCE) == -1)
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
	child_loop_close(&w->loop);
	event_base_free(w->loop.base);
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
	if (w == NULL || (w->loop.base = loop_new()) == NULL) {
		log_event(LOG_ERR, role.failed, "%s", kms_strerror(KMS_E_NO_MEMORY));
		return 1;
	}
	w->channel = -1;
	w->loop.role = &role;
	w->loop.config = &w->config;
	if (child_start(&role, &w->config, w, &layers) != KMS_OK)
		return 1;
	child_ready(layers);
	serve(w);
	rc = !w->loop.stopping;
	tear_down(w);
	log_close();
	free(w);
	return rc;
}
