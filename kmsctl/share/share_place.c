/*
 * share_place.c - see share_place.h.
 */
#include "kmsctl/share/share_place.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/setup/ini_section.h"
#include "kmsctl/share/etcd_settings.h"
#include "libkms/kms_error.h"
#include "policy/ini/ini_read.h"

static const struct {
	const char *name, *owner;
	bool secret;
} files[SHARE_FILES] = {
	[SHARE_AUTHORITY] = { "authority.pem", NULL, false },
	[SHARE_AUTHORITY_KEY] = { "authority.key", NULL, true },
	[SHARE_HOST] = { "host.pem", NULL, false },
	[SHARE_HOST_KEY] = { "host.key", NULL, true },
	[SHARE_ETCD] = { "etcd.pem", NULL, false },
	[SHARE_ETCD_KEY] = { "etcd.key", ETCD_USER, true },
};

const char *
share_directory(char out[FILE_PATH_MAX], const char *ini)
{
	const char *slash = strrchr(ini, '/');

	snprintf(out, FILE_PATH_MAX, "%.*sshare", slash == NULL ? 0 : (int)(slash + 1 - ini), ini);
	return out;
}

bool
share_path(char out[256], const char *directory, enum share_file file)
{
	return snprintf(out, 256, "%s/%s", directory, files[file].name) < 256;
}

bool
share_has(const char *directory, enum share_file file)
{
	char path[256];

	return share_path(path, directory, file) && file_exists(AT_FDCWD, path);
}

const char *
share_file_owner(enum share_file file)
{
	return files[file].owner;
}

bool
share_file_secret(enum share_file file)
{
	return files[file].secret;
}

int
share_write(const char *path, const char *text, mode_t mode, const char *owner, struct fault *f)
{
	const struct passwd *pw = owner != NULL ? getpwnam(owner) : NULL;
	struct file_stream s;
	bool ready;
	int rc;

	if (owner != NULL && pw == NULL)
		return fault_set(
		    f, KMS_E_NOT_FOUND, "there is no user %s: apt install etcd-server", owner);
	if (file_stream_open(&s, AT_FDCWD, path, mode) != KMS_OK)
		return fault_errno(f, errno, "%s", path);
	ready = pw == NULL || fchown(fileno(s.to), pw->pw_uid, pw->pw_gid) == 0;
	/* The umask is nobody's wish here: etcd must read what is no secret. */
	ready = ready && fchmod(fileno(s.to), mode) == 0 && fputs(text, s.to) != EOF;
	if (!ready)
		fault_errno(f, errno, "%s", path);
	rc = file_stream_close(&s, ready);
	if (rc != KMS_OK)
		fault_errno(f, errno, "%s", path);
	return ready ? rc : f->status;
}

int
share_put(const char *directory, enum share_file file, const char *text, struct fault *f)
{
	char path[256];

	if (!share_path(path, directory, file))
		return fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", directory);
	if (mkdir(directory, 0755) == 0)
		(void)chmod(directory, 0755);
	else if (errno != EEXIST)
		return fault_errno(f, errno, "%s", directory);
	return share_write(path, text, files[file].secret ? 0600 : 0644, files[file].owner, f);
}

/* -- kms.ini -- */

bool
share_members_have(const struct config_endpoints *members, const char *host)
{
	for (unsigned i = 0; i < members->count; i++)
		if (strcasecmp(members->at[i].name, host) == 0)
			return true;
	return false;
}

bool
share_members_add(struct config_endpoints *members, const char *host)
{
	if (share_members_have(members, host))
		return true;
	return members->count < CONFIG_MEMBERS &&
	       endpoint_parse(&members->at[members->count++], host, ETCD_CLIENT_PORT);
}

#define LINES 4 /* of members; one has about 180 bytes of them */

struct member_lines {
	char text[LINES][INI_LINE_MAX];
	unsigned count;
};

static void
members_text(struct member_lines *l, const struct config_endpoints *members)
{
	char word[ENDPOINT_TEXT];
	size_t used = 0;

	memset(l, 0, sizeof(*l));
	for (unsigned i = 0; i < members->count && l->count <= LINES; i++) {
		endpoint_text(word, &members->at[i], ETCD_CLIENT_PORT);
		if (l->count == 0 || used + strlen(word) + 20 > INI_LINE_MAX) {
			if (l->count == LINES)
				return;
			l->count++;
			used = 0;
		}
		used += (size_t)snprintf(l->text[l->count - 1] + used, INI_LINE_MAX - used, "%s%s",
		    used > 0 ? " " : "", word);
	}
}

static bool
says(const struct config *c, const char *name, const char *const paths[3])
{
	return strcmp(c->share_name, name) == 0 && strcmp(c->share_authority, paths[0]) == 0 &&
	       strcmp(c->share_certificate, paths[1]) == 0 && strcmp(c->share_key, paths[2]) == 0;
}

int
share_ini(struct ini_edit *e, const char *directory, const char *name,
    const struct config_endpoints *members, struct config *c, struct fault *f)
{
	char authority[256], certificate[256], key[256];
	const char *const paths[3] = { authority, certificate, key };
	struct member_lines lines;
	struct ini_value values[4 + LINES] = { { .key = "name", .value = name } };
	unsigned count = 1;
	int rc;

	if (!share_path(authority, directory, SHARE_AUTHORITY) ||
	    !share_path(certificate, directory, SHARE_HOST) ||
	    !share_path(key, directory, SHARE_HOST_KEY))
		return fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", directory);
	members_text(&lines, members);
	free(e->after);
	for (unsigned i = 0; i < lines.count; i++)
		values[count++] =
		    (struct ini_value){ .key = "members", .value = lines.text[i], .replace = true };
	values[count++] = (struct ini_value){ .key = "authority", .value = authority };
	values[count++] = (struct ini_value){ .key = "certificate", .value = certificate };
	values[count++] = (struct ini_value){ .key = "key", .value = key };
	if ((rc = ini_section_write(&e->after, e->before, "share", "", values, count)) != KMS_OK)
		return fault_set(f, rc, NULL);
	if ((rc = ini_edit_check(e, c, f)) != KMS_OK)
		return rc;
	if (!says(c, name, paths))
		return fault_set(f, KMS_E_CONFIG,
		    "[share] in %s has another name or other files: %s, %s, %s, %s are expected",
		    e->path, name, authority, certificate, key);
	return KMS_OK;
}
