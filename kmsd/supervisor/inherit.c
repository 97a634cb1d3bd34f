/*
 * inherit.c - listening sockets from the service manager (sd_listen_fds(3) without libsystemd).
 * They outlive this process, so that a restart refuses no client: a client that connects meanwhile
 * waits in the backlog.
 */
#include "kmsd/supervisor/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/supervisor/web.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define FIRST 3

unsigned
inherited_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	unsigned long n;

	if (pid == NULL || fds == NULL || strtoul(pid, NULL, 10) != (unsigned long)getpid())
		return 0;
	n = strtoul(fds, NULL, 10);
	return n > 1024 ? 1024 : (unsigned)n;
}

/* Address and port of a listening TCP socket. */
static bool
describe(int fd, uint8_t address[16], uint16_t *port)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in6 v6;
	} a;
	socklen_t len = sizeof(a), size = sizeof(int);
	int type = 0, listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == -1 || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == -1 || !listens ||
	    getsockname(fd, &a.sa, &len) == -1)
		return false;
	return address_take(address, port, &a.sa);
}

static bool
wanted(const struct config *c, const uint8_t address[16])
{
	unsigned i;

	for (i = 0; i < c->address.count; i++)
		if (memcmp(c->address.at[i], address, 16) == 0)
			return true;
	return false;
}

/* The service manager decides; a difference from the ini file is logged. */
static void
compare(const struct supervisor *s)
{
	bool same = s->config.port == 0 || s->port == s->config.port;
	unsigned i;

	for (i = 0; i < s->listener_count; i++)
		same = same && wanted(&s->config, s->listener_addresses[i]);
	if (!same || s->listener_count < s->config.address.count)
		log_event(LOG_WARNING, "listen-differs",
		    "the service manager's sockets do not match [listen]: run \"kmsctl apply\", which writes them into kmsd.socket, then restart kmsd.socket");
}

static int
prepare(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != -1 &&
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != -1)
		return KMS_OK;
	log_event(LOG_ERR, "start-failed", "fcntl: %s", strerror(errno));
	return KMS_E_IO;
}

/* One that neither [listen] nor [web] asks for, as when [web] was taken out of kms.ini. */
static bool
is_left_over(const struct supervisor *s, uint16_t port)
{
	return s->listener_count > 0 && port != s->port && port != s->config.port;
}

static int
leave(int fd, const uint8_t address[16], uint16_t port)
{
	char text[ADDRESS_TEXT];

	log_event(LOG_WARNING, "listen-differs",
	    "the service manager has a socket on %s port %u, which kms.ini does not ask for: run \"kmsctl apply\", then restart kmsd.socket",
	    address_text(text, address), port);
	close(fd);
	return KMS_OK;
}

/*
 * One socket for all fronts: the kernel gives a connection to the front that accepts it first; or
 * one of kmsd-web's.
 */
static int
take(struct supervisor *s, int fd)
{
	unsigned a = s->listener_count, f;
	uint8_t address[16];
	uint16_t port;
	bool good = describe(fd, address, &port);

	if (good && web_inherit(s, fd, address, port))
		return prepare(fd);
	if (good && is_left_over(s, port))
		return leave(fd, address, port);
	if (!good || a == CONFIG_ADDRESSES || (a > 0 && port != s->port)) {
		log_event(LOG_ERR, "start-failed",
		    "descriptor %d of the service manager is not one of at most %d listening TCP sockets on one port: correct kmsd.socket",
		    fd, CONFIG_ADDRESSES);
		return KMS_E_ARGUMENT;
	}
	if (prepare(fd) != KMS_OK)
		return KMS_E_IO;
	memcpy(s->listener_addresses[a], address, 16);
	for (f = 0; f < s->config.fronts; f++)
		s->listeners[f][a] = fd;
	s->listener_count++;
	s->port = port;
	return KMS_OK;
}

int
listen_inherited(struct supervisor *s)
{
	unsigned i, n = inherited_count();
	int rc = KMS_OK;

	for (i = 0; i < n && rc == KMS_OK; i++)
		rc = take(s, FIRST + (int)i);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (rc == KMS_OK)
		compare(s);
	return rc;
}
