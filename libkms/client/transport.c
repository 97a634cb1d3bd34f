/*
 * transport.c - connect, send and receive with deadlines: a non-blocking socket and poll(2), so
 * that no host can keep its client waiting longer than the client allows.
 */
#include "libkms/client/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libkms/base/clock.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

int64_t
transport_sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int n;

	for (;;) {
		left = deadline - clock_ms();
		if (left <= 0)
			return KMS_E_TIMEOUT;
		n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return KMS_OK;
		if (n < 0 && errno != EINTR)
			return KMS_E_IO;
	}
}

static void
name_peer(struct transport *t, const struct sockaddr *to, socklen_t len)
{
	char address[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(to, len, address, sizeof(address), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(t->peer, sizeof(t->peer), "unknown");
	else
		snprintf(t->peer, sizeof(t->peer), "%.70s port %.5s", address, port);
}

static int
finish_connect(int fd, int64_t deadline)
{
	int error = 0, rc = wait_for(fd, POLLOUT, deadline);
	socklen_t len = sizeof(error);

	if (rc != KMS_OK)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return KMS_E_IO;
	errno = error;
	return error == 0 ? KMS_OK : KMS_E_IO;
}

int
transport_connect(struct transport *t, const struct sockaddr *to, socklen_t len, int64_t deadline)
{
	int one = 1, rc = KMS_OK, saved;

	name_peer(t, to, len);
	t->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return KMS_E_IO;
	(void)setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(t->fd, to, len) != 0)
		/* Interrupted or in progress: the kernel continues to connect. */
		rc = errno == EINPROGRESS || errno == EINTR ? finish_connect(t->fd, deadline)
							    : KMS_E_IO;
	if (rc != KMS_OK) {
		saved = errno;
		transport_close(t);
		errno = saved;
	}
	return rc;
}

void
transport_close(struct transport *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int
transport_send(struct transport *t, const uint8_t *bytes, size_t len, int64_t deadline)
{
	int rc;

	while (len > 0) {
		ssize_t n = send(t->fd, bytes, len, MSG_NOSIGNAL);

		if (n >= 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if ((rc = wait_for(t->fd, POLLOUT, deadline)) != KMS_OK)
				return rc;
		} else if (errno != EINTR) {
			return KMS_E_IO;
		}
	}
	return KMS_OK;
}

int
transport_some(struct transport *t, uint8_t *out, size_t size, size_t *len, int64_t deadline)
{
	ssize_t n;
	int rc;

	for (;;) {
		/* Wait first: a host that sends one byte at a time must not pass the deadline. */
		if ((rc = wait_for(t->fd, POLLIN, deadline)) != KMS_OK)
			return rc;
		n = recv(t->fd, out, size, 0);
		if (n > 0) {
			*len = (size_t)n;
			return KMS_OK;
		}
		if (n == 0 || errno == ECONNRESET)
			return KMS_E_TRUNCATED;
		if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
			return KMS_E_IO;
	}
}

static int
receive_exactly(struct transport *t, uint8_t *out, size_t len, int64_t deadline)
{
	size_t n;
	int rc;

	for (; len > 0; out += n, len -= n)
		if ((rc = transport_some(t, out, len, &n, deadline)) != KMS_OK)
			return rc;
	return KMS_OK;
}

int
transport_receive(struct transport *t, uint8_t *out, size_t size, size_t *len, int64_t deadline)
{
	struct frame f;
	int rc;

	if (size < FRAME_HEADER)
		return KMS_E_ARGUMENT;
	if ((rc = receive_exactly(t, out, FRAME_HEADER, deadline)) != KMS_OK)
		return rc;
	if ((rc = frame_decode(&f, out, FRAME_MAX_REPLY)) != KMS_OK)
		return rc;
	if (f.length > size - FRAME_HEADER)
		return KMS_E_TOO_LARGE;
	if ((rc = receive_exactly(t, out + FRAME_HEADER, f.length, deadline)) != KMS_OK)
		return rc;
	*len = FRAME_HEADER + f.length;
	return KMS_OK;
}
