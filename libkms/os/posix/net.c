/*
 * net.c - see net.h.
 */
#include "libkms/os/net.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

int
os_socket(int family)
{
	int one = 1, fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int
os_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	int rc = connect(fd, to, len);

	if (rc != 0 && errno == EINTR)
		errno = EINPROGRESS; /* the kernel continues to connect */
	return rc;
}

int
os_socket_error(int fd)
{
	socklen_t len = sizeof(int);
	int error = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

ssize_t
os_send(int fd, const void *bytes, size_t len)
{
	ssize_t n;

	do
		n = send(fd, bytes, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

ssize_t
os_receive(int fd, void *out, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, out, size, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

void
os_close_socket(int fd)
{
	close(fd);
}

int
os_poll(struct pollfd *fds, nfds_t count, int ms)
{
	return poll(fds, count, ms);
}
