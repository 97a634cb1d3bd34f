/*
 * sent.c - see sent.h.
 */
#include "kmsctl/setup/sent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kmsctl/cli/key_input.h"
#include "libkms/kms_error.h"

#define HEAD 512 /* bytes that tell a file that is larger than any of a publisher's */

static const char signature_ending[] = ".minisig";

/* -- one file -- */

static void
wrong(struct sent_file *s, int status, const char *text)
{
	s->state = SENT_WRONG;
	if (s->is.advice != NULL)
		fault_set(&s->fault, status, "%s: %s", text, s->is.advice);
	else
		fault_set(&s->fault, status, "%s", text);
}

/* "Example Publishing" of "untrusted comment: Example Publishing: minisign public key 0123". */
static void
name_of_comment(char out[65], const char *text)
{
	static const char before[] = "untrusted comment: ", after[] = ": minisign public key";
	const char *end = strstr(text, after);
	size_t len;

	out[0] = '\0';
	if (strncmp(text, before, sizeof(before) - 1) != 0 || end == NULL ||
	    end > strchr(text, '\n'))
		return;
	text += sizeof(before) - 1;
	len = end > text ? (size_t)(end - text) : 0;
	if (len < 65) {
		memcpy(out, text, len);
		out[len] = '\0';
	}
}

static void
take_public_key(struct sent_file *s, const char *text)
{
	struct minisig_key key;

	if (minisig_key_parse(&key, text) == KMS_OK)
		minisig_key_format(s->key, &key);
	name_of_comment(s->name, text);
}

static void
take_code(struct sent_file *s, const char *text, size_t len)
{
	int rc;

	if (s->is.kind == SENT_KEY_CODE)
		rc = key_input_file(&s->file, text, len, &s->fault);
	else
		rc = code_parse(s->code, &s->code_len, CODE_CONFIRMATION, text, len, &s->fault);
	if (rc != KMS_OK) {
		s->state = SENT_WRONG;
		fault_prefix(&s->fault, "%s, but ", s->is.what);
	}
}

/* FILE with FILE.minisig, or both in one text, as a mail has them. */
static void
take_signed(struct sent_file *s, const char *text, size_t len)
{
	int rc = signed_file_read(&s->file, AT_FDCWD, s->path, FILE_GIVEN, &s->fault);

	if (rc == KMS_E_NOT_FOUND && signed_file_split(&s->file, text, len) == KMS_OK)
		s->fault = (struct fault){ 0 };
	else if (rc != KMS_OK)
		s->state = SENT_WRONG;
}

/* The file that a signature is for is beside it: then that is meant. */
static bool
beside_signature(struct sent_file *s)
{
	size_t len = strlen(s->path), end = sizeof(signature_ending) - 1;

	if (len <= end || strcmp(s->path + len - end, signature_ending) != 0)
		return false;
	s->path[len - end] = '\0';
	if (file_exists(AT_FDCWD, s->path))
		return true;
	s->path[len - end] = '.';
	return false;
}

/* Bytes enough to recognise it: all of a small file, the beginning of a large one. */
static int
read_text(const struct sent_file *s, char **text, size_t *len)
{
	int rc = file_read(AT_FDCWD, s->path, FILE_GIVEN, SIGNED_FILE_MAX, text, len);

	if (rc != KMS_E_TOO_LARGE)
		return rc;
	if ((*text = malloc(HEAD + 1)) == NULL)
		return KMS_E_NO_MEMORY;
	rc = file_read_into(AT_FDCWD, s->path, FILE_GIVEN, *text, HEAD, len);
	(*text)[*len] = '\0';
	return rc == KMS_OK ? KMS_E_TOO_LARGE : rc;
}

static void
look_at(struct sent_file *s)
{
	char *text;
	size_t len;
	int rc = read_text(s, &text, &len);

	if (rc != KMS_OK && rc != KMS_E_TOO_LARGE) {
		s->is = (struct recognised){ .kind = SENT_OTHER, .what = "a file" };
		s->state = SENT_WRONG;
		fault_errno(&s->fault, errno, "it cannot be read");
		return;
	}
	recognise(&s->is, text, len);
	if (rc == KMS_E_TOO_LARGE && s->is.kind != SENT_OTHER)
		wrong(s, rc, "larger than any file that a publisher signs");
	else if (s->is.kind == SENT_SIGNED)
		take_signed(s, text, len);
	else if (s->is.kind == SENT_PUBLIC_KEY)
		take_public_key(s, text);
	else if (s->is.kind == SENT_KEY_CODE || s->is.kind == SENT_CONFIRMATION_CODE)
		take_code(s, text, len);
	else
		wrong(s, KMS_E_FORMAT, s->is.what);
	if (s->is.secret)
		sodium_memzero(text, len);
	free(text);
}

/* -- all of them -- */

static int
add(struct sent *s, const char *path, bool named, struct fault *f)
{
	struct sent_file *file = &s->list[s->count];

	if (s->count == SENT_MAX)
		return fault_set(f, KMS_E_LIMIT,
		    "there are more than %d files: name those that the publisher sent", SENT_MAX);
	*file = (struct sent_file){ .named = named, .path = strdup(path) };
	if (file->path == NULL)
		return fault_set(f, KMS_E_NO_MEMORY, NULL);
	s->count++;
	return KMS_OK;
}

struct folder {
	struct sent *sent;
	const char *path;
	struct fault *fault;
};

static int
add_name(const char *name, void *arg)
{
	const struct folder *d = arg;
	char path[PATH_MAX];
	struct stat st;

	if (name[0] == '.' ||
	    snprintf(path, sizeof(path), "%s/%s", d->path, name) >= (int)sizeof(path) ||
	    stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return KMS_OK;
	return add(d->sent, path, false, d->fault);
}

/* A folder's name without the slashes at its end, as it stands before those of its files. */
static int
add_argument(struct sent *s, const char *arg, struct fault *f)
{
	struct folder d = { s, NULL, f };
	struct stat st;
	char *path, *inside = NULL;
	size_t len;
	int rc;

	if (stat(arg, &st) != 0)
		return fault_errno(f, errno, "%s", arg);
	if (!S_ISDIR(st.st_mode))
		return add(s, arg, true, f);
	if ((path = strdup(arg)) == NULL)
		return fault_set(f, KMS_E_NO_MEMORY, NULL);
	for (len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	d.path = path;
	/* The name may be that of a link. */
	if (asprintf(&inside, "%s/.", path) < 0)
		rc = fault_set(f, KMS_E_NO_MEMORY, NULL);
	else if ((rc = file_each(AT_FDCWD, inside, "", add_name, &d)) != KMS_OK)
		rc = f->status != KMS_OK ? f->status : fault_errno(f, errno, "%s", arg);
	free(inside);
	free(path);
	return rc;
}

static int
by_path(const void *a, const void *b)
{
	const struct sent_file *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	/* Of two that are the same, the one that was named stays. */
	return order != 0 ? order : (int)y->named - (int)x->named;
}

/* The same file twice, by its name or by that of its signature, is one. */
static void
drop_repeated(struct sent *s)
{
	unsigned kept = 0;

	qsort(s->list, s->count, sizeof(*s->list), by_path);
	for (unsigned i = 0; i < s->count; i++) {
		if (kept > 0 && strcmp(s->list[kept - 1].path, s->list[i].path) == 0)
			free(s->list[i].path);
		else
			s->list[kept++] = s->list[i];
	}
	s->count = kept;
}

int
sent_read(struct sent *s, char *const *args, unsigned count, struct fault *f)
{
	int rc = KMS_OK;

	*s = (struct sent){ .list = calloc(SENT_MAX, sizeof(*s->list)) };
	if (s->list == NULL)
		return fault_set(f, KMS_E_NO_MEMORY, NULL);
	for (unsigned i = 0; rc == KMS_OK && i < count; i++)
		rc = add_argument(s, args[i], f);
	if (rc != KMS_OK)
		return rc;
	for (unsigned i = 0; i < s->count; i++)
		beside_signature(&s->list[i]);
	drop_repeated(s);
	for (unsigned i = 0; i < s->count; i++)
		look_at(&s->list[i]);
	return KMS_OK;
}

void
sent_free(struct sent *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		signed_file_free(&s->list[i].file);
		free(s->list[i].path);
	}
	free(s->list);
	*s = (struct sent){ 0 };
}
