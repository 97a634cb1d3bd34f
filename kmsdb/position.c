/*
 * position.c - pread and pwrite in loops, so that callers need not handle short counts and EINTR.
 */
#include "kmsdb/position.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libkms/base/file.h"
#include "libkms/kms_error.h"

int
position_read(int fd, void *buf, size_t len, uint64_t off, size_t *got)
{
	*got = 0;
	while (*got < len) {
		ssize_t n = pread(fd, (uint8_t *)buf + *got, len - *got, (off_t)(off + *got));
		if (n == 0)
			break;
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return file_status(errno);
		}
		*got += (size_t)n;
	}
	return KMS_OK;
}

int
position_write(int fd, const void *buf, size_t len, uint64_t off)
{
	for (size_t done = 0; done < len;) {
		ssize_t n =
		    pwrite(fd, (const uint8_t *)buf + done, len - done, (off_t)(off + done));
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return file_status(errno);
		}
		done += (size_t)n;
	}
	return KMS_OK;
}

int
position_zero(int fd, uint64_t off, uint64_t len)
{
	static const uint8_t zeros[65536];

	while (len > 0) {
		size_t n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);
		int rc = position_write(fd, zeros, n, off);
		if (rc != KMS_OK)
			return rc;
		off += n;
		len -= n;
	}
	return KMS_OK;
}

int
position_size(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return file_status(errno);
	*size = (uint64_t)st.st_size;
	return KMS_OK;
}

int
position_directory(int dirfd, const char *name, int create, int *fd)
{
	if (create && mkdirat(dirfd, name, 0700) == 0) {
		/* The name must survive a crash before anything inside it counts. */
		if (fsync(dirfd) != 0)
			return file_status(errno);
	} else if (create && errno != EEXIST) {
		return file_status(errno);
	}
	*fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *fd < 0 ? file_status(errno) : KMS_OK;
}
