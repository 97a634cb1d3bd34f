/*
 * net.c - see net.h: Winsock.
 */
#include "libkms/os/net.h"

#include <errno.h>

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

int
os_poll(struct pollfd *fds, nfds_t count, int ms)
{
	int n;

	if (count == 0) { /* WSAPoll refuses that */
		Sleep(ms < 0 ? INFINITE : (DWORD)ms);
		return 0;
	}
	n = WSAPoll(fds, count, ms);
	return n >= 0 ? n : failed();
}
