/*
 * place.c - see place.h.
 */
#include "kmsctl/setup/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/setup/ini_section.h"
#include "kmsd/common/config_text.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

/* -- the ini file as it is -- */

/* The file that a link names, or a new one in a directory that is there. */
static int
resolve(struct place *p, const char *path, struct fault *f)
{
	char *real = realpath(path, NULL), *slash;
	const char *name = strrchr(path, '/');
	int rc = KMS_OK;

	if (real != NULL) {
		p->exists = true;
		if (snprintf(p->ini, sizeof(p->ini), "%s", real) >= (int)sizeof(p->ini))
			rc = fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", path);
		free(real);
	} else if (errno == ENOENT) {
		snprintf(p->directory, sizeof(p->directory), "%.*s",
		    name == NULL ? 1 : (int)(name - path), name == NULL ? "." : path);
		if ((real = realpath(p->directory[0] ? p->directory : "/", NULL)) == NULL)
			return fault_errno(f, errno, "%s", p->directory);
		if (snprintf(p->ini, sizeof(p->ini), "%s/%s", real,
			name == NULL ? path : name + 1) >= (int)sizeof(p->ini))
			rc = fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", path);
		free(real);
	} else {
		rc = fault_errno(f, errno, "%s", path);
	}
	if (rc == KMS_OK && (slash = strrchr(p->ini, '/')) != NULL)
		snprintf(p->directory, sizeof(p->directory), "%.*s", (int)(slash - p->ini), p->ini);
	return rc;
}

static int
lock(struct place *p, struct fault *f)
{
	p->lock = open(p->directory[0] ? p->directory : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->lock < 0)
		return fault_errno(f, errno, "%s", p->directory);
	if (flock(p->lock, LOCK_EX | LOCK_NB) == 0)
		return KMS_OK;
	return errno == EWOULDBLOCK
		   ? fault_set(f, KMS_E_EXISTS,
			 "another kmsctl setup is running: wait until it ends, then run this again")
		   : fault_errno(f, errno, "%s", p->directory);
}

int
place_open(struct place *p, const struct ctl *ctl, struct fault *f)
{
	size_t len;
	int rc;

	memset(p, 0, sizeof(*p));
	p->lock = -1;
	if ((rc = resolve(p, ctl->config_path, f)) != KMS_OK || (rc = lock(p, f)) != KMS_OK)
		return rc;
	if (p->exists) {
		rc = file_read(AT_FDCWD, p->ini, FILE_GIVEN, CONFIG_MAX, &p->before, &len);
		return rc == KMS_OK ? rc : fault_set(f, rc, "%s: cannot be read", p->ini);
	}
	p->before = strdup("");
	return p->before != NULL ? KMS_OK : fault_set(f, KMS_E_NO_MEMORY, NULL);
}

void
place_free(struct place *p)
{
	free(p->before);
	free(p->after);
	if (p->lock >= 0)
		close(p->lock);
	p->before = p->after = NULL;
	p->lock = -1;
}

/* -- where the files go -- */

static const char *
path_in_ini(const struct ctl *ctl, const struct verdict *v, enum ini_file file)
{
	const struct config_publisher *c;

	if (v->fresh)
		return "";
	c = &ctl->config.publishers[v->publisher - v->all.list];
	return file == INI_POLICY     ? c->policy
	       : file == INI_HOST_KEY ? c->host_key
				      : c->confirmation;
}

static bool
same_bytes(const char *path, const char *text, size_t len)
{
	char *have;
	size_t n;
	bool same;

	if (file_read(AT_FDCWD, path, FILE_GIVEN, SIGNED_FILE_MAX, &have, &n) != KMS_OK)
		return false;
	same = n == len && memcmp(have, text, len) == 0;
	free(have);
	return same;
}

static bool
is_there(const char *path, const struct signed_file *s)
{
	char beside[512];

	snprintf(beside, sizeof(beside), "%s.minisig", path);
	return same_bytes(path, s->text, s->len) &&
	       same_bytes(beside, s->signature, s->signature_len);
}

/*
 * Files that were put into the directory of kms.ini already stay where they are. Their names are
 * the publisher's: one that could be more than a value in the ini file is not written into it.
 */
static bool
lies_beside_ini(const struct place *p, const struct sent_file *s, char path[256])
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	char *real = realpath(s->path, NULL), *slash = real != NULL ? strrchr(real, '/') : NULL;
	bool beside = false;

	if (slash != NULL && slash[1 + strspn(slash + 1, plain)] == '\0' &&
	    (size_t)(slash - real) == strlen(p->directory) &&
	    strncmp(real, p->directory, (size_t)(slash - real)) == 0 && is_there(real, &s->file))
		beside = snprintf(path, 256, "%s", real) < 256;
	free(real);
	return beside;
}

static int
choose_path(struct place *p, const struct ctl *ctl, const struct verdict *v, enum ini_file file,
    struct fault *f)
{
	const char *have = path_in_ini(ctl, v, file);
	char *path = p->files[file].path;
	int n;

	if (have[0] != '\0')
		n = snprintf(path, 256, "%s", have);
	else if (lies_beside_ini(p, v->ini[file], path))
		n = 0;
	else
		n = snprintf(path, 256, "%s/%s%s", p->directory, v->name, verdict_ini_ending(file));
	if (n >= 256)
		return fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", p->directory);
	p->files[file].write = !is_there(path, &v->ini[file]->file);
	return KMS_OK;
}

/* Does kms.ini mean what was written? */
static bool
says(const struct config *c, const struct place *p, const struct verdict *v)
{
	for (unsigned i = 0; i < c->publisher_count; i++) {
		const struct config_publisher *q = &c->publishers[i];
		const char *const paths[INI_FILES] = { q->policy, q->host_key, q->confirmation };
		bool same = strcmp(q->name, v->name) == 0 && strcmp(q->key, v->key) == 0;

		for (enum ini_file f = 0; f < INI_FILES; f++)
			same = same && (p->files[f].path[0] == '\0' ||
					   strcmp(p->files[f].path, paths[f]) == 0);
		if (same)
			return true;
	}
	return false;
}

static int
check_text(const struct place *p, const struct verdict *v, struct fault *f)
{
	static struct config c; /* large */
	struct fault own = { 0 };

	if (config_parse(&c, p->after, strlen(p->after), &own, 1) > 0)
		return fault_set(f, KMS_E_CONFIG, "%s would become invalid: line %d: %s", p->ini,
		    own.line, own.text);
	if (!says(&c, p, v))
		return fault_set(f, KMS_E_CONFIG,
		    "%s: the section [publisher %s] cannot be written: the path of this directory has characters that an ini file cannot have",
		    p->ini, v->name);
	return KMS_OK;
}

int
place_prepare(struct place *p, const struct ctl *ctl, const struct verdict *v, struct fault *f)
{
	struct ini_value values[1 + INI_FILES] = { { "key", v->key } };
	unsigned count = 1;
	int rc = KMS_OK;

	if (v->publisher == NULL) {
		p->after = strdup(p->before);
		return p->after != NULL ? KMS_OK : fault_set(f, KMS_E_NO_MEMORY, NULL);
	}
	for (enum ini_file file = 0; rc == KMS_OK && file < INI_FILES; file++) {
		if (v->ini[file] == NULL)
			continue;
		rc = choose_path(p, ctl, v, file, f);
		values[count++] = (struct ini_value){ verdict_ini_key(file), p->files[file].path };
		p->changes |= p->files[file].write;
	}
	if (rc == KMS_OK && (rc = ini_section_write(&p->after, p->before, "publisher", v->name,
				 values, count)) != KMS_OK)
		fault_set(f, rc, NULL);
	if (rc != KMS_OK)
		return rc;
	p->changes |= strcmp(p->before, p->after) != 0;
	return check_text(p, v, f);
}

/* -- writing -- */

/* The signature first: a new file is never there without it. */
static int
write_file(const char *path, const struct signed_file *s, struct fault *f)
{
	char beside[512];
	int rc;

	snprintf(beside, sizeof(beside), "%s.minisig", path);
	rc = file_write(AT_FDCWD, beside, s->signature, s->signature_len, 0644, true);
	if (rc != KMS_OK)
		return fault_errno(f, errno, "%s", beside);
	rc = file_write(AT_FDCWD, path, s->text, s->len, 0644, true);
	return rc == KMS_OK ? rc : fault_errno(f, errno, "%s", path);
}

/* Somebody's editor may have saved it since it was read. */
static bool
unchanged(const struct place *p)
{
	return p->exists ? same_bytes(p->ini, p->before, strlen(p->before))
			 : !file_exists(AT_FDCWD, p->ini);
}

/* Mode and owner of the old file are the new one's before it takes the old one's place. */
static int
write_ini(const struct place *p, struct fault *f)
{
	struct stat st = { .st_mode = 0644 };
	struct file_stream s;
	bool ready;
	int rc;

	if (!unchanged(p))
		return fault_set(f, KMS_E_EXISTS,
		    "another program changed %s meanwhile: run this again", p->ini);
	if (p->exists && stat(p->ini, &st) != 0)
		return fault_errno(f, errno, "%s", p->ini);
	if ((rc = file_stream_open(&s, AT_FDCWD, p->ini, st.st_mode & 07777)) != KMS_OK)
		return fault_errno(f, errno, "%s", p->ini);
	ready = !p->exists || fchown(fileno(s.to), st.st_uid, st.st_gid) == 0;
	ready = ready && fchmod(fileno(s.to), st.st_mode & 07777) == 0;
	if (!ready)
		fault_errno(f, errno, "%s: kmsctl cannot keep its owner and mode", p->ini);
	else if (fputs(p->after, s.to) == EOF)
		fault_errno(f, errno, "%s", p->ini);
	rc = file_stream_close(&s, ready);
	if (rc != KMS_OK)
		fault_errno(f, errno, "%s", p->ini);
	return f->status;
}

int
place_write(const struct place *p, const struct verdict *v, struct fault *f)
{
	int rc = KMS_OK;

	for (enum ini_file file = 0; rc == KMS_OK && file < INI_FILES; file++)
		if (p->files[file].path[0] != '\0' && p->files[file].write)
			rc = write_file(p->files[file].path, &v->ini[file]->file, f);
	if (rc == KMS_OK && strcmp(p->before, p->after) != 0)
		rc = write_ini(p, f);
	return rc;
}
