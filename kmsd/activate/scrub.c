/*
 * scrub.c - see scrub.h.
 */
#include "kmsd/activate/scrub.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libkms/base/file.h"

#define LARGEST 1024 /* bytes of a file with secrets */

static int
open_to_scrub(int dirfd, const char *path)
{
	return openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

static void
scrub(int fd)
{
	static const uint8_t zero[LARGEST];
	struct stat st;

	if (fd < 0)
		return;
	/* A file that still has another name is somebody's backup. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 && st.st_size > 0 &&
	    pwrite(fd, zero, st.st_size < LARGEST ? (size_t)st.st_size : LARGEST, 0) > 0)
		fsync(fd);
	close(fd);
}

int
scrub_replace(int dirfd, const char *path, const uint8_t *file, size_t len)
{
	int old = open_to_scrub(dirfd, path);
	int rc = file_write(dirfd, path, file, len, 0600, true);

	scrub(old);
	return rc;
}

void
scrub_remove(int dirfd, const char *path)
{
	int fd = open_to_scrub(dirfd, path);

	if (fd < 0)
		return;
	unlinkat(dirfd, path, 0);
	scrub(fd);
}

void
scrub_unfinished(int dirfd, const char *path)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.new", path); /* file_write's */
	scrub_remove(dirfd, name);
}
