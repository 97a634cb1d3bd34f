/*
 * signed_file.c - see signed_file.h.
 */
#include "policy/files/signed_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libkms/kms_error.h"

static int
fail(struct fault *f, int status, const char *path, const char *hint)
{
	return fault_set(f, status, "%.400s: %s%s", path,
	    status == KMS_E_IO          ? strerror(errno)
	    : status == KMS_E_NOT_FOUND ? "no such file"
					: kms_strerror((uint32_t)status),
	    hint);
}

static bool
is_pipe(int dirfd, const char *path)
{
	struct stat st;

	return fstatat(dirfd, path, &st, 0) == 0 && S_ISFIFO(st.st_mode);
}

int
signed_file_read(
    struct signed_file *s, int dirfd, const char *path, enum file_origin origin, struct fault *f)
{
	char beside[4096];
	int rc;

	*s = (struct signed_file){ 0 };
	if (snprintf(beside, sizeof(beside), "%s.minisig", path) >= (int)sizeof(beside))
		return fail(f, KMS_E_ARGUMENT, path, "");
	if (is_pipe(dirfd, path) && !file_exists(dirfd, beside))
		rc = KMS_E_NOT_FOUND; /* do not wait for a writer */
	else if ((rc = file_read(dirfd, path, origin, SIGNED_FILE_MAX, &s->text, &s->len)) !=
		 KMS_OK)
		return fail(f, rc, path, "");
	else
		rc = file_read(
		    dirfd, beside, origin, SIGNATURE_FILE_MAX, &s->signature, &s->signature_len);
	if (rc != KMS_OK) {
		fail(f, rc, beside, ": the publisher's signature must be beside the file");
		signed_file_free(s);
	}
	return rc;
}

/* The signature begins at its untrusted comment. */
int
signed_file_split(struct signed_file *s, const char *text, size_t len)
{
	static const char mark[] = "untrusted comment:";
	const char *at = text;

	*s = (struct signed_file){ 0 };
	while (at != NULL && strncmp(at, mark, sizeof(mark) - 1) != 0) {
		at = strchr(at, '\n');
		at = at != NULL ? at + 1 : NULL;
	}
	if (at == NULL || at == text)
		return KMS_E_SIGNATURE;
	s->len = (size_t)(at - text);
	s->signature_len = len - s->len;
	if ((s->text = strndup(text, s->len)) == NULL || (s->signature = strdup(at)) == NULL) {
		signed_file_free(s);
		return KMS_E_NO_MEMORY;
	}
	return KMS_OK;
}

void
signed_file_free(struct signed_file *s)
{
	free(s->text);
	free(s->signature);
	*s = (struct signed_file){ 0 };
}

int
signed_file_make_dirs(int dirfd, char *path)
{
	int rc = KMS_OK;

	for (char *slash = strchr(path, '/'); rc == KMS_OK && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		rc = file_make_dir(dirfd, path, 0700);
		*slash = '/';
	}
	return rc;
}
