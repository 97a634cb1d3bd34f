/*
 * share.c - what this host's share needs of the machine: its files, the settings of its etcd, and
 * that etcd runs with them. What kmsctl share makes is made there; this keeps it as it was made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/plan/plan.h"
#include "kmsctl/setup/ini_edit.h"
#include "kmsctl/share/etcd_ask.h"
#include "kmsctl/share/etcd_settings.h"
#include "kmsctl/share/share_place.h"
#include "libkms/kms_error.h"

#define ETCD_OBJECT "/org/freedesktop/systemd1/unit/etcd_2eservice"

enum { FILES, SETTINGS, ETCD_ENABLED, ETCD_STARTED, ETCD_OLD, MEMBERS };

static void
directory_of(const struct config *c, char out[256])
{
	const char *slash = strrchr(c->share_authority, '/');

	snprintf(out, 256, "%.*s", slash == NULL ? 0 : (int)(slash - c->share_authority),
	    c->share_authority);
}

static void
missing(struct plan *p, int tag, const char *what, const char *is, const char *why)
{
	struct difference *d = plan_add(p, tag, why, "%s", what);

	d->by_hand = true;
	snprintf(d->is, sizeof(d->is), "%s", is);
	snprintf(d->due, sizeof(d->due),
	    "kmsctl share join FILE, with a file that kmsctl share invite wrote on another host of the share");
}

/* Of a file that may be missing: the authority's key is on one host alone. */
static void
look_at_file(struct plan *p, const char *directory, enum share_file file)
{
	const char *owner = share_file_owner(file);
	unsigned uid = 0, gid = 0;
	struct difference *d;
	char path[256], real[512];
	struct stat st;

	if (!share_path(path, directory, file) || !plan_path(p, real, path))
		return;
	if (lstat(real, &st) == -1) {
		if (file != SHARE_AUTHORITY_KEY)
			missing(p, FILES, path, strerror(errno),
			    "this host and etcd prove by it who they are");
		return;
	}
	if (owner != NULL && !plan_user(p, owner, &uid, &gid))
		return;
	if (st.st_uid == uid && (st.st_mode & (share_file_secret(file) ? 077u : 022u)) == 0)
		return;
	d = plan_add(p, FILES, "it decides who belongs to the share", "%s", path);
	snprintf(
	    d->is, sizeof(d->is), "mode %04o, uid %u", (unsigned)st.st_mode & 07777, st.st_uid);
	snprintf(d->due, sizeof(d->due), "mode %04o, owner %s",
	    share_file_secret(file) ? 0600u : 0644u, owner != NULL ? owner : "root");
}

static void
look_at_unit(struct plan *p)
{
	struct difference *d;
	char state[64];

	plan_enabled(p, ETCD_UNIT, state);
	if (strncmp(state, "enabled", 7) != 0 && strncmp(state, "alias", 5) != 0) {
		d = plan_add(p, ETCD_ENABLED, "the hosts of the share meet in it", ETCD_UNIT);
		snprintf(d->is, sizeof(d->is), "%s", state[0] ? state : "not installed");
		d->by_hand = strcmp(state, "disabled") != 0;
		snprintf(d->due, sizeof(d->due), "%s",
		    !d->by_hand                    ? "enabled"
		    : strcmp(state, "masked") == 0 ? "systemctl unmask " ETCD_UNIT
						   : "apt install etcd-server");
		if (d->by_hand)
			return;
	}
	if (p->root[0] != '\0')
		return;
	if (!plan_active(p, ETCD_UNIT)) {
		d = plan_add(p, ETCD_STARTED, "the hosts of the share meet in it", ETCD_UNIT);
		snprintf(d->is, sizeof(d->is), "not active");
		snprintf(d->due, sizeof(d->due), "started");
	} else if (plan_older(p, ETCD_SETTINGS, ETCD_OBJECT)) {
		d = plan_add(p, ETCD_OLD, "etcd reads its settings only when it starts", ETCD_UNIT);
		snprintf(d->is, sizeof(d->is), "started before " ETCD_SETTINGS " was changed");
		snprintf(d->due, sizeof(d->due), "restarted");
	}
}

/* A host may leave etcd to other machines: then the settings are not this share's. */
static bool
has_etcd(const struct plan *p, const char *directory)
{
	char path[256], real[512];

	return share_path(path, directory, SHARE_ETCD) && plan_path(p, real, path) &&
	       access(real, F_OK) == 0;
}

/*
 * Those of kms.ini and those that etcd has and kms.ini lacks; how many these are. 0, too, when no
 * member says: kmsctl share check finds out why.
 */
static unsigned
all_members(const struct plan *p, struct config_endpoints *all, char example[DNS_NAME])
{
	const struct config *c = &p->ctl->config;
	char directory[256];
	struct etcd_asker a = { .directory = directory, .timeout_ms = 2000 };
	struct etcd_members members;
	const struct endpoint *used;
	struct fault f = { 0 };
	unsigned missing = 0;

	*all = c->share_members;
	directory_of(c, directory);
	if (p->root[0] != '\0' || access(c->share_key, R_OK) != 0 ||
	    etcd_members_ask(&members, &a, &c->share_members, &used, &f) != KMS_OK)
		return 0;
	for (unsigned i = 0; i < members.count; i++) {
		if (share_members_have(all, members.at[i].host) ||
		    !share_members_add(all, members.at[i].host))
			continue;
		if (missing++ == 0)
			snprintf(example, DNS_NAME, "%s", members.at[i].host);
	}
	return missing;
}

static void
look_at_members(struct plan *p)
{
	struct config_endpoints all;
	char example[DNS_NAME] = "";
	struct difference *d;
	unsigned missing = all_members(p, &all, example);

	if (missing == 0)
		return;
	d = plan_add(p, MEMBERS,
	    "kmsd asks every member that it knows, so that any of them may fail",
	    "[share] members");
	if (missing == 1)
		snprintf(d->is, sizeof(d->is), "%.100s is missing", example);
	else
		snprintf(
		    d->is, sizeof(d->is), "%.100s and %u more are missing", example, missing - 1);
	snprintf(d->due, sizeof(d->due), "added");
}

static int
mend_members(struct plan *p, struct fault *f)
{
	static struct config c; /* large */
	struct config_endpoints all;
	char example[DNS_NAME], directory[256];
	struct ini_edit e;
	int rc;

	directory_of(&p->ctl->config, directory);
	(void)all_members(p, &all, example);
	rc = ini_edit_open(&e, p->ctl->config_path, f);
	if (rc == KMS_OK)
		rc = share_ini(&e, directory, p->ctl->config.share_name, &all, &c, f);
	if (rc == KMS_OK && ini_edit_changes(&e))
		rc = ini_edit_write(&e, f);
	/* What comes next looks at the new one. */
	if (rc == KMS_OK)
		p->ctl->config = c;
	ini_edit_free(&e);
	return rc;
}

static int
inspect(struct plan *p, struct fault *f)
{
	const struct config *c = &p->ctl->config;
	enum etcd_settings_kind kind;
	char directory[256];
	int rc;

	if (!share_configured(c))
		return KMS_OK;
	directory_of(c, directory);
	for (enum share_file i = 0; i < SHARE_FILES; i++)
		if ((i != SHARE_ETCD && i != SHARE_ETCD_KEY) || has_etcd(p, directory))
			look_at_file(p, directory, i);
	look_at_members(p);
	if (!has_etcd(p, directory))
		return KMS_OK;
	if ((rc = etcd_settings_look(&kind, p->root, c->share_name, f)) != KMS_OK)
		return rc;
	if (kind != ETCD_SETTINGS_SHARE)
		missing(p, SETTINGS, ETCD_SETTINGS,
		    kind == ETCD_SETTINGS_NONE ? "has no settings" : "has other settings",
		    "this host's member of the share's etcd reads them");
	else if (plan_systemd(p))
		look_at_unit(p);
	return KMS_OK;
}

/* The files' directory is root's, and so is each path in it. */
static int
mend_file(const struct plan *p, const struct difference *d, struct fault *f)
{
	char directory[256], path[256], real[512];
	unsigned uid = 0, gid = 0;
	int fd, rc = KMS_OK;

	directory_of(&p->ctl->config, directory);
	for (enum share_file i = 0; i < SHARE_FILES; i++) {
		const char *owner = share_file_owner(i);

		if (!share_path(path, directory, i) || strcmp(path, d->what) != 0 ||
		    !plan_path(p, real, path))
			continue;
		if (owner != NULL && !plan_user(p, owner, &uid, &gid))
			return fault_set(f, KMS_E_NOT_FOUND, "there is no user %s", owner);
		fd = open(real, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd == -1 || fchown(fd, uid, gid) != 0 ||
		    fchmod(fd, share_file_secret(i) ? 0600 : 0644) != 0)
			rc = fault_errno(f, errno, "%s", path);
		if (fd != -1)
			close(fd);
	}
	return rc;
}

static int
mend(struct plan *p, const struct difference *d, struct fault *f)
{
	char root[520];
	const char *const enable[] = { "systemctl", root, "enable", ETCD_UNIT, NULL };
	const char *const restart[] = { "systemctl", "restart", ETCD_UNIT, NULL };
	const char *const reload[] = { "systemctl", "daemon-reload", NULL };
	int rc;

	snprintf(root, sizeof(root), "--root=%s", p->root[0] ? p->root : "/");
	if (d->tag == FILES)
		return mend_file(p, d, f);
	if (d->tag == MEMBERS)
		return mend_members(p, f);
	if (d->tag == ETCD_ENABLED)
		return plan_run(p, enable, f);
	rc = plan_run(p, reload, f);
	return rc == KMS_OK ? plan_run(p, restart, f) : rc;
}

const struct aspect aspect_share = { .name = "share", .inspect = inspect, .mend = mend };
