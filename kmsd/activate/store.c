/*
 * store.c - openat, fsync, rename. O_NOFOLLOW throughout: nothing under the
 * state directory is meant to be a symbolic link.
 */
#include "kmsd/activate/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libkms/kms_error.h"

static int
io_status(void)
{
	return errno == ENOSPC || errno == EDQUOT ? KMS_E_FULL : KMS_E_IO;
}

int
store_mkdir(int dirfd, const char *path)
{
	if (mkdirat(dirfd, path, 0700) == 0 || errno == EEXIST)
		return KMS_OK;
	return io_status();
}

static int
read_all(int fd, uint8_t *out, size_t size, size_t *len)
{
	size_t have = 0;
	ssize_t n;

	while (have < size) {
		if ((n = read(fd, out + have, size - have)) == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return KMS_E_IO;
		have += (size_t)n;
	}
	*len = have;
	return KMS_OK;
}

static int
open_regular(int dirfd, const char *path, int *fd, off_t *size)
{
	struct stat st;

	if ((*fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) < 0)
		return errno == ENOENT ? KMS_E_NOT_FOUND : KMS_E_IO;
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*size = st.st_size;
		return KMS_OK;
	}
	close(*fd);
	*fd = -1;
	return KMS_E_IO;
}

int
store_read_into(int dirfd, const char *path, uint8_t *out, size_t size, size_t *len)
{
	off_t file_size;
	int fd = -1, rc;

	if ((rc = open_regular(dirfd, path, &fd, &file_size)) != KMS_OK)
		return rc;
	rc = (uint64_t)file_size > size ? KMS_E_TOO_LARGE : read_all(fd, out, size, len);
	close(fd);
	return rc;
}

int
store_read(int dirfd, const char *path, size_t max, uint8_t **out, size_t *len)
{
	uint8_t *data = NULL;
	off_t size;
	int fd = -1, rc;

	if ((rc = open_regular(dirfd, path, &fd, &size)) != KMS_OK)
		return rc;
	if ((uint64_t)size > max)
		rc = KMS_E_TOO_LARGE;
	else if ((data = malloc((size_t)size + 1)) == NULL)
		rc = KMS_E_NO_MEMORY;
	else
		rc = read_all(fd, data, (size_t)size, len);
	close(fd);
	if (rc != KMS_OK) {
		free(data);
		return rc;
	}
	data[*len] = 0;
	*out = data;
	return KMS_OK;
}

static int
write_all(int fd, const uint8_t *at, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_status();
		at += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? KMS_OK : io_status();
}

static int
sync_parent(int dirfd, const char *path)
{
	char dir[STORE_PATH] = ".";
	const char *slash = strrchr(path, '/');
	int fd, rc = KMS_OK;

	if (slash != NULL)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	if ((fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return KMS_E_IO;
	if (fsync(fd) != 0)
		rc = io_status();
	close(fd);
	return rc;
}

int
store_write(int dirfd, const char *path, const void *data, size_t len)
{
	char temporary[STORE_PATH + 8];
	int fd, rc;

	if (strlen(path) >= STORE_PATH)
		return KMS_E_ARGUMENT;
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return io_status();
	rc = write_all(fd, data, len);
	if (close(fd) != 0 && rc == KMS_OK)
		rc = io_status();
	if (rc == KMS_OK && renameat(dirfd, temporary, dirfd, path) != 0)
		rc = io_status();
	if (rc != KMS_OK) {
		unlinkat(dirfd, temporary, 0);
		return rc;
	}
	return sync_parent(dirfd, path);
}

int
store_remove(int dirfd, const char *path)
{
	if (unlinkat(dirfd, path, 0) != 0)
		return errno == ENOENT ? KMS_OK : io_status();
	return sync_parent(dirfd, path);
}

int
store_rename(int dirfd, const char *from, const char *to)
{
	if (renameat(dirfd, from, dirfd, to) != 0)
		return errno == ENOENT ? KMS_E_NOT_FOUND : io_status();
	return sync_parent(dirfd, to);
}

static bool
ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && strcmp(name + n - s, suffix) == 0;
}

int
store_each(int dirfd, const char *path, const char *suffix, int (*fn)(const char *name, void *arg),
    void *arg)
{
	struct dirent *entry;
	DIR *dir;
	int fd, rc = KMS_OK;

	if ((fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return errno == ENOENT ? KMS_OK : KMS_E_IO;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return KMS_E_IO;
	}
	while (rc == KMS_OK && (entry = readdir(dir)) != NULL) {
		if (ends_with(entry->d_name, suffix))
			rc = fn(entry->d_name, arg);
	}
	closedir(dir);
	return rc;
}
