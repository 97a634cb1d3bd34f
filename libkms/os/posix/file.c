/*
 * file.c - see file.h.
 */
#include "libkms/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libkms/kms_error.h"

/* Cleaning up keeps the errno of the failure. */
static void
close_quietly(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

int
file_read_fd(int fd, void *buffer, size_t size, size_t *len)
{
	char more;
	ssize_t n;

	*len = 0;
	for (;;) {
		n = *len < size ? read(fd, (char *)buffer + *len, size - *len) : read(fd, &more, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_status(errno);
		if (n == 0)
			return KMS_OK;
		if (*len == size)
			return KMS_E_TOO_LARGE;
		*len += (size_t)n;
	}
}

static int
open_to_read(int dirfd, const char *path, enum file_origin origin, int *fd)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st;
	int rc = KMS_OK;

	if (origin == FILE_OURS)
		flags |= O_NOFOLLOW;
	if ((*fd = openat(dirfd, path, flags)) < 0)
		return file_status(errno);
	/* Opened without waiting; a pipe that somebody writes to is then waited for. */
	if (fstat(*fd, &st) != 0 || fcntl(*fd, F_SETFL, 0) != 0)
		rc = file_status(errno);
	else if (S_ISDIR(st.st_mode) || (origin == FILE_OURS && !S_ISREG(st.st_mode))) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		rc = KMS_E_IO;
	}
	if (rc != KMS_OK)
		close_quietly(*fd);
	return rc;
}

int
file_read_into(
    int dirfd, const char *path, enum file_origin origin, void *buffer, size_t size, size_t *len)
{
	int fd, rc;

	*len = 0;
	if ((rc = open_to_read(dirfd, path, origin, &fd)) != KMS_OK)
		return rc;
	rc = file_read_fd(fd, buffer, size, len);
	close_quietly(fd);
	return rc;
}

int
file_read_stream(int fd, size_t max, char **out, size_t *len)
{
	char *text = malloc(max + 1), *fitted;
	int rc, error;

	*out = NULL;
	*len = 0;
	if (text == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = file_read_fd(fd, text, max, len)) != KMS_OK) {
		error = errno;
		free(text);
		errno = error;
		return rc;
	}
	text[*len] = '\0';
	fitted = realloc(text, *len + 1);
	*out = fitted != NULL ? fitted : text;
	return KMS_OK;
}

int
file_read(int dirfd, const char *path, enum file_origin origin, size_t max, char **out, size_t *len)
{
	int fd, rc;

	*out = NULL;
	*len = 0;
	if ((rc = open_to_read(dirfd, path, origin, &fd)) != KMS_OK)
		return rc;
	rc = file_read_stream(fd, max, out, len);
	close_quietly(fd);
	return rc;
}

int
file_write_fd(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_status(errno);
		at += n;
		len -= (size_t)n;
	}
	return KMS_OK;
}

int
file_sync_parent(int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[FILE_PATH_MAX] = ".";
	int fd, rc = KMS_OK;

	if (strlen(path) >= sizeof(dir))
		return KMS_E_ARGUMENT;
	/* "/file" is in "/". */
	if (slash != NULL)
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if ((fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return file_status(errno);
	if (fsync(fd) != 0)
		rc = file_status(errno);
	close_quietly(fd);
	return rc;
}

/* Opens path.new, whose name goes to beside. */
static int
open_beside(int dirfd, const char *path, mode_t mode, char beside[FILE_PATH_MAX], int *fd)
{
	if (snprintf(beside, FILE_PATH_MAX, "%s.new", path) >= FILE_PATH_MAX)
		return KMS_E_ARGUMENT;
	/* A crash may have left a file there, perhaps with another mode: remove it. */
	if (unlinkat(dirfd, beside, 0) != 0 && errno != ENOENT)
		return file_status(errno);
	*fd = openat(dirfd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return file_status(errno);
	if (mode == 0600 || fchmod(*fd, mode) == 0)
		return KMS_OK;
	close_quietly(*fd);
	return file_status(errno);
}

/* On disk beside its place if rc says so: moves it there. Otherwise removes it. */
static int
move_into_place(int rc, int dirfd, const char *beside, const char *path, bool replace)
{
	int error;

	/* link and not rename: rename would replace what is there without asking. */
	if (rc == KMS_OK && (replace ? renameat(dirfd, beside, dirfd, path)
				     : linkat(dirfd, beside, dirfd, path, 0)) != 0)
		rc = file_status(errno);
	error = errno;
	if (!replace || rc != KMS_OK)
		unlinkat(dirfd, beside, 0);
	errno = error;
	return rc == KMS_OK ? file_sync_parent(dirfd, path) : rc;
}

int
file_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool replace)
{
	char beside[FILE_PATH_MAX];
	int fd, rc;

	if ((rc = open_beside(dirfd, path, mode, beside, &fd)) != KMS_OK)
		return rc;
	rc = file_write_fd(fd, data, len);
	if (rc == KMS_OK && fsync(fd) != 0)
		rc = file_status(errno);
	if (rc != KMS_OK)
		close_quietly(fd);
	else if (close(fd) != 0)
		rc = file_status(errno);
	return move_into_place(rc, dirfd, beside, path, replace);
}

static int
write_through(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666), rc;

	if (fd < 0)
		return file_status(errno);
	rc = file_write_fd(fd, data, len);
	/* A pipe or a terminal cannot be synced: EINVAL. */
	if (rc == KMS_OK && fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
		rc = file_status(errno);
	if (rc != KMS_OK)
		close_quietly(fd);
	else if (close(fd) != 0)
		rc = file_status(errno);
	return rc;
}

int
file_write_given(const char *path, const void *data, size_t len)
{
	struct stat st;
	mode_t mask;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return write_through(path, data, len);
	mask = umask(0);
	umask(mask);
	return file_write(AT_FDCWD, path, data, len, 0666 & ~mask, true);
}

int
file_stream_open(struct file_stream *s, int dirfd, const char *path, mode_t mode)
{
	int fd, rc = open_beside(dirfd, path, mode, s->beside, &fd);

	s->to = NULL;
	s->dirfd = dirfd;
	s->path = path;
	if (rc != KMS_OK)
		return rc;
	if ((s->to = fdopen(fd, "w")) != NULL)
		return KMS_OK;
	rc = file_status(errno);
	close_quietly(fd);
	return move_into_place(rc, dirfd, s->beside, path, true);
}

int
file_stream_close(struct file_stream *s, bool done)
{
	int rc = KMS_OK;

	/* An earlier write may have failed without a trace in errno: most often, the disk is full.
	 */
	errno = 0;
	if (done && (fflush(s->to) != 0 || ferror(s->to) || fsync(fileno(s->to)) != 0)) {
		errno = errno != 0 ? errno : ENOSPC;
		rc = file_status(errno);
	}
	if (rc != KMS_OK || !done) {
		int error = errno;

		(void)fclose(s->to);
		errno = error;
	} else if (fclose(s->to) != 0) {
		rc = file_status(errno);
	}
	if (done)
		return move_into_place(rc, s->dirfd, s->beside, s->path, true);
	unlinkat(s->dirfd, s->beside, 0);
	return KMS_OK;
}

int
file_remove(int dirfd, const char *path)
{
	if (unlinkat(dirfd, path, 0) != 0)
		return errno == ENOENT ? KMS_OK : file_status(errno);
	return file_sync_parent(dirfd, path);
}

int
file_rename(int dirfd, const char *from, const char *to)
{
	if (renameat(dirfd, from, dirfd, to) != 0)
		return file_status(errno);
	return file_sync_parent(dirfd, to);
}

bool
file_exists(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

uint64_t
file_time(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime > 0
		   ? (uint64_t)st.st_mtime
		   : 0;
}

int
file_make_dir(int dirfd, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdirat(dirfd, path, mode) == 0)
		return KMS_OK;
	if (errno != EEXIST)
		return file_status(errno);
	if (fstatat(dirfd, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return KMS_OK;
	errno = ENOTDIR;
	return KMS_E_IO;
}

static bool
ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && strcmp(name + n - s, suffix) == 0;
}

int
file_each(int dirfd, const char *path, const char *suffix, int (*fn)(const char *name, void *arg),
    void *arg)
{
	struct dirent *entry;
	int fd, rc = 0;
	DIR *dir;

	if ((fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return errno == ENOENT ? KMS_OK : file_status(errno);
	if ((dir = fdopendir(fd)) == NULL) {
		rc = file_status(errno);
		close_quietly(fd);
		return rc;
	}
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (ends_with(entry->d_name, suffix))
			rc = fn(entry->d_name, arg);
	closedir(dir);
	return rc;
}
