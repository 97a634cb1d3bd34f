/*
 * share_join.c - see share_join.h.
 */
#include "kmsctl/share/share_join.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/plan/owned_tree.h"
#include "kmsctl/share/certify.h"
#include "kmsctl/share/own_name.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

/* -- the file -- */

static int
read_file(struct share_join *j, const char *path, struct fault *f)
{
	char *text;
	size_t len;
	int rc = file_read(AT_FDCWD, path, FILE_GIVEN, INVITATION_MAX, &text, &len);

	if (rc != KMS_OK)
		return fault_set(f, rc, "%s: %s", path, kms_strerror((uint32_t)rc));
	rc = invitation_parse(&j->in, text, len, f);
	explicit_bzero(text, len);
	free(text);
	if (rc != KMS_OK)
		fault_prefix(f, "%s: ", path);
	return rc;
}

/* -- this machine -- */

static int
check_host(const struct share_join *j, const char *path, struct fault *f)
{
	bool own;
	int rc = share_host_look_up(j->in.host, &own, f);

	if (rc == KMS_OK && !own)
		rc = fault_set(f, KMS_E_UNKNOWN_HOST,
		    "%s is for %s, and this machine has no address of that name: use it there, or run kmsctl share invite for this machine",
		    path, j->in.host);
	return rc;
}

/* What this host is already may not become something else. */
static int
check_other(const struct share_join *j, const struct config *c, struct fault *f)
{
	char path[256], *text;
	size_t len;
	bool same;

	if (share_configured(c) && strcmp(c->share_name, j->in.share) != 0)
		return fault_set(f, KMS_E_EXISTS,
		    "this host is in the share %s, and can be in one alone: the invitation is to %s",
		    c->share_name, j->in.share);
	if (!share_path(path, j->directory, SHARE_AUTHORITY))
		return fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", j->directory);
	if (file_read(AT_FDCWD, path, FILE_OURS, CERTIFY_PEM_MAX, &text, &len) != KMS_OK)
		return KMS_OK;
	same = strcmp(text, j->in.texts[SHARE_AUTHORITY]) == 0;
	free(text);
	if (same)
		return KMS_OK;
	return fault_set(f, KMS_E_EXISTS,
	    "%s is of another authority: this host is in another share, or in one of the same name that was begun twice. Invitations come from the host that began the share",
	    path);
}

static int
check_etcd(struct share_join *j, struct fault *f)
{
	char here[32], data[96];
	int rc = etcd_version_here(here, f);

	if (rc == KMS_OK)
		rc = etcd_settings_look(&j->settings, "", j->in.share, f);
	if (rc == KMS_OK && j->settings == ETCD_SETTINGS_OTHER)
		rc = fault_set(f, KMS_E_EXISTS,
		    "%s has settings of another use: this machine's etcd cannot be the share's. If nothing needs them, mv %s %s.old",
		    ETCD_SETTINGS, ETCD_SETTINGS, ETCD_SETTINGS);
	j->data = access(etcd_data(data, j->in.share), F_OK) == 0;
	return rc;
}

/* -- the certificates, in a directory that nothing else reads -- */

static int
try_certificates(struct share_join *j, struct fault *f)
{
	char authority[256], certificate[256], key[256];
	int rc = KMS_OK;

	for (enum share_file i = 0; rc == KMS_OK && i < SHARE_FILES; i++)
		if (j->in.texts[i] != NULL)
			rc = share_put(j->trial, i, j->in.texts[i], f);
	for (enum share_file i = SHARE_HOST; rc == KMS_OK && i <= SHARE_ETCD; i += 2) {
		if (!share_path(authority, j->trial, SHARE_AUTHORITY) ||
		    !share_path(certificate, j->trial, i) || !share_path(key, j->trial, i + 1))
			return fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", j->trial);
		rc = certify_check(authority, certificate, key, f);
		if (rc == KMS_E_KEY_EXPIRED || rc == KMS_E_SIGNATURE)
			fault_prefix(f,
			    "the invitation is of no use, make another one with kmsctl share invite: ");
	}
	return rc;
}

/* -- the members -- */

static int
check_versions(const struct share_join *j, struct fault *f)
{
	struct etcd_said said;
	const char *theirs;
	char here[32];
	int rc = etcd_version_here(here, f);

	if (rc != KMS_OK)
		return rc;
	etcd_ask(&said, &j->asker, &j->through, "/version", NULL);
	theirs = json_string_value(json_object_get(said.root, "etcdcluster"));
	if (said.reach != ETCD_ANSWERS)
		rc = fault_set(f, said.f.status, "%s", said.f.text);
	else if (etcd_version_number(theirs) == 0)
		rc = fault_set(
		    f, KMS_E_FORMAT, "member %s does not say its version", j->through.name);
	else if (etcd_version_number(here) < etcd_version_number(theirs))
		rc = fault_set(f, KMS_E_SCHEMA,
		    "etcd %s here is older than the members' %s: install the same version of etcd-server on all hosts",
		    here, theirs);
	etcd_said_free(&said);
	return rc;
}

/* Do what etcd has here and what its members say fit together? */
static int
check_membership(const struct share_join *j, struct fault *f)
{
	const struct etcd_member *self = etcd_members_find(&j->members, j->in.host);
	char data[96];

	etcd_data(data, j->in.share);
	if (self == NULL && j->data)
		return fault_set(f, KMS_E_EXISTS,
		    "%s was a member of this share and was removed, and its data are in %s: to join again, systemctl stop etcd, mv %s %s.old, then run this again",
		    j->in.host, data, data, data);
	if (self != NULL && self->name[0] != '\0' && !j->data)
		return fault_set(f, KMS_E_EXISTS,
		    "%s is a member already, but %s is missing here: another machine has this name, or its disk was lost. If it was lost, remove the member first (etcdctl member remove on another host), then run this again",
		    j->in.host, data);
	return KMS_OK;
}

static int
ask_members(struct share_join *j, struct fault *f)
{
	const struct endpoint *used;
	int rc = etcd_members_ask(&j->members, &j->asker, &j->in.members, &used, f);

	if (rc != KMS_OK) {
		fault_prefix(f, "no member of the share %s answers: ", j->in.share);
		return rc;
	}
	j->through = *used;
	share_members_add(&j->listed, j->in.host);
	for (unsigned i = 0; i < j->members.count; i++)
		if (!share_members_add(&j->listed, j->members.at[i].host))
			return fault_set(f, KMS_E_LIMIT,
			    "the share has %d members already, and no more can be in it",
			    CONFIG_MEMBERS);
	return KMS_OK;
}

int
share_join_prepare(struct share_join *j, const struct ctl *ctl, const char *path, struct fault *f)
{
	static struct config c; /* large */
	int rc;

	memset(j, 0, sizeof(*j));
	j->ini.lock = -1;
	if ((rc = read_file(j, path, f)) != KMS_OK || (rc = check_host(j, path, f)) != KMS_OK ||
	    (rc = ini_edit_open(&j->ini, ctl->config_path, f)) != KMS_OK)
		return rc;
	share_directory(j->directory, j->ini.path);
	snprintf(j->trial, sizeof(j->trial), "%.4000s.new", j->directory);
	j->asker = (struct etcd_asker){ .directory = j->trial, .timeout_ms = 5000 };
	if ((rc = check_other(j, &ctl->config, f)) != KMS_OK || (rc = check_etcd(j, f)) != KMS_OK ||
	    (rc = try_certificates(j, f)) != KMS_OK || (rc = ask_members(j, f)) != KMS_OK ||
	    (rc = check_versions(j, f)) != KMS_OK || (rc = check_membership(j, f)) != KMS_OK)
		return rc;
	return share_ini(&j->ini, j->directory, j->in.share, &j->listed, &c, f);
}

/* -- doing it -- */

static int
write_settings(const struct share_join *j, struct fault *f)
{
	char *cluster = etcd_members_cluster(&j->members), *text;
	struct etcd_settings s = { .share = j->in.share,
		.host = j->in.host,
		.directory = j->directory,
		.cluster = cluster,
		.joins = true };
	int rc;

	text = cluster != NULL ? etcd_settings_text(&s) : NULL;
	rc = text != NULL ? share_write(ETCD_SETTINGS, text, 0644, NULL, f)
			  : fault_set(f, KMS_E_NO_MEMORY, NULL);
	free(text);
	free(cluster);
	return rc;
}

int
share_join_write(struct share_join *j, struct fault *f)
{
	int rc = KMS_OK;

	for (enum share_file i = 0; rc == KMS_OK && i < SHARE_FILES; i++)
		if (j->in.texts[i] != NULL)
			rc = share_put(j->directory, i, j->in.texts[i], f);
	if (rc == KMS_OK && etcd_members_find(&j->members, j->in.host) == NULL)
		rc = etcd_member_add(&j->members, &j->asker, &j->through, j->in.host, f);
	/* Once etcd has data, the settings' list of members means nothing any more. */
	if (rc == KMS_OK && !j->data)
		rc = write_settings(j, f);
	if (rc == KMS_OK && ini_edit_changes(&j->ini))
		rc = ini_edit_write(&j->ini, f);
	return rc;
}

/* One look: KMS_OK: it has a vote. */
static int
promote(struct share_join *j, struct fault *f)
{
	const struct etcd_member *self;
	struct config_endpoints one = { .count = 1, .at = { j->through } };
	const struct endpoint *used;
	int rc = etcd_members_ask(&j->members, &j->asker, &one, &used, f);

	if (rc != KMS_OK)
		return rc;
	self = etcd_members_find(&j->members, j->in.host);
	if (self == NULL)
		return fault_set(f, KMS_E_NOT_FOUND,
		    "another host removed %s from the share in the meantime", j->in.host);
	if (self->name[0] == '\0')
		return fault_set(f, KMS_E_PENDING,
		    "etcd does not run on this machine yet: start it (systemctl restart etcd), then run the same command again");
	if (!self->learner)
		return KMS_OK;
	rc = etcd_member_promote(&j->asker, &j->through, self->id, f);
	if (rc == KMS_E_PENDING)
		*f = (struct fault){ 0 },
		fault_set(f, rc,
		    "etcd on this machine has not caught up yet: run the same command again");
	return rc;
}

int
share_join_finish(struct share_join *j, int wait_ms, struct fault *f)
{
	const struct timespec moment = { .tv_nsec = 200000000 };
	int64_t until = clock_ms() + wait_ms;
	int rc;

	j->asker.directory = j->directory;
	for (;;) {
		*f = (struct fault){ 0 };
		rc = promote(j, f);
		if (rc == KMS_OK || rc == KMS_E_NOT_FOUND || clock_ms() >= until)
			return rc;
		nanosleep(&moment, NULL);
	}
}

void
share_join_free(struct share_join *j)
{
	int dir;

	invitation_free(&j->in);
	ini_edit_free(&j->ini);
	if (j->trial[0] == '\0')
		return;
	dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		(void)owned_tree_remove(dir, j->trial + 1);
		close(dir);
	}
}
