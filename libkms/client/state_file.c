/*
 * state_file.c - see state_file.h.
 *
 * The lock is a file of its own beside the state, because a rename would leave
 * the lock on the file that was replaced.
 */
#include "libkms/client/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "libkms/base/file.h"
#include "libkms/kms_error.h"

/* In one block of guarded memory: both halves hold the secret key. */
struct guarded {
	struct state state;
	uint8_t bytes[STATE_MAX];
};

struct state_file {
	char path[FILE_PATH_MAX];
	int lock;
	struct guarded *guarded;
};

static int
take_lock(struct state_file *f)
{
	char path[FILE_PATH_MAX + sizeof(".lock")];
	int rc;

	snprintf(path, sizeof(path), "%s.lock", f->path);
	f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->lock >= 0 && flock(f->lock, LOCK_EX | LOCK_NB) == 0)
		return KMS_OK;
	if (f->lock >= 0 && errno == EWOULDBLOCK)
		return KMS_E_EXISTS;
	rc = file_status(errno);
	/* Its directory, not the state, which would be made. */
	return rc == KMS_E_NOT_FOUND ? KMS_E_IO : rc;
}

int
state_save(struct state_file *f)
{
	size_t len = state_encode(f->guarded->bytes, sizeof(f->guarded->bytes), &f->guarded->state);

	if (len == 0)
		return KMS_E_STATE;
	return file_write(AT_FDCWD, f->path, f->guarded->bytes, len, 0600, true);
}

/* KMS_E_NOT_FOUND when there is no file yet. */
static int
read_file(struct state_file *f)
{
	uint8_t *bytes = f->guarded->bytes;
	size_t len;
	int rc = file_read_into(AT_FDCWD, f->path, FILE_OURS, bytes, STATE_MAX, &len);

	/* Larger than any state, or not a regular file. */
	if (rc == KMS_E_TOO_LARGE ||
	    (rc == KMS_E_IO && (errno == EISDIR || errno == EINVAL || errno == ELOOP)))
		return KMS_E_STATE;
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
	if (snprintf(f->path, sizeof(f->path), "%s", path) >= (int)sizeof(f->path)) {
		rc = KMS_E_ARGUMENT;
		goto fail;
	}
	if ((f->guarded = sodium_malloc(sizeof(*f->guarded))) == NULL)
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
