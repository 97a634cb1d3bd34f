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
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

int
place_open(struct place *p, const struct ctl *ctl, struct fault *f)
{
	memset(p, 0, sizeof(*p));
	return ini_edit_open(&p->ini, ctl->config_path, f);
}

void
place_free(struct place *p)
{
	ini_edit_free(&p->ini);
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
	    (size_t)(slash - real) == strlen(p->ini.directory) &&
	    strncmp(real, p->ini.directory, (size_t)(slash - real)) == 0 &&
	    is_there(real, &s->file))
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
		n = snprintf(
		    path, 256, "%s/%s%s", p->ini.directory, v->name, verdict_ini_ending(file));
	if (n >= 256)
		return fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", p->ini.directory);
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
	int rc = ini_edit_check(&p->ini, &c, f);

	if (rc != KMS_OK)
		return rc;
	if (!says(&c, p, v))
		return fault_set(f, KMS_E_CONFIG,
		    "%s: the section [publisher %s] cannot be written: the path of this directory has characters that an ini file cannot have",
		    p->ini.path, v->name);
	return KMS_OK;
}

int
place_prepare(struct place *p, const struct ctl *ctl, const struct verdict *v, struct fault *f)
{
	struct ini_value values[1 + INI_FILES] = { { .key = "key", .value = v->key } };
	unsigned count = 1;
	int rc = KMS_OK;

	if (v->publisher == NULL) {
		p->ini.after = strdup(p->ini.before);
		return p->ini.after != NULL ? KMS_OK : fault_set(f, KMS_E_NO_MEMORY, NULL);
	}
	for (enum ini_file file = 0; rc == KMS_OK && file < INI_FILES; file++) {
		if (v->ini[file] == NULL)
			continue;
		rc = choose_path(p, ctl, v, file, f);
		values[count++] = (struct ini_value){ .key = verdict_ini_key(file),
			.value = p->files[file].path };
		p->changes |= p->files[file].write;
	}
	if (rc == KMS_OK && (rc = ini_section_write(&p->ini.after, p->ini.before, "publisher",
				 v->name, values, count)) != KMS_OK)
		fault_set(f, rc, NULL);
	if (rc != KMS_OK)
		return rc;
	p->changes |= ini_edit_changes(&p->ini);
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

int
place_write(const struct place *p, const struct verdict *v, struct fault *f)
{
	int rc = KMS_OK;

	for (enum ini_file file = 0; rc == KMS_OK && file < INI_FILES; file++)
		if (p->files[file].path[0] != '\0' && p->files[file].write)
			rc = write_file(p->files[file].path, &v->ini[file]->file, f);
	if (rc == KMS_OK && ini_edit_changes(&p->ini))
		rc = ini_edit_write(&p->ini, f);
	return rc;
}
