/*
 * web.c - see web.h.
 */
#include "kmsd/supervisor/web.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/supervisor/child_user.h"
#include "kmsd/supervisor/listen.h"
#include "kmsd/supervisor/spawn.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define BACKLOG 128

static void
keep(struct supervisor *s, int fd)
{
	s->web_listeners[s->web_listener_count++] = fd;
}

bool
web_inherit(struct supervisor *s, int fd, const uint8_t address[16], uint16_t port)
{
	const struct config_endpoints *listen = &s->config.web_listen;

	for (unsigned i = 0; i < listen->count; i++) {
		if (listen->at[i].port != port || memcmp(listen->at[i].address, address, 16) != 0 ||
		    (s->web_inherited & 1u << i) != 0)
			continue;
		s->web_inherited |= 1u << i;
		keep(s, fd);
		return true;
	}
	return false;
}

static void
bind_tcp(struct supervisor *s, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT];
	int fd = listen_socket(e->address, e->port, false);

	if (fd != -1 && listen(fd, BACKLOG) == 0) {
		keep(s, fd);
		return;
	}
	log_event(LOG_ERR, "web-unavailable", "[web] listen: cannot listen on %s: %s%s",
	    endpoint_text(text, e, 0), strerror(errno),
	    errno == EADDRINUSE ? "; find the program that uses it with ss -ltnp"
	    : errno == EAFNOSUPPORT
		? "; the unit lets kmsd open no socket: run kmsctl apply, then restart kmsd.socket"
		: "");
	if (fd != -1)
		close(fd);
}

static void
bind_unix(struct supervisor *s)
{
	const char *name = s->config.web_socket_group;
	struct group *group;
	char path[256];
	int fd;

	if (name[0] == '\0')
		return;
	if ((group = getgrnam(name)) == NULL) {
		log_event(LOG_ERR, "web-unavailable",
		    "[web] socket_group: there is no group %s: no Unix socket for the page", name);
		return;
	}
	snprintf(path, sizeof(path), "%s/" WEB_SOCKET, s->config.runtime_directory);
	if ((fd = listen_unix(path, (uid_t)-1, group->gr_gid, 0660, BACKLOG)) != -1)
		keep(s, fd);
	else
		log_event(LOG_ERR, "web-unavailable", "%s: %s", path, strerror(errno));
}

void
web_bind(struct supervisor *s)
{
	const struct config_endpoints *listen = &s->config.web_listen;

	if (!web_configured(&s->config) ||
	    !has_child_user(s, s->config.web_user, "kmsd-web", "web-unavailable"))
		return;
	for (unsigned i = 0; i < listen->count; i++)
		if ((s->web_inherited & 1u << i) == 0)
			bind_tcp(s, &listen->at[i]);
	bind_unix(s);
	s->web_on = s->web_listener_count > 0;
}

bool
web_wanted(const struct supervisor *s)
{
	return s->web_on;
}

void
web_give_up(struct supervisor *s)
{
	s->web_on = false;
	log_event(LOG_ERR, "web-unavailable",
	    "kmsd-web cannot be started as the ini file demands: kmsd serves clients without it, and tries again when kmsd is restarted");
}

/* Its channel to the activation process. */
static void
connect_both(struct supervisor *s)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1) {
		log_event(LOG_ERR, "web-unavailable", "socketpair: %s", strerror(errno));
		return;
	}
	if (child_send(&s->activate, IPC_WEB, 0, pair[0]) == KMS_OK)
		child_send(&s->web, IPC_WEB, 0, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

void
web_start(struct supervisor *s)
{
	struct child *c = &s->web;

	c->restart_at = 0;
	if (!s->web_on)
		return;
	if (spawn_child(s, c) != KMS_OK) {
		web_give_up(s);
		return;
	}
	/* One that dies meanwhile is noticed when it is reaped, not here. */
	if (send_config(s, c, IPC_CONFIG) != KMS_OK)
		return;
	for (unsigned i = 0; i < s->web_listener_count; i++)
		child_send(c, IPC_LISTEN, (uint8_t)i, s->web_listeners[i]);
	connect_both(s);
	child_send(c, IPC_START, 0, -1);
}
