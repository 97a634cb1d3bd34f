/*
 * lock_file.c - see lock_file.h.
 */
#include "libkms/os/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

intptr_t
os_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), error;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return OS_NO_LOCK;
}

void
os_unlock(intptr_t lock)
{
	if (lock != OS_NO_LOCK)
		close((int)lock);
}
