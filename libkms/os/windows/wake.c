/*
 * wake.c - see wake.h.
 */
#include "libkms/os/windows/wake.h"

#include <errno.h>

#include "libkms/os/net.h"
#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

static SOCKET
datagrams(struct sockaddr_in *at)
{
	SOCKET s = WSASocketW(
	    AF_INET, SOCK_DGRAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
	int len = sizeof(*at);
	u_long yes = 1;

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (s == INVALID_SOCKET || (bind(s, (struct sockaddr *)at, sizeof(*at)) == 0 &&
				       getsockname(s, (struct sockaddr *)at, &len) == 0 &&
				       ioctlsocket(s, FIONBIO, &yes) == 0))
		return s;
	closesocket(s);
	return INVALID_SOCKET;
}

bool
wake_open(struct wake *w)
{
	struct sockaddr_in a, b;
	int first = os_socket(AF_INET); /* starts Winsock */
	SOCKET heard, told;

	*w = (struct wake){ -1, -1 };
	if (first < 0)
		return false;
	os_close_socket(first);
	heard = datagrams(&a);
	told = datagrams(&b);
	w->heard = (int)heard;
	w->told = (int)told;
	/* Each hears the other alone. */
	if (heard != INVALID_SOCKET && told != INVALID_SOCKET &&
	    connect(heard, (struct sockaddr *)&b, sizeof(b)) == 0 &&
	    connect(told, (struct sockaddr *)&a, sizeof(a)) == 0)
		return true;
	errno = wide_errno((unsigned long)WSAGetLastError());
	wake_close(w);
	return false;
}

void
wake_close(struct wake *w)
{
	if (w->heard >= 0)
		os_close_socket(w->heard);
	if (w->told >= 0)
		os_close_socket(w->told);
	*w = (struct wake){ -1, -1 };
}

void
wake_tell(const struct wake *w)
{
	(void)send((SOCKET)w->told, "", 1, 0);
}

void
wake_hear(const struct wake *w)
{
	char byte;

	while (recv((SOCKET)w->heard, &byte, 1, 0) > 0)
		;
}
