/*
 * transport.c - connect, send and receive: a non-blocking socket, and poll(2) with deadlines, so
 * that no host can keep its client waiting longer than the client allows.
 */
#include "libkms/client/transport.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

int64_t
transport_sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void
transport_name(char out[TRANSPORT_PEER], const struct sockaddr *to, socklen_t len)
{
	char address[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(to, len, address, sizeof(address), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(out, TRANSPORT_PEER, "unknown");
	else
		snprintf(out, TRANSPORT_PEER, "%.70s port %.5s", address, port);
}

static int
not_yet(struct transport *t, short events)
{
	t->events = events;
	return TRANSPORT_WAIT;
}

int
transport_dial(struct transport *t, const struct sockaddr *to, socklen_t len)
{
	int error;

	/* The socket first: Windows names nobody before a process has begun with sockets. */
	t->fd = os_socket(to->sa_family);
	error = errno;
	transport_name(t->peer, to, len);
	errno = error;
	if (t->fd < 0)
		return KMS_E_IO;
	if (os_connect(t->fd, to, len) == 0)
		return KMS_OK;
	if (errno == EINPROGRESS)
		return not_yet(t, POLLOUT);
	error = errno;
	transport_close(t);
	errno = error;
	return KMS_E_IO;
}

int
transport_dialled(struct transport *t)
{
	struct pollfd p = { .fd = t->fd, .events = POLLOUT };
	int error;

	if (os_poll(&p, 1, 0) == 0)
		return not_yet(t, POLLOUT);
	if ((error = os_socket_error(t->fd)) == 0)
		return KMS_OK;
	transport_close(t);
	errno = error;
	return KMS_E_IO;
}

void
transport_close(struct transport *t)
{
	if (t->fd >= 0)
		os_close_socket(t->fd);
	t->fd = -1;
}

int
transport_write(struct transport *t, const uint8_t *bytes, size_t len, size_t *done)
{
	while (*done < len) {
		ssize_t n = os_send(t->fd, bytes + *done, len - *done);

		if (n >= 0)
			*done += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return not_yet(t, POLLOUT);
		else
			return KMS_E_IO;
	}
	return KMS_OK;
}

/* What there is, at least one byte; as transport_read. */
static int
read_some(struct transport *t, uint8_t *out, size_t size, size_t *len)
{
	ssize_t n = os_receive(t->fd, out, size);

	if (n > 0) {
		*len = (size_t)n;
		return KMS_OK;
	}
	if (n == 0 || errno == ECONNRESET)
		return KMS_E_TRUNCATED;
	return errno == EAGAIN || errno == EWOULDBLOCK ? not_yet(t, POLLIN) : KMS_E_IO;
}

/* Up to so many bytes in all. */
static int
read_up_to(struct transport *t, uint8_t *out, size_t want, size_t *done)
{
	size_t n;
	int rc = KMS_OK;

	for (; rc == KMS_OK && *done < want; *done += rc == KMS_OK ? n : 0)
		rc = read_some(t, out + *done, want - *done, &n);
	return rc;
}

int
transport_read(struct transport *t, uint8_t *out, size_t size, size_t *done)
{
	struct frame f;
	int rc;

	if (size < FRAME_HEADER)
		return KMS_E_ARGUMENT;
	if ((rc = read_up_to(t, out, FRAME_HEADER, done)) != KMS_OK ||
	    (rc = frame_decode(&f, out, FRAME_MAX_REPLY)) != KMS_OK)
		return rc;
	if (f.length > size - FRAME_HEADER)
		return KMS_E_TOO_LARGE;
	return read_up_to(t, out, FRAME_HEADER + f.length, done);
}

/* Until the descriptor is ready for what the last step waits for. */
static int
wait_ready(struct transport *t, int64_t deadline)
{
	struct pollfd p = { .fd = t->fd, .events = t->events };
	int64_t left;
	int n;

	for (;;) {
		left = deadline - clock_ms();
		if (left <= 0)
			return KMS_E_TIMEOUT;
		n = os_poll(&p, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return KMS_OK;
		if (n < 0 && errno != EINTR)
			return KMS_E_IO;
	}
}

int
transport_connect(struct transport *t, const struct sockaddr *to, socklen_t len, int64_t deadline)
{
	int error, rc = transport_dial(t, to, len);

	while (rc == TRANSPORT_WAIT)
		if ((rc = wait_ready(t, deadline)) == KMS_OK)
			rc = transport_dialled(t);
	error = errno;
	if (rc != KMS_OK)
		transport_close(t);
	errno = error;
	return rc;
}

int
transport_send(struct transport *t, const uint8_t *bytes, size_t len, int64_t deadline)
{
	size_t done = 0;
	int rc;

	while ((rc = transport_write(t, bytes, len, &done)) == TRANSPORT_WAIT)
		if ((rc = wait_ready(t, deadline)) != KMS_OK)
			break;
	return rc;
}

int
transport_some(struct transport *t, uint8_t *out, size_t size, size_t *len, int64_t deadline)
{
	int rc;

	t->events = POLLIN;
	/* Wait first: a host that sends one byte at a time must not pass the deadline. */
	do
		if ((rc = wait_ready(t, deadline)) == KMS_OK)
			rc = read_some(t, out, size, len);
	while (rc == TRANSPORT_WAIT);
	return rc;
}

int
transport_receive(struct transport *t, uint8_t *out, size_t size, size_t *len, int64_t deadline)
{
	int rc;

	*len = 0;
	while ((rc = transport_read(t, out, size, len)) == TRANSPORT_WAIT)
		if ((rc = wait_ready(t, deadline)) != KMS_OK)
			break;
	return rc;
}
