/*
 * issue_file.c - see file.h. A new file is written beside its name, synced, and
 * then linked (or renamed) into place; the directory is synced last.
 */
#include "kmsctl/issue/issue_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libkms/kms_error.h"

#define PATH_ROOM 1100

int
file_status(int error)
{
	static const struct {
		int error;
		int status;
	} table[] = {
		{ ENOENT, KMS_E_NOT_FOUND },
		{ EACCES, KMS_E_DENIED },
		{ EPERM, KMS_E_DENIED },
		{ EROFS, KMS_E_DENIED },
		{ ENOSPC, KMS_E_FULL },
		{ EDQUOT, KMS_E_FULL },
		{ EEXIST, KMS_E_EXISTS },
		{ ENOMEM, KMS_E_NO_MEMORY },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == error)
			return table[i].status;
	return KMS_E_IO;
}

int
file_read_into(const char *path, void *buffer, size_t size, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = KMS_OK;
	char more;

	*len = 0;
	if (fd < 0)
		return file_status(errno);
	for (;;) {
		ssize_t n =
		    *len < size ? read(fd, (char *)buffer + *len, size - *len) : read(fd, &more, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = file_status(errno);
		else if (n > 0 && *len == size)
			rc = KMS_E_TOO_LARGE;
		if (n <= 0 || rc != KMS_OK)
			break;
		*len += (size_t)n;
	}
	close(fd);
	return rc;
}

int
file_read(const char *path, size_t max, char **out, size_t *len)
{
	char *text = malloc(max + 1);
	int rc;

	*out = NULL;
	if (text == NULL)
		return KMS_E_NO_MEMORY;
	rc = file_read_into(path, text, max, len);
	if (rc != KMS_OK) {
		int saved = errno;

		free(text);
		errno = saved;
		return rc;
	}
	text[*len] = '\0';
	*out = text;
	return KMS_OK;
}

bool
file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int
file_make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return KMS_OK;
	if (errno != EEXIST)
		return file_status(errno);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return KMS_OK;
	errno = ENOTDIR;
	return KMS_E_IO;
}

int
file_sync_parent(const char *path)
{
	char copy[PATH_ROOM];
	int fd, rc = KMS_OK;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return KMS_E_TOO_LARGE;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return file_status(errno);
	if (fsync(fd) != 0)
		rc = file_status(errno);
	close(fd);
	return rc;
}

static int
write_whole(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_status(errno);
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? KMS_OK : file_status(errno);
}

int
file_write(const char *path, const void *data, size_t len, mode_t mode, bool replace)
{
	char beside[PATH_ROOM];
	int fd, rc, saved;

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
		return KMS_E_TOO_LARGE;
	if ((fd = mkostemp(beside, O_CLOEXEC)) < 0)
		return file_status(errno);
	rc = write_whole(fd, data, len);
	if (rc == KMS_OK && fchmod(fd, mode) != 0)
		rc = file_status(errno);
	/* link and not rename: rename would replace what is there without asking. */
	if (rc == KMS_OK && (replace ? rename(beside, path) : link(beside, path)) != 0)
		rc = file_status(errno);
	saved = errno;
	close(fd);
	if (!replace || rc != KMS_OK)
		unlink(beside);
	errno = saved;
	return rc == KMS_OK ? file_sync_parent(path) : rc;
}
