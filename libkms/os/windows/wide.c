/*
 * wide.c - see wide.h.
 */
#include "libkms/os/windows/wide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/os/windows/win.h"

#define LONG_PATH 240 /* from here on a path needs the prefix of long ones */

wchar_t *
wide_from(const char *text)
{
	int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
	wchar_t *wide;

	if (n <= 0) {
		errno = EILSEQ;
		return NULL;
	}
	wide = calloc((size_t)n, sizeof(*wide));
	if (wide != NULL)
		MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, n);
	return wide;
}

/* Windows takes a long path only from its root, with this prefix, and then without '/' and "..". */
static wchar_t *
make_long(wchar_t *path)
{
	static const wchar_t local[] = L"\\\\?\\", remote[] = L"\\\\?\\UNC";
	DWORD n = GetFullPathNameW(path, 0, NULL, NULL);
	wchar_t *out = n == 0 ? NULL : calloc(n + 16u, sizeof(*out));
	size_t at;

	if (out == NULL)
		return path;
	at = wcslen(local);
	GetFullPathNameW(path, n, out + at, NULL);
	if (wcsncmp(out + at, L"\\\\", 2) == 0) { /* \\server\share\... */
		memmove(
		    out + wcslen(remote), out + at + 1, (wcslen(out + at + 1) + 1) * sizeof(*out));
		memcpy(out, remote, wcslen(remote) * sizeof(*out));
	} else {
		memcpy(out, local, at * sizeof(*out));
	}
	free(path);
	return out;
}

wchar_t *
wide_path(const char *path)
{
	wchar_t *wide = wide_from(path);

	/* The folder in which a relative one begins counts too. */
	if (wide == NULL || wcsncmp(wide, L"\\\\?\\", 4) == 0 ||
	    GetFullPathNameW(wide, 0, NULL, NULL) < LONG_PATH)
		return wide;
	return make_long(wide);
}

char *
wide_to(const wchar_t *text)
{
	int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
	char *out = n <= 0 ? NULL : malloc((size_t)n);

	if (out != NULL)
		WideCharToMultiByte(CP_UTF8, 0, text, -1, out, n, NULL, NULL);
	return out;
}

int
wide_errno(unsigned long error)
{
	static const struct {
		unsigned long windows;
		int error;
	} table[] = {
		{ ERROR_SUCCESS, 0 },
		{ ERROR_FILE_NOT_FOUND, ENOENT },
		{ ERROR_PATH_NOT_FOUND, ENOENT },
		{ ERROR_INVALID_NAME, ENOENT },
		{ ERROR_BAD_PATHNAME, ENOENT },
		{ ERROR_BAD_NETPATH, ENOENT },
		{ ERROR_BAD_NET_NAME, ENOENT },
		{ ERROR_INVALID_DRIVE, ENOENT },
		{ ERROR_ACCESS_DENIED, EACCES },
		{ ERROR_WRITE_PROTECT, EROFS },
		{ ERROR_SHARING_VIOLATION, EACCES },
		{ ERROR_LOCK_VIOLATION, EWOULDBLOCK },
		{ ERROR_IO_PENDING, EWOULDBLOCK },
		{ ERROR_FILE_EXISTS, EEXIST },
		{ ERROR_ALREADY_EXISTS, EEXIST },
		{ ERROR_DISK_FULL, ENOSPC },
		{ ERROR_HANDLE_DISK_FULL, ENOSPC },
		{ ERROR_FILE_TOO_LARGE, EFBIG },
		{ ERROR_NOT_ENOUGH_MEMORY, ENOMEM },
		{ ERROR_OUTOFMEMORY, ENOMEM },
		{ ERROR_BROKEN_PIPE, EPIPE },
		{ ERROR_NO_DATA, EPIPE },
		{ ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG },
		{ ERROR_BAD_EXE_FORMAT, ENOEXEC },
		{ WSAEWOULDBLOCK, EWOULDBLOCK },
		{ WSAEINPROGRESS, EINPROGRESS },
		{ WSAEINTR, EINTR },
		{ WSAECONNREFUSED, ECONNREFUSED },
		{ WSAECONNRESET, ECONNRESET },
		{ WSAECONNABORTED, ECONNRESET },
		{ WSAENETRESET, ECONNRESET },
		{ WSAETIMEDOUT, ETIMEDOUT },
		{ WSAENETUNREACH, ENETUNREACH },
		{ WSAEHOSTUNREACH, EHOSTUNREACH },
		{ WSAENETDOWN, ENETDOWN },
		{ WSAEACCES, EACCES },
		{ WSAEMFILE, EMFILE },
		{ WSAENOBUFS, ENOBUFS },
		{ WSAEAFNOSUPPORT, EAFNOSUPPORT },
		{ WSAEADDRNOTAVAIL, EADDRNOTAVAIL },
		{ WSAENOTCONN, ENOTCONN },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].windows == error)
			return table[i].error;
	return EIO;
}

int
wide_failed(void)
{
	errno = wide_errno(GetLastError());
	return -1;
}
