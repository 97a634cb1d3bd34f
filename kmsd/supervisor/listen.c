/*
 * listen.c - one socket for every address and front, all on one port (SO_REUSEPORT). They stay
 * open here for as long as kmsd runs: the next front serves what waits in a dead front's backlog.
 */
#include "kmsd/supervisor/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define BACKLOG 4096
#define PORT_TRIES 32

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t
socket_address(union address *a, const uint8_t address[16], uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (address_is_ipv4(address)) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		memcpy(&a->v4.sin_addr, address + 12, 4);
		return sizeof(a->v4);
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	memcpy(&a->v6.sin6_addr, address, 16);
	return sizeof(a->v6);
}

int
listen_socket(const uint8_t address[16], uint16_t port, bool shared)
{
	union address a;
	socklen_t len = socket_address(&a, address, port);
	int fd, on = 1, saved;

	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1) ||
	    (a.sa.sa_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1) ||
	    bind(fd, &a.sa, len) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Bound under umask 0777: its mode is right later than it is there. */
int
listen_unix(const char *path, uid_t owner, gid_t group, mode_t mode, int backlog)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, rc, saved;
	mode_t mask;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(a.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	mask = umask(0777);
	rc = bind(fd, (struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (rc == 0 && chown(a.sun_path, owner, group) == 0 && chmod(a.sun_path, mode) == 0 &&
	    listen(fd, backlog) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/*
 * Is the address free? A second kmsd of the same user could share the port through SO_REUSEPORT
 * and silently take half of the clients, so try without it first.
 */
static bool
is_free(const uint8_t address[16], uint16_t port)
{
	int fd = listen_socket(address, port, false);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

/* "::" where the kernel has no IPv6 is a default that does not apply, not an error. */
static bool
may_be_absent(const uint8_t address[16])
{
	return !address_is_ipv4(address) && address_is_nowhere(address) &&
	       (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

static void
close_all(struct supervisor *s)
{
	unsigned f, a;

	for (f = 0; f < s->config.fronts; f++)
		for (a = 0; a < s->listener_count; a++)
			close(s->listeners[f][a]);
	s->listener_count = 0;
}

static int
bind_address(struct supervisor *s, const uint8_t address[16], uint16_t port)
{
	unsigned f, a = s->listener_count;

	for (f = 0; f < s->config.fronts; f++) {
		s->listeners[f][a] = listen_socket(address, port, true);
		if (s->listeners[f][a] == -1) {
			while (f-- > 0)
				close(s->listeners[f][a]);
			return KMS_E_IO;
		}
	}
	memcpy(s->listener_addresses[s->listener_count++], address, 16);
	return KMS_OK;
}

/* Binds every address on one port; *failed is the address that could not be bound. */
static int
bind_all(struct supervisor *s, uint16_t port, const uint8_t **failed)
{
	unsigned i;
	int saved;

	for (i = 0; i < s->config.address.count; i++) {
		*failed = s->config.address.at[i];
		if (is_free(*failed, port) && bind_address(s, *failed, port) == KMS_OK)
			continue;
		if (may_be_absent(*failed) && s->config.address.count > 1) {
			log_event(
			    LOG_NOTICE, "no-ipv6", "this machine has no IPv6: not listening on ::");
			continue;
		}
		saved = errno;
		close_all(s);
		errno = saved;
		return KMS_E_IO;
	}
	s->port = port;
	return s->listener_count > 0 ? KMS_OK : KMS_E_IO;
}

/* A port chosen by the system that is free on the first address. */
static uint16_t
choose_port(const struct supervisor *s)
{
	union address a;
	socklen_t len = sizeof(a);
	int fd = listen_socket(s->config.address.at[0], 0, false);

	if (fd == -1)
		return 0;
	if (getsockname(fd, &a.sa, &len) == -1)
		memset(&a, 0, sizeof(a));
	close(fd);
	return ntohs(a.sa.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

int
listen_bind(struct supervisor *s)
{
	const uint8_t *failed = s->config.address.at[0];
	char text[ADDRESS_TEXT];
	unsigned tries = s->config.port == 0 ? PORT_TRIES : 1;
	uint16_t port;
	int rc = KMS_E_IO;

	while (tries-- > 0 && rc != KMS_OK) {
		port = s->config.port ? s->config.port : choose_port(s);
		if (port == 0)
			break;
		rc = bind_all(s, port, &failed);
	}
	if (rc != KMS_OK)
		log_event(LOG_ERR, "start-failed", "cannot listen on %s port %u: %s%s",
		    address_text(text, failed), s->config.port, strerror(errno),
		    errno == EADDRINUSE
			? "; find the program that uses it with ss -ltnp, or change [listen] port"
		    : errno == EADDRNOTAVAIL
			? "; this machine does not have the address: change [listen] address"
		    : errno == EAFNOSUPPORT
			? "; the unit lets kmsd open no socket, and kmsd.socket gave it none, for example because another program has the port: see kmsctl doctor and systemctl status kmsd.socket"
			: "");
	return rc;
}

int
listen_begin(struct supervisor *s)
{
	char text[ADDRESS_TEXT];
	unsigned f, a;

	for (f = 0; f < s->config.fronts; f++)
		for (a = 0; a < s->listener_count; a++)
			if (listen(s->listeners[f][a], BACKLOG) == -1) {
				log_event(LOG_ERR, "start-failed", "cannot listen on port %u: %s",
				    s->port, strerror(errno));
				return KMS_E_IO;
			}
	for (a = 0; a < s->listener_count; a++)
		log_event(LOG_INFO, "listening", "%s port %u, %u fronts",
		    address_text(text, s->listener_addresses[a]), s->port, s->config.fronts);
	return KMS_OK;
}

static bool
listens(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

/*
 * The same socket, so that all who have it are served by it. It may be connected to somewhere by
 * now, which ends here; one that was bound without a port of its own (a service manager may do
 * that) has lost its port, and is bound once more.
 */
static bool
listen_again(const struct supervisor *s, int fd, const uint8_t address[16])
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	union address a;
	socklen_t len = socket_address(&a, address, s->port);

	connect(fd, &nowhere, sizeof(nowhere));
	if (bind(fd, &a.sa, len) == -1 && errno != EINVAL)
		return false;
	return listen(fd, BACKLOG) == 0;
}

/* Fronts that have this socket: one of them has shut it down, and would do so again. */
static void
replace_fronts(const struct supervisor *s, int fd, unsigned a)
{
	for (unsigned f = 0; f < s->config.fronts; f++)
		if (s->listeners[f][a] == fd && s->fronts[f].pid > 0)
			kill(s->fronts[f].pid, SIGKILL);
}

static void
mend(const struct supervisor *s, unsigned f, unsigned a)
{
	int fd = s->listeners[f][a];
	char text[ADDRESS_TEXT],
	    why[128] = "kmsd listens again, and replaces the processes that use this socket";

	replace_fronts(s, fd, a);
	if (!listen_again(s, fd, s->listener_addresses[a]))
		snprintf(why, sizeof(why), "kmsd cannot listen on it again: %s; restart kmsd",
		    strerror(errno));
	log_event(LOG_CRIT, "listener-shut",
	    "%s port %u: a process shut the listening socket of kmsd-front %u down; %s",
	    address_text(text, s->listener_addresses[a]), s->port, f, why);
}

void
listen_check(struct supervisor *s)
{
	if (s->phase != PHASE_SERVING)
		return;
	for (unsigned f = 0; f < s->config.fronts; f++)
		for (unsigned a = 0; a < s->listener_count; a++)
			if (!listens(s->listeners[f][a]))
				mend(s, f, a);
}
