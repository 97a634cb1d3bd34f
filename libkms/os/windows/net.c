/*
 * net.c - see net.h: Winsock.
 */
#include "libkms/os/net.h"

#include <errno.h>
#include <stdbool.h>

#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

/* Winsock counts how often it was started: a process needs it from the first socket to its end. */
static BOOL CALLBACK
start_winsock(PINIT_ONCE once, PVOID arg, PVOID *context)
{
	WSADATA data;

	return WSAStartup(MAKEWORD(2, 2), &data) == 0;
}

static BOOL
winsock(void)
{
	static INIT_ONCE once = INIT_ONCE_STATIC_INIT;

	return InitOnceExecuteOnce(&once, start_winsock, NULL, NULL);
}

static int
failed(void)
{
	errno = wide_errno((unsigned long)WSAGetLastError());
	return -1;
}

int
os_socket(int family)
{
	BOOL one = TRUE;
	u_long yes = 1;
	SOCKET s;

	if (!winsock()) {
		errno = ENETDOWN;
		return -1;
	}
	s = WSASocketW(
	    family, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
	if (s == INVALID_SOCKET)
		return failed();
	(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&one, sizeof(one));
	(void)ioctlsocket(s, FIONBIO, &yes);
	return (int)s;
}

int
os_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	if (connect((SOCKET)fd, to, len) == 0)
		return 0;
	if (failed() != 0 && errno == EWOULDBLOCK)
		errno = EINPROGRESS;
	return -1;
}

int
os_socket_error(int fd)
{
	int len = sizeof(int), error = 0;

	if (getsockopt((SOCKET)fd, SOL_SOCKET, SO_ERROR, (char *)&error, &len) != 0)
		error = WSAGetLastError();
	return wide_errno((unsigned long)error);
}

ssize_t
os_send(int fd, const void *bytes, size_t len)
{
	int n = send((SOCKET)fd, bytes, (int)len, 0);

	return n >= 0 ? n : failed();
}

ssize_t
os_receive(int fd, void *out, size_t size)
{
	int n = recv((SOCKET)fd, out, (int)size, 0);

	return n >= 0 ? n : failed();
}

void
os_close_socket(int fd)
{
	closesocket((SOCKET)fd);
}

/*
 * select and not WSAPoll, which before Windows 10 version 2004 does not tell that a connection
 * failed. A descriptor below 0 is left out, as poll(2) does it.
 */
struct three_sets {
	fd_set in, out, failed;
};

static bool
fill_sets(struct three_sets *s, const struct pollfd *fds, nfds_t count)
{
	bool any = false;

	FD_ZERO(&s->in);
	FD_ZERO(&s->out);
	FD_ZERO(&s->failed);
	for (nfds_t i = 0; i < count; i++) {
		if (fds[i].fd == INVALID_SOCKET || fds[i].events == 0)
			continue;
		any = true;
		if (fds[i].events & POLLIN)
			FD_SET(fds[i].fd, &s->in);
		if (fds[i].events & POLLOUT) {
			FD_SET(fds[i].fd, &s->out);
			FD_SET(fds[i].fd, &s->failed);
		}
	}
	return any;
}

int
os_poll(struct pollfd *fds, nfds_t count, int ms)
{
	struct timeval time = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct three_sets s;
	int ready = 0;

	if (count > FD_SETSIZE) {
		errno = EINVAL;
		return -1;
	}
	for (nfds_t i = 0; i < count; i++)
		fds[i].revents = 0;
	if (!fill_sets(&s, fds, count)) { /* select refuses that */
		Sleep(ms < 0 ? INFINITE : (DWORD)ms);
		return 0;
	}
	if (select(0, &s.in, &s.out, &s.failed, ms < 0 ? NULL : &time) == SOCKET_ERROR)
		return failed();
	for (nfds_t i = 0; i < count; i++) {
		if (FD_ISSET(fds[i].fd, &s.in))
			fds[i].revents |= POLLIN;
		if (FD_ISSET(fds[i].fd, &s.out))
			fds[i].revents |= POLLOUT;
		if (FD_ISSET(fds[i].fd, &s.failed))
			fds[i].revents |= POLLERR;
		ready += fds[i].revents != 0;
	}
	return ready;
}
