/*
 * state_file.c - the client state on disk: locked while open, replaced whole by
 * temporary file and rename, never left half written.
 *
 * The lock is a file of its own beside the state, because a rename would leave
 * the lock on the file that was replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libkms/client/state.h"
#include "libkms/kms_error.h"

/* In one block of guarded memory: both halves hold the secret key. */
struct guarded {
	struct state state;
	uint8_t bytes[STATE_MAX];
};

struct state_file {
	char *path;
	char *temporary;
	char *directory;
	int lock;
	struct guarded *guarded;
};

static int
from_errno(void)
{
	switch (errno) {
	case ENOSPC:
	case EDQUOT:
		return KMS_E_FULL;
	case EACCES:
	case EPERM:
	case EROFS:
		return KMS_E_DENIED;
	case ENOMEM:
		return KMS_E_NO_MEMORY;
	default:
		return KMS_E_IO;
	}
}

static char *
suffixed(const char *path, const char *suffix)
{
	size_t size = strlen(path) + strlen(suffix) + 1;
	char *out = malloc(size);

	if (out != NULL)
		snprintf(out, size, "%s%s", path, suffix);
	return out;
}

static char *
directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int
take_lock(struct state_file *f)
{
	char *path = suffixed(f->path, ".lock");
	int rc = KMS_OK;

	if (path == NULL)
		return KMS_E_NO_MEMORY;
	f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->lock < 0)
		rc = from_errno();
	else if (flock(f->lock, LOCK_EX | LOCK_NB) != 0)
		rc = errno == EWOULDBLOCK ? KMS_E_EXISTS : from_errno();
	free(path);
	return rc;
}

static int
write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return from_errno();
		bytes += n;
		len -= (size_t)n;
	}
	return KMS_OK;
}

static int
write_temporary(const struct state_file *f, size_t len)
{
	int rc, fd;

	/* A crash may have left a file there, perhaps with another mode: remove it. */
	if (unlink(f->temporary) != 0 && errno != ENOENT)
		return from_errno();
	fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return from_errno();
	rc = write_all(fd, f->guarded->bytes, len);
	if (rc == KMS_OK && fsync(fd) != 0)
		rc = from_errno();
	if (close(fd) != 0 && rc == KMS_OK)
		rc = from_errno();
	return rc;
}

static int
sync_directory(const char *path)
{
	int rc = KMS_OK, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return from_errno();
	if (fsync(fd) != 0)
		rc = from_errno();
	close(fd);
	return rc;
}

int
state_save(struct state_file *f)
{
	size_t len = state_encode(f->guarded->bytes, sizeof(f->guarded->bytes), &f->guarded->state);
	int rc;

	if (len == 0)
		return KMS_E_STATE;
	rc = write_temporary(f, len);
	if (rc == KMS_OK && rename(f->temporary, f->path) != 0)
		rc = from_errno();
	if (rc != KMS_OK) {
		unlink(f->temporary);
		return rc;
	}
	return sync_directory(f->directory);
}

/* KMS_E_NOT_FOUND when there is no file yet. */
static int
read_file(struct state_file *f)
{
	uint8_t *bytes = f->guarded->bytes;
	size_t len = 0;
	struct stat st;
	int rc = KMS_OK, fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? KMS_E_NOT_FOUND : from_errno();
	if (fstat(fd, &st) != 0)
		rc = from_errno();
	else if (!S_ISREG(st.st_mode) || st.st_size > STATE_MAX)
		rc = KMS_E_STATE;
	while (rc == KMS_OK && len < STATE_MAX) {
		ssize_t n = read(fd, bytes + len, STATE_MAX - len);

		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			rc = from_errno();
	}
	close(fd);
	return rc == KMS_OK ? state_decode(&f->guarded->state, bytes, len) : rc;
}

static int
make_new(struct state_file *f, uint64_t now)
{
	struct state *s = &f->guarded->state;

	crypto_kx_keypair(s->pk, s->sk);
	s->first_use = s->highest_seen = now;
	return state_save(f);
}

void
state_close(struct state_file *f)
{
	if (f == NULL)
		return;
	sodium_free(f->guarded); /* wipes */
	if (f->lock >= 0)
		close(f->lock);
	free(f->path);
	free(f->temporary);
	free(f->directory);
	free(f);
}

int
state_open(struct state_file **out, struct state **state, const char *path, uint64_t now)
{
	struct state_file *f = calloc(1, sizeof(*f));
	int rc = KMS_E_NO_MEMORY;

	*out = NULL;
	if (f == NULL)
		return rc;
	f->lock = -1;
	f->path = strdup(path);
	f->temporary = suffixed(path, ".new");
	f->directory = directory_of(path);
	f->guarded = sodium_malloc(sizeof(*f->guarded));
	if (f->path == NULL || f->temporary == NULL || f->directory == NULL || f->guarded == NULL)
		goto fail;
	sodium_memzero(f->guarded, sizeof(*f->guarded));
	rc = take_lock(f);
	if (rc == KMS_OK)
		rc = read_file(f);
	if (rc == KMS_E_NOT_FOUND)
		rc = make_new(f, now);
	sodium_memzero(f->guarded->bytes, sizeof(f->guarded->bytes));
	if (rc != KMS_OK)
		goto fail;
	*out = f;
	*state = &f->guarded->state;
	return KMS_OK;
fail:
	state_close(f);
	return rc;
}
