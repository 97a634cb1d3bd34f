/*
 * lock_file.c - see lock_file.h.
 */
#include "libkms/os/lock_file.h"

#include <errno.h>
#include <stdlib.h>

#include "libkms/os/windows/access.h"
#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

intptr_t
os_lock(const char *path)
{
	struct access access;
	OVERLAPPED at = { 0 };
	wchar_t *wide = wide_path(path);
	HANDLE h;

	if (wide == NULL)
		return OS_NO_LOCK;
	h = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE,
	    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, access_for(&access, 0600),
	    OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
	access_free(&access);
	free(wide);
	if (h == INVALID_HANDLE_VALUE)
		return wide_failed();
	if (LockFileEx(h, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at))
		return (intptr_t)h;
	wide_failed();
	CloseHandle(h);
	return OS_NO_LOCK;
}

void
os_unlock(intptr_t lock)
{
	if (lock != OS_NO_LOCK)
		CloseHandle((HANDLE)lock);
}
