/*
 * file.c - see file.h. Windows has no directory descriptors: dirfd is the working directory
 * (working_dir.h), and the functions for directories are only in the programs of the appliance.
 */
#include "libkms/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"
#include "libkms/os/windows/access.h"
#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

/* A virus scanner or a reader may have the file for a moment. */
#define TRIES 50
#define WAIT_MS 10

static int
status_failed(void)
{
	wide_failed();
	return file_status(errno);
}

/* Closing keeps the errno of the failure. */
static void
close_quietly(HANDLE h)
{
	int error = errno;

	CloseHandle(h);
	errno = error;
}

static int
read_handle(HANDLE h, void *buffer, size_t size, size_t *len)
{
	DWORD n;
	char more;

	*len = 0;
	for (;;) {
		BOOL full = *len == size;

		if (!ReadFile(h, full ? &more : (char *)buffer + *len,
			full ? 1 : (DWORD)(size - *len), &n, NULL)) {
			if (GetLastError() == ERROR_BROKEN_PIPE) /* a pipe's end */
				return KMS_OK;
			return status_failed();
		}
		if (n == 0)
			return KMS_OK;
		if (full)
			return KMS_E_TOO_LARGE;
		*len += n;
	}
}

/* With FILE_SHARE_DELETE it can be replaced while it is read. */
static HANDLE
open_shared(const wchar_t *path, DWORD flags)
{
	HANDLE h;

	for (int i = 0;; i++) {
		h = CreateFileW(path, GENERIC_READ,
		    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
		    FILE_ATTRIBUTE_NORMAL | flags, NULL);
		if (h != INVALID_HANDLE_VALUE || i == TRIES ||
		    GetLastError() != ERROR_SHARING_VIOLATION)
			return h;
		Sleep(WAIT_MS);
	}
}

static int
open_to_read(const char *path, enum file_origin origin, HANDLE *h)
{
	DWORD links = origin == FILE_OURS ? FILE_FLAG_OPEN_REPARSE_POINT : 0;
	BY_HANDLE_FILE_INFORMATION info;
	wchar_t *wide = wide_path(path);
	DWORD attributes;

	if (wide == NULL)
		return file_status(errno);
	attributes = GetFileAttributesW(wide);
	*h = open_shared(wide, links);
	free(wide);
	if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY)) {
		if (*h != INVALID_HANDLE_VALUE)
			CloseHandle(*h);
		errno = EISDIR;
		return KMS_E_IO;
	}
	if (*h == INVALID_HANDLE_VALUE)
		return status_failed();
	if (origin == FILE_GIVEN)
		return KMS_OK;
	if (GetFileType(*h) == FILE_TYPE_DISK && GetFileInformationByHandle(*h, &info) &&
	    (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0)
		return KMS_OK;
	CloseHandle(*h);
	errno = EINVAL;
	return KMS_E_IO;
}

int
file_read_into(
    int dirfd, const char *path, enum file_origin origin, void *buffer, size_t size, size_t *len)
{
	HANDLE h;
	int rc;

	*len = 0;
	if ((rc = open_to_read(path, origin, &h)) != KMS_OK)
		return rc;
	rc = read_handle(h, buffer, size, len);
	close_quietly(h);
	return rc;
}

int
file_read(int dirfd, const char *path, enum file_origin origin, size_t max, char **out, size_t *len)
{
	char *text = malloc(max + 1);
	int rc, error;

	*out = NULL;
	*len = 0;
	if (text == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = file_read_into(dirfd, path, origin, text, max, len)) != KMS_OK) {
		error = errno;
		free(text);
		errno = error;
		return rc;
	}
	text[*len] = '\0';
	*out = text;
	return KMS_OK;
}

static int
write_handle(HANDLE h, const void *data, size_t len)
{
	const char *at = data;
	DWORD n;

	for (; len > 0; at += n, len -= n)
		if (!WriteFile(h, at, len > 1u << 20 ? 1u << 20 : (DWORD)len, &n, NULL))
			return status_failed();
	return KMS_OK;
}

/* In one step: whoever opens path finds the old file or the new one. */
static int
move_over(const wchar_t *from, const wchar_t *to, bool replace)
{
	DWORD how = MOVEFILE_WRITE_THROUGH | (replace ? MOVEFILE_REPLACE_EXISTING : 0);

	for (int i = 0; !MoveFileExW(from, to, how); i++) {
		DWORD error = GetLastError();

		if (!replace || i == TRIES ||
		    (error != ERROR_SHARING_VIOLATION && error != ERROR_ACCESS_DENIED))
			return status_failed();
		Sleep(WAIT_MS);
	}
	return KMS_OK;
}

static int
write_beside(const wchar_t *beside, const void *data, size_t len, mode_t mode)
{
	struct access access;
	HANDLE h;
	int rc;

	h = CreateFileW(beside, GENERIC_WRITE, FILE_SHARE_READ, access_for(&access, mode),
	    CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
	if (h == INVALID_HANDLE_VALUE) {
		rc = status_failed();
		access_free(&access);
		return rc;
	}
	access_free(&access);
	rc = write_handle(h, data, len);
	if (rc == KMS_OK && !FlushFileBuffers(h))
		rc = status_failed();
	close_quietly(h);
	return rc;
}

static wchar_t *
beside_path(const char *path)
{
	char name[FILE_PATH_MAX];

	if (snprintf(name, sizeof(name), "%s.new", path) >= (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return wide_path(name);
}

int
file_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool replace)
{
	wchar_t *wide = wide_path(path), *beside = beside_path(path);
	int rc = wide == NULL || beside == NULL ? file_status(errno) : KMS_OK;
	int error;

	/* A crash may have left a file there. */
	if (rc == KMS_OK && !DeleteFileW(beside) && GetLastError() != ERROR_FILE_NOT_FOUND)
		rc = status_failed();
	if (rc == KMS_OK) {
		rc = write_beside(beside, data, len, mode);
		if (rc == KMS_OK)
			rc = move_over(beside, wide, replace);
		error = errno;
		if (rc != KMS_OK)
			DeleteFileW(beside);
		errno = error;
	}
	free(wide);
	free(beside);
	return rc;
}

/* A device (NUL, CON) or a pipe stays what it is. */
static int
write_through(const wchar_t *path, const void *data, size_t len)
{
	HANDLE h = CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
	    OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
	int rc;

	if (h == INVALID_HANDLE_VALUE)
		return status_failed();
	rc = write_handle(h, data, len);
	close_quietly(h);
	return rc;
}

static bool
is_device(const wchar_t *path)
{
	HANDLE h = CreateFileW(path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
	    NULL, OPEN_EXISTING, 0, NULL);
	bool is = h != INVALID_HANDLE_VALUE && GetFileType(h) != FILE_TYPE_DISK;

	if (h != INVALID_HANDLE_VALUE)
		CloseHandle(h);
	return is;
}

int
file_write_given(const char *path, const void *data, size_t len)
{
	wchar_t *wide = wide_path(path);
	int rc;

	if (wide == NULL)
		return file_status(errno);
	/* The folder's access list counts for a file that a person named. */
	rc = is_device(wide) ? write_through(wide, data, len)
			     : file_write(0, path, data, len, 0666, true);
	free(wide);
	return rc;
}

int
file_remove(int dirfd, const char *path)
{
	wchar_t *wide = wide_path(path);
	int rc = KMS_OK;

	if (wide == NULL)
		return file_status(errno);
	if (!DeleteFileW(wide) && GetLastError() != ERROR_FILE_NOT_FOUND)
		rc = status_failed();
	free(wide);
	return rc;
}

bool
file_exists(int dirfd, const char *path)
{
	wchar_t *wide = wide_path(path);
	bool is = wide != NULL && GetFileAttributesW(wide) != INVALID_FILE_ATTRIBUTES;

	free(wide);
	return is;
}
