/*
 * direct.c - the block in which the file ends so far is kept in memory, since it is written again
 * with what follows: the same bytes, so a torn write does not spoil them.
 */
#include "kmsdb/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/position.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

/* A multiple of every usual sector and of a page, as memory, offset and length have to be. */
#define BLOCK 4096u

struct direct {
	int fd; /* -1: not here */
	size_t most;
	uint64_t kept; /* octets begin with what the block before this offset has; 0: they do not */
	uint8_t *octets;
};

struct direct *
direct_new(size_t most)
{
	struct direct *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->fd = -1;
	d->most = most;
	d->octets = aligned_alloc(BLOCK, (most / BLOCK + 3) * BLOCK);
	if (d->octets == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

void
direct_free(struct direct *d)
{
	if (d == NULL)
		return;
	direct_shut(d);
	free(d->octets);
	free(d);
}

void
direct_open(struct direct *d, int dirfd, const char *name)
{
	direct_shut(d);
	d->fd = openat(dirfd, name, O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
}

void
direct_shut(struct direct *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->kept = 0;
}

void
direct_forget(struct direct *d)
{
	d->kept = 0;
}

/* What is before at in its block. */
static int
keep(struct direct *d, int fd, uint64_t at, size_t before)
{
	size_t got = 0;
	int rc;

	if (before == 0 || d->kept == at)
		return KMS_OK;
	rc = position_read(fd, d->octets, before, at - before, &got);
	return rc == KMS_OK && got < before ? KMS_E_IO : rc;
}

/* False: not here, or not all of it. */
static bool
written(struct direct *d, size_t len, uint64_t from, int *rc)
{
	ssize_t n;

	do
		n = pwrite(d->fd, d->octets, len, (off_t)from);
	while (n < 0 && errno == EINTR);
	*rc = n < 0 ? file_status(errno) : KMS_OK;
	return n == (ssize_t)len || (n < 0 && errno != EINVAL && errno != EOPNOTSUPP);
}

int
direct_write(
    struct direct *d, int fd, uint64_t size, const uint8_t *octets, size_t len, uint64_t at)
{
	uint64_t from = at - at % BLOCK, end = at + len, to = (end + BLOCK - 1) / BLOCK * BLOCK;
	size_t before = (size_t)(at - from);
	int rc = KMS_E_NOT_OFFERED;

	if (d->fd >= 0 && len <= d->most && to <= size)
		rc = keep(d, fd, at, before);
	d->kept = 0;
	if (rc != KMS_OK)
		return rc;
	memcpy(d->octets + before, octets, len);
	memset(d->octets + before + len, 0, (size_t)(to - end));
	if (!written(d, (size_t)(to - from), from, &rc)) {
		direct_shut(d);
		return KMS_E_NOT_OFFERED;
	}
	if (rc != KMS_OK)
		return rc;
	d->kept = end;
	memmove(d->octets, d->octets + (end - end % BLOCK - from), (size_t)(end % BLOCK));
	return KMS_OK;
}
