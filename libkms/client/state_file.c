/*
 * state_file.c - see state_file.h.
 *
 * The lock is a file of its own beside the state, because a rename would leave
 * the lock on the file that was replaced.
 */
#include "libkms/client/state_file.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"
#include "libkms/os/lock_file.h"
#include "libkms/os/surroundings.h"
#include "libkms/os/working_dir.h"

/* How long to wait for another process that is making the state, and how often to look. */
#define MAKING_MS 2000
#define LOOK_MS 10

/* In one block of guarded memory: both halves hold the secret key. */
struct guarded {
	struct secret secret;
	uint8_t bytes[SECRET_MAX + 1];
};

struct state_file {
	char path[FILE_PATH_MAX]; /* "": a client without state */
	char key[FILE_PATH_MAX + sizeof(".key")];
	intptr_t lock;           /* OS_NO_LOCK: not taken */
	struct guarded *guarded; /* NULL: the secret is not here */
	struct state state;
	uint8_t bytes[STATE_MAX];
};

static bool
in_memory(const struct state_file *f)
{
	return f->path[0] == '\0';
}

static int
other_version(struct state_file *f, struct fault *fault, const char *path, const char *what,
    unsigned version, unsigned ours)
{
	char next[128 + sizeof(f->path) + sizeof(f->key)];

	snprintf(next, sizeof(next),
	    "Install that version of the product again, or move %s and %s away to begin as a new client",
	    f->path, f->key);
	return fault_version(fault, &(struct fault_version){ .file = path,
					.what = what,
					.found = version,
					.known = ours,
					.reader = "libkms",
					.next = next });
}

/* Larger than any, or not a regular file: as damaged as one that does not decode. */
static int
read_whole(const char *path, uint8_t *bytes, size_t size, size_t *len)
{
	int rc = file_read_into(AT_FDCWD, path, FILE_OURS, bytes, size, len);

	if (rc == KMS_E_TOO_LARGE ||
	    (rc == KMS_E_IO && (errno == EISDIR || errno == EINVAL || errno == ELOOP)))
		return KMS_E_STATE;
	return rc;
}

static int
damaged(struct state_file *f, struct fault *fault, const char *path)
{
	return fault_set(fault, KMS_E_STATE,
	    "%s: damaged, and left as it is. Restore it from a backup of this machine, or move %s and %s away to begin as a new client",
	    path, f->path, f->key);
}

/* Decoded beside the state that is there, which stays when FILE is damaged. */
static int
read_state(struct state_file *f, struct fault *fault)
{
	struct state *s;
	uint16_t version;
	size_t len;
	int rc = read_whole(f->path, f->bytes, sizeof(f->bytes), &len);

	if (rc == KMS_E_NOT_FOUND)
		return rc;
	if (rc != KMS_OK && rc != KMS_E_STATE)
		return fault_errno(fault, errno, "%s", f->path);
	if (rc == KMS_OK && (s = malloc(sizeof(*s))) == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, NULL);
	if (rc == KMS_OK) {
		if ((rc = state_decode(s, f->bytes, len, &version)) == KMS_OK)
			f->state = *s;
		free(s);
	}
	if (rc == KMS_E_SCHEMA)
		return other_version(f, fault, f->path, "client state", version, STATE_VERSION);
	return rc == KMS_OK ? KMS_OK : damaged(f, fault, f->path);
}

int
state_read(struct state_file *f, struct fault *fault)
{
	int rc = in_memory(f) ? KMS_OK : read_state(f, fault);

	if (rc == KMS_E_NOT_FOUND)
		return fault_set(fault, KMS_E_STATE, "%s: it was removed", f->path);
	return rc;
}

static int
take_lock(struct state_file *f, struct fault *fault)
{
	char path[FILE_PATH_MAX + sizeof(".lock")];
	int rc;

	snprintf(path, sizeof(path), "%s.lock", f->path);
	if ((f->lock = os_lock(path)) != OS_NO_LOCK)
		return KMS_OK;
	if (errno == EWOULDBLOCK)
		rc = fault_set(fault, KMS_E_EXISTS, "%s: another process is using it", f->path);
	else if ((rc = fault_errno(fault, errno, "%s", path)) == KMS_E_NOT_FOUND)
		rc = KMS_E_IO; /* its directory, not the state, which would be made */
	return rc;
}

static int
guard(struct state_file *f, struct fault *fault)
{
	if (f->guarded != NULL)
		return KMS_OK;
	if ((f->guarded = sodium_malloc(sizeof(*f->guarded))) == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, "no guarded memory: raise ulimit -l");
	sodium_memzero(f->guarded, sizeof(*f->guarded));
	return KMS_OK;
}

/* KMS_E_NOT_FOUND: there is no FILE.key. */
static int
read_secret(struct state_file *f, struct fault *fault)
{
	uint16_t version = 0;
	size_t len;
	int rc = guard(f, fault);

	if (rc != KMS_OK)
		return rc;
	if (in_memory(f))
		return KMS_E_NOT_FOUND;
	rc = read_whole(f->key, f->guarded->bytes, sizeof(f->guarded->bytes), &len);
	if (rc == KMS_E_NOT_FOUND)
		return rc;
	if (rc != KMS_OK && rc != KMS_E_STATE)
		return fault_errno(fault, errno, "%s", f->key);
	if (rc == KMS_OK)
		rc = secret_decode(&f->guarded->secret, f->guarded->bytes, len, &version);
	sodium_memzero(f->guarded->bytes, sizeof(f->guarded->bytes));
	if (rc == KMS_E_SCHEMA)
		return other_version(f, fault, f->key, "client key", version, SECRET_VERSION);
	return rc == KMS_OK ? KMS_OK : damaged(f, fault, f->key);
}

/* FILE.key comes first: a crash between the two leaves a key for which FILE is made. */
static int
make_new(struct state_file *f, uint64_t now, struct fault *fault)
{
	struct state *s = &f->state;
	int rc = read_secret(f, fault);

	if (rc == KMS_E_NOT_FOUND) {
		crypto_kx_keypair(s->pk, f->guarded->secret.sk);
		rc = state_save_secret(f, fault);
	} else if (rc == KMS_OK && crypto_scalarmult_base(s->pk, f->guarded->secret.sk) != 0) {
		rc = damaged(f, fault, f->key);
	}
	if (rc != KMS_OK)
		return rc;
	s->first_use = s->highest_seen = now;
	return state_save(f, fault);
}

static int
try_to_make(struct state_file *f, uint64_t now, struct fault *fault)
{
	int rc = take_lock(f, fault);

	/* Another process may have made it at the same time: look again with the lock. */
	if (rc == KMS_OK && (rc = read_state(f, fault)) == KMS_E_NOT_FOUND)
		rc = make_new(f, now, fault);
	state_unlock(f);
	return rc;
}

/*
 * Many processes may begin at once, on a machine that has no state yet: one makes it, the others
 * wait for it.
 */
static int
make(struct state_file *f, uint64_t now, struct fault *fault)
{
	int64_t until = clock_ms() + MAKING_MS;
	struct fault last;
	int rc;

	do {
		last = (struct fault){ 0 };
		rc = try_to_make(f, now, &last);
		if (rc != KMS_E_EXISTS || clock_ms() >= until) {
			if (fault != NULL)
				*fault = last;
			return rc;
		}
		os_sleep(LOOK_MS);
	} while ((rc = read_state(f, fault)) == KMS_E_NOT_FOUND);
	return rc;
}

int
state_open(struct state_file **out, struct state **state, const char *path, uint64_t now,
    struct fault *fault)
{
	struct state_file *f = calloc(1, sizeof(*f));
	int rc;

	*out = NULL;
	if (f == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, NULL);
	f->lock = OS_NO_LOCK;
	if (path != NULL)
		snprintf(f->key, sizeof(f->key), "%s.key", path);
	if (path == NULL)
		rc = make_new(f, now, fault);
	else if (snprintf(f->path, sizeof(f->path), "%s", path) >= (int)sizeof(f->path))
		rc = fault_set(fault, KMS_E_ARGUMENT, "state_file: the path is too long");
	else
		rc = read_state(f, fault);
	if (rc == KMS_E_NOT_FOUND)
		rc = make(f, now, fault);
	if (rc != KMS_OK) {
		state_close(f);
		return rc;
	}
	*out = f;
	*state = &f->state;
	return KMS_OK;
}

void
state_close(struct state_file *f)
{
	if (f == NULL)
		return;
	state_unlock(f);
	sodium_free(f->guarded); /* wipes */
	free(f);
}

int
state_lock(struct state_file *f, struct fault *fault)
{
	int rc;

	if (in_memory(f))
		return KMS_OK;
	if ((rc = take_lock(f, fault)) == KMS_OK && (rc = state_read(f, fault)) != KMS_OK)
		state_unlock(f);
	return rc;
}

int
state_secret(struct state_file *f, struct secret **secret, struct fault *fault)
{
	uint8_t pk[32];
	int rc;

	*secret = NULL;
	if (in_memory(f)) {
		*secret = &f->guarded->secret;
		return KMS_OK;
	}
	rc = read_secret(f, fault);
	if (rc == KMS_E_NOT_FOUND)
		return fault_set(fault, KMS_E_STATE,
		    "%s is missing. Restore it from a backup of this machine, or move %s away to begin as a new client",
		    f->key, f->path);
	if (rc != KMS_OK)
		return rc;
	if (crypto_scalarmult_base(pk, f->guarded->secret.sk) != 0 ||
	    memcmp(pk, f->state.pk, sizeof(pk)) != 0)
		return fault_set(fault, KMS_E_STATE,
		    "%s is not the key of %s. Restore both, or move both away to begin as a new client",
		    f->key, f->path);
	*secret = &f->guarded->secret;
	return KMS_OK;
}

int
state_save(struct state_file *f, struct fault *fault)
{
	size_t len;
	int rc;

	if (in_memory(f))
		return KMS_OK;
	len = state_encode(f->bytes, sizeof(f->bytes), &f->state);
	if (len == 0)
		return fault_set(fault, KMS_E_STATE, NULL);
	rc = file_write(AT_FDCWD, f->path, f->bytes, len, 0644, true);
	return rc == KMS_OK ? KMS_OK : fault_errno(fault, errno, "%s", f->path);
}

int
state_save_secret(struct state_file *f, struct fault *fault)
{
	size_t len;
	int rc;

	if (in_memory(f))
		return KMS_OK;
	len = secret_encode(f->guarded->bytes, &f->guarded->secret);
	rc = file_write(AT_FDCWD, f->key, f->guarded->bytes, len, 0600, true);
	sodium_memzero(f->guarded->bytes, sizeof(f->guarded->bytes));
	return rc == KMS_OK ? KMS_OK : fault_errno(fault, errno, "%s", f->key);
}

void
state_unlock(struct state_file *f)
{
	int error = errno;

	if (in_memory(f))
		return;
	sodium_free(f->guarded); /* wipes */
	f->guarded = NULL;
	os_unlock(f->lock);
	f->lock = OS_NO_LOCK;
	errno = error;
}
