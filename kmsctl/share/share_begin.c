/*
 * share_begin.c - see share_begin.h.
 */
#include "kmsctl/share/share_begin.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/dns/records.h"
#include "kmsctl/share/certify.h"
#include "kmsctl/share/etcd_ask.h"
#include "kmsctl/share/invitation.h"
#include "kmsctl/share/own_name.h"
#include "kmsctl/share/witness_script.h"
#include "kmsd/ipc/share_verbs.h"
#include "libkms/kms_error.h"

/* -- the first host -- */

static int
check_name(const struct ctl *ctl, const char *share, struct fault *f)
{
	if (!share_name_ok(share, strlen(share)))
		return fault_set(f, KMS_E_ARGUMENT,
		    "%s: the name of a share has 1 to 32 characters of a-z, 0-9 and -, and does not begin with -",
		    share);
	if (share_configured(&ctl->config) && strcmp(ctl->config.share_name, share) != 0)
		return fault_set(f, KMS_E_EXISTS,
		    "this host is in the share %s already, and can be in one alone",
		    ctl->config.share_name);
	return KMS_OK;
}

static int
find_host(struct share_begin *b, const struct ctl *ctl, const char *host, struct fault *f)
{
	char full[DNS_NAME];
	bool own;
	int rc = KMS_OK;

	if (host == NULL) {
		if (records_host(&ctl->config, full, f) != KMS_OK)
			return fault_set(f, f->status, "or name it for the share with --host HOST");
		host = full;
	}
	if ((rc = share_host_read(b->host, host, f)) != KMS_OK ||
	    (rc = share_host_look_up(b->host, &own, f)) != KMS_OK)
		return rc;
	return own ? KMS_OK
		   : fault_set(f, KMS_E_ARGUMENT,
			 "%s has no address of this machine: name it as the other hosts reach it, with --host HOST",
			 b->host);
}

static int
check_etcd(struct share_begin *b, struct fault *f)
{
	char version[32], data[96];
	int rc = etcd_version_here(version, f);

	if (rc != KMS_OK || (rc = etcd_settings_look(&b->settings, "", b->share, f)) != KMS_OK)
		return rc;
	if (getpwnam(ETCD_USER) == NULL)
		return fault_set(
		    f, KMS_E_NOT_FOUND, "there is no user " ETCD_USER ": apt install etcd-server");
	if (b->settings == ETCD_SETTINGS_OTHER)
		return fault_set(f, KMS_E_EXISTS,
		    "%s has settings of another use: this machine's etcd cannot be the share's. If nothing needs them, mv %s %s.old",
		    ETCD_SETTINGS, ETCD_SETTINGS, ETCD_SETTINGS);
	etcd_data(data, b->share);
	if (b->settings == ETCD_SETTINGS_NONE && access(data, F_OK) == 0)
		return fault_set(f, KMS_E_EXISTS,
		    "%s has data of an earlier share of that name: if nothing needs them, mv %s %s.old",
		    data, data, data);
	return KMS_OK;
}

/* What an interrupted run, or another share, left in the directory. */
static int
check_files(const struct share_begin *b, struct fault *f)
{
	char authority[256];

	if (!share_path(authority, b->directory, SHARE_AUTHORITY))
		return fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", b->directory);
	if (!share_has(b->directory, SHARE_AUTHORITY))
		return KMS_OK;
	if (!share_has(b->directory, SHARE_AUTHORITY_KEY))
		return fault_set(f, KMS_E_EXISTS,
		    "this host joined the share, which began on another host: invitations come from there, or from a host that has a copy of its %s/authority.key",
		    b->directory);
	return certify_is_of(authority, b->share, f);
}

int
share_begin_prepare(struct share_begin *b, const struct ctl *ctl, const char *share,
    const char *host, struct fault *f)
{
	static struct config c; /* large */
	int rc;

	memset(b, 0, sizeof(*b));
	b->ini.lock = -1;
	b->share = share;
	if ((rc = check_name(ctl, share, f)) != KMS_OK ||
	    (rc = find_host(b, ctl, host, f)) != KMS_OK || (rc = check_etcd(b, f)) != KMS_OK ||
	    (rc = ini_edit_open(&b->ini, ctl->config_path, f)) != KMS_OK)
		return rc;
	share_directory(b->directory, b->ini.path);
	if ((rc = check_files(b, f)) != KMS_OK)
		return rc;
	b->listed = ctl->config.share_members;
	if (!share_members_add(&b->listed, b->host))
		return fault_set(f, KMS_E_LIMIT, "[share] members: there is no room for this host");
	return share_ini(&b->ini, b->directory, share, &b->listed, &c, f);
}

/* The key first: a certificate without a key would be taken for another host's. */
static int
write_pair(
    const char *directory, enum share_file file, struct certified *made, int rc, struct fault *f)
{
	if (rc == KMS_OK)
		rc = share_put(directory, file + 1, made->key, f);
	if (rc == KMS_OK)
		rc = share_put(directory, file, made->certificate, f);
	certified_free(made);
	return rc;
}

static int
certify(const char *directory, const char *share, const char *host, enum certify_use use,
    struct certified *out, struct fault *f)
{
	char authority[256], key[256];

	if (!share_path(authority, directory, SHARE_AUTHORITY) ||
	    !share_path(key, directory, SHARE_AUTHORITY_KEY))
		return fault_set(f, KMS_E_ARGUMENT, "%s: the path is too long", directory);
	return certify_host(out, authority, key, share, host, use, f);
}

static int
write_settings(const struct share_begin *b, struct fault *f)
{
	char url[288], cluster[512], *text;
	struct etcd_settings s = {
		.share = b->share, .host = b->host, .directory = b->directory, .cluster = cluster
	};
	int rc;

	snprintf(
	    cluster, sizeof(cluster), "%s=%s", b->host, etcd_url(url, b->host, ETCD_PEER_PORT));
	text = etcd_settings_text(&s);
	rc = text != NULL ? share_write(ETCD_SETTINGS, text, 0644, NULL, f)
			  : fault_set(f, KMS_E_NO_MEMORY, NULL);
	free(text);
	return rc;
}

int
share_begin_write(const struct share_begin *b, struct fault *f)
{
	struct certified made;
	int rc = KMS_OK;

	if (!share_has(b->directory, SHARE_AUTHORITY)) {
		rc = certify_authority(&made, b->share, f);
		rc = write_pair(b->directory, SHARE_AUTHORITY, &made, rc, f);
	}
	if (rc == KMS_OK && !share_has(b->directory, SHARE_HOST)) {
		rc = certify(b->directory, b->share, b->host, CERTIFY_KMSD, &made, f);
		rc = write_pair(b->directory, SHARE_HOST, &made, rc, f);
	}
	if (rc == KMS_OK && !share_has(b->directory, SHARE_ETCD)) {
		rc = certify(b->directory, b->share, b->host, CERTIFY_ETCD, &made, f);
		rc = write_pair(b->directory, SHARE_ETCD, &made, rc, f);
	}
	if (rc == KMS_OK && b->settings == ETCD_SETTINGS_NONE)
		rc = write_settings(b, f);
	if (rc == KMS_OK && ini_edit_changes(&b->ini))
		rc = ini_edit_write(&b->ini, f);
	return rc;
}

void
share_begin_free(struct share_begin *b)
{
	ini_edit_free(&b->ini);
}

/* -- invitations -- */

static int
check_inviter(const struct share_invite *i, const struct config *c, struct fault *f)
{
	char authority[256];

	if (!share_configured(c))
		return fault_set(
		    f, KMS_E_CONFIG, "this host is in no share: kmsctl share init NAME begins one");
	if (!share_has(i->directory, SHARE_AUTHORITY_KEY) ||
	    !share_path(authority, i->directory, SHARE_AUTHORITY))
		return fault_set(f, KMS_E_NOT_FOUND,
		    "%s/authority.key is not on this host: run this on the host on which the share began, or copy that file from there",
		    i->directory);
	return certify_is_of(authority, c->share_name, f);
}

/* A file of that name may be somebody else's. */
static int
check_path(const struct share_invite *i, struct fault *f)
{
	char *text;
	size_t len;
	int rc = file_read(AT_FDCWD, i->path, FILE_GIVEN, INVITATION_MAX, &text, &len);
	bool ours;

	if (rc == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc != KMS_OK)
		return fault_set(f, rc, "%s: %s", i->path, kms_strerror((uint32_t)rc));
	ours = i->witness ? witness_is(text) : invitation_is(text, len);
	explicit_bzero(text, len);
	free(text);
	return ours
		   ? KMS_OK
		   : fault_set(f, KMS_E_EXISTS,
			 "%s is there already and is no invitation: name another file with --output",
			 i->path);
}

/* Nobody can join while no member answers, and the file names those that do. */
static int
ask_members(struct share_invite *i, const struct config *c, struct fault *f)
{
	struct etcd_asker a = { .directory = i->directory, .timeout_ms = 5000 };
	const struct endpoint *used;
	struct etcd_members members;
	int rc = etcd_members_ask(&members, &a, &c->share_members, &used, f);

	if (rc != KMS_OK) {
		fault_prefix(f, "no member of etcd answers: ");
		return rc;
	}
	for (unsigned m = 0; m < members.count; m++)
		if (!share_members_add(&i->listed, members.at[m].host))
			rc = KMS_E_LIMIT;
	if (rc != KMS_OK || !share_members_add(&i->listed, i->host))
		rc = fault_set(f, KMS_E_LIMIT, "a share has at most %d members", CONFIG_MEMBERS);
	return rc;
}

int
share_invite_prepare(struct share_invite *i, const struct ctl *ctl, const char *host, bool witness,
    const char *path, struct fault *f)
{
	static struct config c; /* large */
	bool own;
	int rc;

	memset(i, 0, sizeof(*i));
	i->ini.lock = -1;
	i->witness = witness;
	snprintf(i->share, sizeof(i->share), "%s", ctl->config.share_name);
	if ((rc = ini_edit_open(&i->ini, ctl->config_path, f)) != KMS_OK)
		return rc;
	share_directory(i->directory, i->ini.path);
	i->listed = ctl->config.share_members;
	if ((rc = check_inviter(i, &ctl->config, f)) != KMS_OK ||
	    (rc = share_host_read(i->host, host, f)) != KMS_OK ||
	    (rc = share_host_look_up(i->host, &own, f)) != KMS_OK)
		return rc;
	if (path != NULL)
		snprintf(i->path, sizeof(i->path), "%s", path);
	else
		snprintf(
		    i->path, sizeof(i->path), witness ? "%s.witness.sh" : "%s.kmsshare", i->host);
	if ((rc = check_path(i, f)) != KMS_OK || (rc = ask_members(i, &ctl->config, f)) != KMS_OK)
		return rc;
	return share_ini(&i->ini, i->directory, i->share, &i->listed, &c, f);
}

/* The members to ask: all but the one that is invited, unless it is alone. */
static void
others(struct config_endpoints *out, const struct share_invite *i)
{
	memset(out, 0, sizeof(*out));
	for (unsigned m = 0; m < i->listed.count; m++)
		if (strcmp(i->listed.at[m].name, i->host) != 0)
			out->at[out->count++] = i->listed.at[m];
	if (out->count == 0)
		*out = i->listed;
}

int
share_invite_write(const struct share_invite *i, struct fault *f)
{
	struct invitation in = { 0 };
	struct certified host = { 0 }, etcd = { 0 };
	char authority[256], *text = NULL;
	size_t len;
	int rc = certify(i->directory, i->share, i->host, CERTIFY_KMSD, &host, f);

	if (rc == KMS_OK)
		rc = certify(i->directory, i->share, i->host, CERTIFY_ETCD, &etcd, f);
	if (rc == KMS_OK && (!share_path(authority, i->directory, SHARE_AUTHORITY) ||
				file_read(AT_FDCWD, authority, FILE_OURS, CERTIFY_PEM_MAX,
				    &in.texts[SHARE_AUTHORITY], &len) != KMS_OK))
		rc = fault_set(f, KMS_E_NOT_FOUND, "%s: cannot be read", authority);
	if (rc == KMS_OK) {
		snprintf(in.share, sizeof(in.share), "%s", i->share);
		snprintf(in.host, sizeof(in.host), "%s", i->host);
		others(&in.members, i);
		in.texts[SHARE_HOST] = host.certificate;
		in.texts[SHARE_HOST_KEY] = host.key;
		in.texts[SHARE_ETCD] = etcd.certificate;
		in.texts[SHARE_ETCD_KEY] = etcd.key;
		host = etcd = (struct certified){ 0 };
		text = i->witness ? witness_text(&in) : invitation_text(&in);
		rc = text != NULL ? share_write(i->path, text, 0600, NULL, f)
				  : fault_set(f, KMS_E_NO_MEMORY, NULL);
	}
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	invitation_free(&in);
	certified_free(&host);
	certified_free(&etcd);
	if (rc == KMS_OK && ini_edit_changes(&i->ini))
		rc = ini_edit_write(&i->ini, f);
	return rc;
}

void
share_invite_free(struct share_invite *i)
{
	ini_edit_free(&i->ini);
}
