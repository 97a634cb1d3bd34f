/*
 * ini_edit.c - see ini_edit.h.
 */
#include "kmsctl/setup/ini_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/common/config_text.h"
#include "libkms/kms_error.h"

/* The file that a link names, or a new one in a directory that is there. */
static int
resolve(struct ini_edit *e, const char *path, struct fault *f)
{
	char *real = realpath(path, NULL), *slash;
	const char *name = strrchr(path, '/');
	int rc = KMS_OK;

	if (real != NULL) {
		e->exists = true;
		if (snprintf(e->path, sizeof(e->path), "%s", real) >= (int)sizeof(e->path))
			rc = fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", path);
		free(real);
	} else if (errno == ENOENT) {
		snprintf(e->directory, sizeof(e->directory), "%.*s",
		    name == NULL ? 1 : (int)(name - path), name == NULL ? "." : path);
		if ((real = realpath(e->directory[0] ? e->directory : "/", NULL)) == NULL)
			return fault_errno(f, errno, "%s", e->directory);
		if (snprintf(e->path, sizeof(e->path), "%s/%s", real,
			name == NULL ? path : name + 1) >= (int)sizeof(e->path))
			rc = fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", path);
		free(real);
	} else {
		rc = fault_errno(f, errno, "%s", path);
	}
	if (rc == KMS_OK && (slash = strrchr(e->path, '/')) != NULL)
		snprintf(
		    e->directory, sizeof(e->directory), "%.*s", (int)(slash - e->path), e->path);
	return rc;
}

static int
lock(struct ini_edit *e, struct fault *f)
{
	e->lock = open(e->directory[0] ? e->directory : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->lock < 0)
		return fault_errno(f, errno, "%s", e->directory);
	if (flock(e->lock, LOCK_EX | LOCK_NB) == 0)
		return KMS_OK;
	return errno == EWOULDBLOCK
		   ? fault_set(f, KMS_E_EXISTS,
			 "another kmsctl is changing kms.ini: wait until it ends, then run this again")
		   : fault_errno(f, errno, "%s", e->directory);
}

int
ini_edit_open(struct ini_edit *e, const char *path, struct fault *f)
{
	size_t len;
	int rc;

	memset(e, 0, sizeof(*e));
	e->lock = -1;
	if ((rc = resolve(e, path, f)) != KMS_OK || (rc = lock(e, f)) != KMS_OK)
		return rc;
	if (e->exists) {
		rc = file_read(AT_FDCWD, e->path, FILE_GIVEN, CONFIG_MAX, &e->before, &len);
		return rc == KMS_OK ? rc : fault_set(f, rc, "%s: cannot be read", e->path);
	}
	e->before = strdup("");
	return e->before != NULL ? KMS_OK : fault_set(f, KMS_E_NO_MEMORY, NULL);
}

void
ini_edit_free(struct ini_edit *e)
{
	free(e->before);
	free(e->after);
	if (e->lock >= 0)
		close(e->lock);
	e->before = e->after = NULL;
	e->lock = -1;
}

int
ini_edit_check(const struct ini_edit *e, struct config *c, struct fault *f)
{
	struct fault own = { 0 };

	if (config_parse(c, e->after, strlen(e->after), &own, 1) == 0)
		return KMS_OK;
	return fault_set(
	    f, KMS_E_CONFIG, "%s would become invalid: line %d: %s", e->path, own.line, own.text);
}

bool
ini_edit_changes(const struct ini_edit *e)
{
	return strcmp(e->before, e->after) != 0;
}

bool
ini_edit_permitted(const struct ini_edit *e)
{
	return access(e->directory[0] ? e->directory : "/", W_OK) == 0;
}

/* Somebody's editor may have saved it since it was read. */
static bool
unchanged(const struct ini_edit *e)
{
	char *have;
	size_t len;
	bool same;

	if (!e->exists)
		return !file_exists(AT_FDCWD, e->path);
	if (file_read(AT_FDCWD, e->path, FILE_GIVEN, CONFIG_MAX, &have, &len) != KMS_OK)
		return false;
	same = len == strlen(e->before) && memcmp(have, e->before, len) == 0;
	free(have);
	return same;
}

/* Mode and owner of the old file are the new one's before it takes the old one's place. */
int
ini_edit_write(const struct ini_edit *e, struct fault *f)
{
	struct stat st = { .st_mode = 0644 };
	struct file_stream s;
	bool ready;
	int rc;

	if (!unchanged(e))
		return fault_set(f, KMS_E_EXISTS,
		    "another program changed %s meanwhile: run this again", e->path);
	if (e->exists && stat(e->path, &st) != 0)
		return fault_errno(f, errno, "%s", e->path);
	if ((rc = file_stream_open(&s, AT_FDCWD, e->path, st.st_mode & 07777)) != KMS_OK)
		return fault_errno(f, errno, "%s", e->path);
	ready = !e->exists || fchown(fileno(s.to), st.st_uid, st.st_gid) == 0;
	ready = ready && fchmod(fileno(s.to), st.st_mode & 07777) == 0;
	if (!ready)
		fault_errno(f, errno, "%s: kmsctl cannot keep its owner and mode", e->path);
	else if (fputs(e->after, s.to) == EOF)
		fault_errno(f, errno, "%s", e->path);
	rc = file_stream_close(&s, ready);
	if (rc != KMS_OK)
		fault_errno(f, errno, "%s", e->path);
	return f->status;
}
