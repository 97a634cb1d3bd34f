/*
 * control_server.c - accept, authorise, read one request, answer, close. A user who may not use
 * the socket is told so and takes no place. A connection that is slow loses its place after
 * CONTROL_SECONDS, or when all places are taken and another connection comes.
 */
#include "kmsd/activate/control/control_server.h"

#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_answer.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/ipc/control.h"
#include "libkms/base/wire.h"

#define READ_STEP 65536
#define GROUPS_MAX 1024

struct connection {
	struct control_server *server;
	struct event *event, *deadline;
	int fd;
	uid_t uid;
	enum control_right access;
	uint64_t number; /* of all ever accepted */
	uint16_t verb;
	struct wire_reader args;
	uint8_t *data; /* the request, then the reply */
	size_t len, size, sent;
};

struct control_server {
	struct activate *activate;
	struct control_access access;
	struct event *event;
	int fd;
	uint64_t accepted;
	struct connection *connections[CONTROL_CONNECTIONS];
};

/* A request may contain a passphrase. */
static void
wipe(struct connection *c)
{
	if (c->data != NULL)
		sodium_memzero(c->data, c->size);
	free(c->data);
	c->data = NULL;
}

static void
connection_close(struct connection *c)
{
	struct control_server *s = c->server;

	for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++) {
		if (s->connections[i] == c)
			s->connections[i] = NULL;
	}
	if (c->event != NULL)
		event_free(c->event);
	if (c->deadline != NULL)
		event_free(c->deadline);
	close(c->fd);
	wipe(c);
	free(c);
}

static bool
in_group(int fd, gid_t group)
{
#ifdef SO_PEERGROUPS
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++) {
		if (groups[i] == group)
			return true;
	}
#endif
	return false;
}

static bool
is_member(const struct ucred *peer, int fd, bool have, gid_t group)
{
	return have && (peer->gid == group || in_group(fd, group));
}

static enum control_right
authorised(const struct control_server *s, int fd, uid_t *uid)
{
	const struct control_access *a = &s->access;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof(peer))
		return CONTROL_NOTHING;
	*uid = peer.uid;
	if (peer.uid == 0 || peer.uid == getuid() || peer.uid == a->starter ||
	    is_member(&peer, fd, a->have_group, a->group))
		return CONTROL_CHANGE;
	return is_member(&peer, fd, a->have_monitor, a->monitor) ? CONTROL_LOOK : CONTROL_NOTHING;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	ssize_t n = send(c->fd, c->data + c->sent, c->len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n < 0 || c->sent == c->len)
		connection_close(c);
}

static int
begin_reply(struct connection *c)
{
	event_free(c->event);
	c->event =
	    event_new(c->server->activate->base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->event == NULL || event_add(c->event, NULL) != 0)
		return KMS_E_NO_MEMORY;
	return KMS_OK;
}

static void
serve(struct connection *c)
{
	const struct control_asker by = { .access = c->access, .uid = (long)c->uid };
	size_t len;
	uint8_t *reply = control_answer(c->server->activate, &by, c->verb, &c->args, &len);

	wipe(c);
	c->data = reply;
	c->size = c->len = reply != NULL ? len : 0;
	if (reply == NULL || begin_reply(c) != KMS_OK)
		connection_close(c);
}

static void
on_figures(evutil_socket_t fd, short what, void *arg)
{
	serve(arg);
}

/* The request is complete: nothing more is read. */
static void
take(struct connection *c)
{
	if (!control_wants_figures(c->verb)) {
		serve(c);
		return;
	}
	front_peer_ask_stats(c->server->activate);
	event_free(c->event);
	c->event = evtimer_new(c->server->activate->base, on_figures, c);
	if (c->event == NULL || loop_timer(c->event, CONTROL_FIGURES_US) != 0)
		connection_close(c);
}

static bool
make_room(struct connection *c)
{
	size_t size = c->size ? c->size * 2 : READ_STEP;
	uint8_t *data;

	if (c->len < c->size)
		return true;
	if (size > 2 * CONTROL_MAX || (data = realloc(c->data, size)) == NULL)
		return false;
	c->data = data;
	c->size = size;
	return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	ssize_t n;
	int rc;

	if (!make_room(c)) {
		connection_close(c);
		return;
	}
	n = recv(c->fd, c->data + c->len, c->size - c->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->len += (size_t)n;
	rc = n > 0 ? control_request_parse(c->data, c->len, &c->verb, &c->args) : -1;
	if (rc < 0)
		connection_close(c);
	else if (rc > 0)
		take(c);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	connection_close(arg);
}

static void
refuse(int fd, uid_t uid)
{
	uint8_t reply[CONTROL_REPLY_HEADER + 256];
	struct control_buf rows = { 0 };

	log_limited(
	    LOG_WARNING, "control-denied", "uid %ld may not use the control socket", (long)uid);
	control_row(&rows, "error");
	control_text(&rows, "message",
	    "only root, the user who started kmsd and members of [kms] control_group may do this; members of monitor_group may use the commands that only show something");
	if (!rows.bad && rows.len <= 256 && control_reply_header(reply, KMS_E_DENIED, rows.len)) {
		memcpy(reply + CONTROL_REPLY_HEADER, rows.data, rows.len);
		/* This fits into a new socket's buffer; if it does not, the user gets no reason. */
		send(fd, reply, CONTROL_REPLY_HEADER + rows.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	control_buf_free(&rows);
	close(fd);
}

/* A place for a new connection: a free one, or that of the oldest connection. */
static unsigned
find_place(struct control_server *s)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++) {
		if (s->connections[i] == NULL)
			return i;
		if (s->connections[i]->number < s->connections[oldest]->number)
			oldest = i;
	}
	connection_close(s->connections[oldest]);
	return oldest;
}

static void
connection_new(struct control_server *s, int fd, uid_t uid, enum control_right access)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	c->server = s;
	c->fd = fd;
	c->uid = uid;
	c->access = access;
	c->number = s->accepted++;
	s->connections[find_place(s)] = c;
	c->event = event_new(s->activate->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->deadline = evtimer_new(s->activate->base, on_deadline, c);
	if (c->event == NULL || c->deadline == NULL || event_add(c->event, NULL) != 0 ||
	    loop_timer(c->deadline, CONTROL_SECONDS * SECOND_US) != 0)
		connection_close(c);
}

static void
on_connection(evutil_socket_t listener, short what, void *arg)
{
	struct control_server *s = arg;
	enum control_right access;
	uid_t uid;
	int fd;

	if ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		return;
	if ((access = authorised(s, fd, &uid)) != CONTROL_NOTHING)
		connection_new(s, fd, uid, access);
	else
		refuse(fd, uid);
}

struct control_server *
control_server_new(struct activate *a, int fd, const struct control_access *access)
{
	struct control_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->activate = a;
	s->access = *access;
	s->fd = fd;
	evutil_make_socket_nonblocking(fd);
	s->event = event_new(a->base, fd, EV_READ | EV_PERSIST, on_connection, s);
	if (s->event == NULL || event_add(s->event, NULL) != 0) {
		control_server_free(s);
		return NULL;
	}
	return s;
}

void
control_server_free(struct control_server *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++) {
		if (s->connections[i] != NULL)
			connection_close(s->connections[i]);
	}
	if (s->event != NULL)
		event_free(s->event);
	close(s->fd);
	free(s);
}
