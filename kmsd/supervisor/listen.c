/*
 * listen.c - one socket for every address and front, all on one port (SO_REUSEPORT). They stay
 * open here for as long as kmsd runs: the next front serves what waits in a dead front's backlog.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/supervisor/supervisor.h"
#include "libkms/kms_error.h"

#define BACKLOG 4096
#define PORT_TRIES 32

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t
parse_address(union address *a, const char *text, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		return sizeof(a->v4);
	}
	if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		return sizeof(a->v6);
	}
	return 0;
}

/* A bound socket, or -1. shared: other sockets of kmsd may have the same address. */
static int
bind_one(const char *text, uint16_t port, bool shared)
{
	union address a;
	socklen_t len = parse_address(&a, text, port);
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

/*
 * Is the address free? A second kmsd of the same user could share the port through SO_REUSEPORT
 * and silently take half of the clients, so try without it first.
 */
static bool
is_free(const char *text, uint16_t port)
{
	int fd = bind_one(text, port, false);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

/* "::" where the kernel has no IPv6 is a default that does not apply, not an error. */
static bool
may_be_absent(const char *text)
{
	return strcmp(text, "::") == 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
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
bind_address(struct supervisor *s, const char *text, uint16_t port)
{
	unsigned f, a = s->listener_count;

	for (f = 0; f < s->config.fronts; f++) {
		s->listeners[f][a] = bind_one(text, port, true);
		if (s->listeners[f][a] == -1) {
			while (f-- > 0)
				close(s->listeners[f][a]);
			return KMS_E_IO;
		}
	}
	s->listener_names[s->listener_count++] = text;
	return KMS_OK;
}

/* Binds every address on one port; *failed is the address that could not be bound. */
static int
bind_all(struct supervisor *s, uint16_t port, const char **failed)
{
	unsigned i;
	int saved;

	for (i = 0; i < s->config.address_count; i++) {
		*failed = s->config.address[i];
		if (is_free(*failed, port) && bind_address(s, *failed, port) == KMS_OK)
			continue;
		if (may_be_absent(*failed) && s->config.address_count > 1) {
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
	int fd = bind_one(s->config.address[0], 0, false);

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
	const char *failed = s->config.address[0];
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
		log_event(LOG_ERR, "start-failed", "cannot listen on %s port %u: %s%s", failed,
		    s->config.port, strerror(errno),
		    errno == EADDRINUSE
			? "; find the program that uses it with ss -ltnp, or change [listen] port"
		    : errno == EADDRNOTAVAIL
			? "; this machine does not have the address: change [listen] address"
			: "");
	return rc;
}

int
listen_begin(struct supervisor *s)
{
	unsigned f, a;

	for (f = 0; f < s->config.fronts; f++)
		for (a = 0; a < s->listener_count; a++)
			if (listen(s->listeners[f][a], BACKLOG) == -1) {
				log_event(LOG_ERR, "start-failed", "cannot listen on port %u: %s",
				    s->port, strerror(errno));
				return KMS_E_IO;
			}
	for (a = 0; a < s->listener_count; a++)
		log_event(LOG_INFO, "listening", "%s port %u, %u fronts", s->listener_names[a],
		    s->port, s->config.fronts);
	return KMS_OK;
}
