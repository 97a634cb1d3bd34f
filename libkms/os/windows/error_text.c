/*
 * error_text.c - see error_text.h. strerror(3) of Windows' C library knows no errors of sockets.
 */
#include "libkms/os/error_text.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

const char *
os_error_text(int error)
{
	static const struct {
		int error;
		const char *text;
	} table[] = {
		{ EWOULDBLOCK, "Resource temporarily unavailable" },
		{ EINPROGRESS, "Operation now in progress" },
		{ ECONNREFUSED, "Connection refused" },
		{ ECONNRESET, "Connection reset by peer" },
		{ ETIMEDOUT, "Connection timed out" },
		{ ENETUNREACH, "Network is unreachable" },
		{ EHOSTUNREACH, "No route to host" },
		{ ENETDOWN, "Network is down" },
		{ ENOBUFS, "No buffer space available" },
		{ EAFNOSUPPORT, "Address family not supported" },
		{ EADDRNOTAVAIL, "Cannot assign requested address" },
		{ ENOTCONN, "Socket is not connected" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == error)
			return table[i].text;
	return strerror(error);
}
