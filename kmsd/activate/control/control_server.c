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
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/common/log.h"
#include "kmsd/ipc/control.h"
#include "libkms/base/wire.h"

#define READ_STEP 65536
#define GROUPS_MAX 1024
/* How long a status waits for the figures of the fronts, which answer at once or not at all. */
#define STATS_MICROSECONDS 50000

enum access { ACCESS_NONE, ACCESS_SHOWS, ACCESS_ALL };

struct connection {
	struct control_server *server;
	struct event *event, *deadline;
	int fd;
	uid_t uid;
	enum access access;
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

/*
 * One row for each verb. A verb that changes something is logged with the user's number; a verb
 * that shows statistics asks the fronts first. The monitor group may use those that only show.
 */
static const struct {
	enum control_verb verb;
	const char *name;
	bool changes, figures, shows;
	int (*run)(struct control_request *q);
} verbs[] = {
	{ CONTROL_STATUS, "status", false, true, true, control_status },
	{ CONTROL_CHECKPOINT, "checkpoint", false, false, true, control_checkpoint },
	{ CONTROL_KEY_INSTALL, "key install", true, false, false, control_key_install },
	{ CONTROL_KEY_SHOW, "key show", false, false, true, control_key_show },
	{ CONTROL_KEY_REQUEST, "key request", true, false, false, control_key_request },
	{ CONTROL_KEY_CONFIRM, "key confirm", true, false, false, control_key_confirm },
	{ CONTROL_KEY_REMOVE, "key remove", true, false, false, control_key_remove },
	{ CONTROL_KEY_SEAL, "key seal", true, false, false, control_key_seal },
	{ CONTROL_UNLOCK, "unlock", true, false, false, control_unlock },
	{ CONTROL_POLICY_INSTALL, "policy install", true, false, false, control_policy_install },
	{ CONTROL_POLICY_SHOW, "policy show", false, false, true, control_policy_show },
	{ CONTROL_CLIENT_SHOW, "client show", false, false, true, control_client_show },
	{ CONTROL_CLIENT_LIST, "client list", false, false, true, control_client_list },
	{ CONTROL_JOURNAL, "journal", false, false, true, control_journal },
	{ CONTROL_CLIENT_REVOKE, "client revoke", true, false, false, control_client_revoke },
	{ CONTROL_PUBLISHER_ROTATE, "publisher rotate", true, false, false,
	    control_publisher_rotate },
	{ CONTROL_REVOCATIONS_INSTALL, "revocations install", true, false, false,
	    control_revocations_install },
	{ CONTROL_RELAY_NAME, "relay name", false, false, false, control_relay_name },
	{ CONTROL_RELAY_STATUS, "relay status", false, false, true, control_relay_status },
	{ CONTROL_CLIENT_UNREVOKE, "client unrevoke", true, false, false, control_client_unrevoke },
	{ CONTROL_CLIENT_FORGET, "client forget", true, false, false, control_client_forget },
	{ CONTROL_CLIENT_ERASE, "client erase", true, false, false, control_client_erase },
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

static enum access
authorised(const struct control_server *s, int fd, uid_t *uid)
{
	const struct control_access *a = &s->access;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	*uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof(peer))
		return ACCESS_NONE;
	*uid = peer.uid;
	if (peer.uid == 0 || peer.uid == getuid() || peer.uid == a->starter ||
	    is_member(&peer, fd, a->have_group, a->group))
		return ACCESS_ALL;
	return is_member(&peer, fd, a->have_monitor, a->monitor) ? ACCESS_SHOWS : ACCESS_NONE;
}

/* Header, rows. For a failed verb, the reason replaces the rows. */
static bool
build_reply(struct connection *c, int status, struct control_buf *rows, const char *why)
{
	if (status == KMS_OK && rows->bad) {
		status = KMS_E_TOO_LARGE;
		why = "the answer is too large";
	}
	if (status != KMS_OK) {
		control_buf_free(rows);
		control_row(rows, "error");
		control_text(
		    rows, "message", *why ? why : kms_error_find((uint32_t)status)->remedy);
	}
	wipe(c);
	c->size = CONTROL_REPLY_HEADER + rows->len;
	c->len = c->size;
	c->sent = 0;
	if (rows->bad || (c->data = malloc(c->size)) == NULL) {
		c->data = NULL;
		return false;
	}
	if (!control_reply_header(c->data, (uint32_t)status, rows->len))
		return false;
	if (rows->len > 0)
		memcpy(c->data + CONTROL_REPLY_HEADER, rows->data, rows->len);
	return true;
}

static int
run_verb(struct connection *c, uint16_t verb, struct wire_reader *args, struct control_buf *rows,
    char why[CONTROL_WHY])
{
	struct control_request q = {
		.activate = c->server->activate, .args = *args, .out = rows, .why = why
	};
	int rc;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].verb != verb)
			continue;
		if (c->access == ACCESS_SHOWS && !verbs[i].shows) {
			strcpy(why,
			    "members of [kms] monitor_group may only look: this needs root or a member of control_group");
			return KMS_E_DENIED;
		}
		activate_clock(q.activate);
		if (host_identity_locked(q.activate->key) && verb != CONTROL_STATUS &&
		    verb != CONTROL_UNLOCK) {
			strcpy(why, "the host is locked: kmsctl unlock first");
			return KMS_E_LOCKED;
		}
		rc = verbs[i].run(&q);
		if (verbs[i].changes)
			log_event(rc == KMS_OK ? LOG_NOTICE : LOG_WARNING, "control",
			    "%s by uid %ld: %s%s%s", verbs[i].name, (long)c->uid,
			    rc == KMS_OK ? "done" : kms_strerror((uint32_t)rc), *why ? ": " : "",
			    why);
		return rc;
	}
	strcpy(why, "this kmsd does not know the command: kmsctl has another version");
	return KMS_E_ARGUMENT;
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
	struct control_buf rows = { 0 };
	char why[CONTROL_WHY] = "";
	int rc = run_verb(c, c->verb, &c->args, &rows, why);
	bool built = build_reply(c, rc, &rows, why);

	control_buf_free(&rows);
	if (!built || begin_reply(c) != KMS_OK)
		connection_close(c);
}

static void
on_figures(evutil_socket_t fd, short what, void *arg)
{
	serve(arg);
}

static bool
wants_figures(uint16_t verb)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].verb == verb)
			return verbs[i].figures;
	}
	return false;
}

/* The request is complete: nothing more is read. */
static void
take(struct connection *c)
{
	static const struct timeval moment = { 0, STATS_MICROSECONDS };

	if (!wants_figures(c->verb)) {
		serve(c);
		return;
	}
	front_peer_ask_stats(c->server->activate);
	event_free(c->event);
	c->event = evtimer_new(c->server->activate->base, on_figures, c);
	if (c->event == NULL || event_add(c->event, &moment) != 0)
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
	    "only root, the user who started kmsd and members of [kms] control_group (or, to look, of monitor_group) may do this");
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
connection_new(struct control_server *s, int fd, uid_t uid, enum access access)
{
	static const struct timeval patience = { CONTROL_SECONDS, 0 };
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
	    event_add(c->deadline, &patience) != 0)
		connection_close(c);
}

static void
on_connection(evutil_socket_t listener, short what, void *arg)
{
	struct control_server *s = arg;
	enum access access;
	uid_t uid;
	int fd;

	if ((fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		return;
	if ((access = authorised(s, fd, &uid)) != ACCESS_NONE)
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
