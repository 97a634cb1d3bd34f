/*
 * lock.c - the lock of lock.h. Not fcntl's older kind, which a process loses when it closes any
 * descriptor of the file.
 */
#include "kmsdb/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/position.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

int
lock_take(int dirfd, const char *name, int *fd, struct fault *fault)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int rc;

	*fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0) {
		rc = file_status(errno);
		return fault_set(
		    fault, rc, "kmsdb/%s cannot be opened: %s", name, kms_strerror((uint32_t)rc));
	}
	if (fcntl(*fd, F_OFD_SETLK, &lock) == 0)
		return KMS_OK;
	rc = errno == EAGAIN || errno == EACCES ? KMS_E_EXISTS : file_status(errno);
	if (rc != KMS_E_EXISTS)
		fault_set(fault, rc, "kmsdb/%s cannot be locked", name);
	else if (strcmp(name, LOCK_WRITER) == 0)
		fault_set(fault, rc,
		    "another process is using this ledger (kmsdb/lock): stop kmsd first");
	else
		fault_set(fault, rc, "another check of this ledger is running: wait for it");
	close(*fd);
	*fd = -1;
	return rc;
}

int
lock_held(int dirfd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = openat(dirfd, LOCK_WRITER, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	return held;
}
