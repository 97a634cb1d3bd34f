/*
 * find.c - what the state directory holds for a publisher. Signatures are verified again at every
 * start: somebody who can write to the state directory can stop the service, but not extend it.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/kms_error.h"
#include "policy/files/kinds.h"
#include "policy/files/publisher_file.h"
#include "policy/files/rotations.h"

#define VERSION_MAX 15

struct find {
	struct publishers *s;
	struct publisher *p;
	enum publisher_file_kind kind;
	publisher_left_out_fn left_out;
	void *arg;
};

static void
leave_out(const struct find *w, const char *path, int status, struct fault *f)
{
	fault_set(f, status, NULL);
	if (f->line > 0)
		fault_prefix(f, "%s:%d: ", path, f->line);
	else
		fault_prefix(f, "%s: ", path);
	if (w->left_out != NULL)
		w->left_out(w->p, w->kind, f, w->arg);
}

/* Reads the file as the publisher signed it, and its contents. */
static int
read_file(const struct find *w, const char *path, struct publisher_file *c, struct fault *f)
{
	const struct file_kind *kind = &file_kinds[w->kind];
	struct signed_file file = { 0 };
	int rc;

	if (kind->inside)
		rc =
		    file_read(w->s->dirfd, path, FILE_OURS, SIGNED_FILE_MAX, &file.text, &file.len);
	else
		rc = signed_file_read(&file, w->s->dirfd, path, FILE_OURS, NULL);
	*c = publisher_file_of(w->kind, &file);
	c->publisher = w->p;
	if (rc == KMS_OK && !kind->inside)
		rc = publisher_keys_file(&w->p->public, kind->plain, c->text, c->len, c->signature,
		    c->signature_len, NULL, 0, NULL);
	if (rc == KMS_OK && (rc = publisher_file_parse(c, f)) == KMS_OK &&
	    (rc = kind->belongs(w->s, c, f)) == KMS_OK)
		crypto_hash_sha256(c->digest, (const uint8_t *)c->text, c->len);
	signed_file_free(&file);
	return rc;
}

static void
take(const struct find *w, const char *path)
{
	struct fault f = { 0 };
	struct publisher_file c;
	int rc = read_file(w, path, &c, &f);

	c.time = file_time(w->s->dirfd, path);
	if (rc == KMS_OK)
		publisher_file_adopt(&c);
	/* All publishers' host keys lie in one directory; a certificate need not be there. */
	else if (w->kind == FILE_KEY ? rc != KMS_E_PUBLISHER
				     : !(file_kinds[w->kind].inside && rc == KMS_E_NOT_FOUND))
		leave_out(w, path, rc, &f);
	publisher_file_free(&c);
}

static int
take_name(const char *name, void *arg)
{
	const struct find *w = arg;
	char path[SIGNED_FILE_PATH], hex[17];

	hex_format(hex, w->p->public.key.id, 8);
	if (w->kind == FILE_REVOCATIONS && strncmp(name, hex, 16) != 0)
		return KMS_OK;
	snprintf(path, sizeof(path), "%s/%.100s", file_kinds[w->kind].dir, name);
	take(w, path);
	return KMS_OK;
}

static void
find_in_directory(struct find *w)
{
	const struct file_kind *kind = &file_kinds[w->kind];
	struct fault f = { 0 };
	int rc = file_each(w->s->dirfd, kind->dir, kind->ending, take_name, w);

	if (rc != KMS_OK)
		leave_out(w, kind->dir, rc, &f);
}

static void
find_one(const struct find *w)
{
	char path[SIGNED_FILE_PATH];

	file_kind_path(path, w->kind, w->p, NULL);
	take(w, path);
}

/* -- rotations: they carry their own signatures -- */

static void
find_rotations(const struct find *w)
{
	char path[SIGNED_FILE_PATH];
	struct fault f = { 0 };
	int rc = rotations_read(w->s->dirfd, w->p, &f);

	rotations_path(path, w->p);
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		leave_out(w, path, rc, &f);
}

/* -- policy packs: the version in force is in a file of its own -- */

static void
find_pack(const struct find *w)
{
	char path[SIGNED_FILE_PATH], *version;
	struct fault f = { 0 };
	size_t len;
	int rc;

	file_kind_pack_path(path, w->p, "current", "");
	rc = file_read(w->s->dirfd, path, FILE_OURS, VERSION_MAX + 1, &version, &len);
	if (rc == KMS_E_NOT_FOUND)
		return;
	if (rc == KMS_OK) {
		version[strcspn(version, "\n")] = '\0';
		len = strlen(version);
		if (len == 0 || len > VERSION_MAX ||
		    version[strspn(version, "0123456789.")] != '\0')
			rc = KMS_E_FORMAT;
	}
	if (rc == KMS_OK) {
		file_kind_pack_path(path, w->p, version, file_kinds[FILE_PACK].ending);
		take(w, path);
	} else {
		leave_out(w, path, rc, &f);
	}
	free(version);
}

int
publisher_pack_read(const struct publishers *s, const struct publisher *p, const char *version,
    struct policy_pack **out)
{
	struct find w = {
		.s = (struct publishers *)s, .p = (struct publisher *)p, .kind = FILE_PACK
	};
	char path[SIGNED_FILE_PATH];
	struct publisher_file c;
	int rc;

	file_kind_pack_path(path, p, version, file_kinds[FILE_PACK].ending);
	rc = read_file(&w, path, &c, NULL);
	*out = rc == KMS_OK ? c.pack : NULL;
	if (rc == KMS_OK)
		c.pack = NULL;
	publisher_file_free(&c);
	return rc;
}

void
publishers_read(struct publishers *s, publisher_left_out_fn left_out, void *arg)
{
	struct find w = { .s = s, .left_out = left_out, .arg = arg };

	for (unsigned i = 0; s->dirfd >= 0 && i < s->count; i++) {
		w.p = &s->list[i];
		for (w.kind = 0; w.kind < FILE_KINDS; w.kind++) {
			if (w.kind == FILE_ROTATION)
				find_rotations(&w);
			else if (w.kind == FILE_PACK)
				find_pack(&w);
			else if (w.kind == FILE_KEY || w.kind == FILE_REVOCATIONS)
				find_in_directory(&w);
			else
				find_one(&w);
		}
	}
}
