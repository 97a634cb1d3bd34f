/*
 * users.c - the users that the processes run as, and the group that may use kmsctl.
 */
#include <stdio.h>
#include <string.h>

#include "kmsctl/plan/plan.h"
#include "libkms/kms_error.h"

enum { USER, GROUP };

static void
want_user(struct plan *p, const char *name, const char *why)
{
	struct difference *d;
	unsigned uid, gid;

	if (plan_user(p, name, &uid, &gid))
		return;
	d = plan_add(p, USER, why, "%s", name);
	snprintf(d->is, sizeof(d->is), "no such user");
	snprintf(d->due, sizeof(d->due), "created as a system user without a home or a shell");
}

static void
want_group(struct plan *p, const char *name, const char *why)
{
	struct difference *d;

	if (name[0] == '\0' || plan_group(p, name))
		return;
	d = plan_add(p, GROUP, why, "%s", name);
	snprintf(d->is, sizeof(d->is), "no such group");
	snprintf(d->due, sizeof(d->due), "created as a system group");
}

static int
inspect(struct plan *p, struct fault *f)
{
	const struct config *c = &p->ctl->config;

	want_user(p, c->activate_user, "the activation process runs as this user");
	want_user(p, c->front_user, "the network processes run as this user");
	if (web_configured(c))
		want_user(
		    p, c->web_user, "the process for the web page and metrics runs as this user");
	if (share_configured(c))
		want_user(p, c->share_user, "the process that speaks to etcd runs as this user");
	want_group(p, c->control_group, "members of this group may use kmsctl");
	if (strcmp(c->monitor_group, c->control_group) != 0)
		want_group(p, c->monitor_group,
		    "members of this group may use the kmsctl commands that only show something");
	return KMS_OK;
}

/* systemd-sysusers where it exists, because it works below a root; useradd elsewhere. */
static int
mend(struct plan *p, const struct difference *d, struct fault *f)
{
	const char *below = p->root[0] != '\0' ? p->root : "/";
	const char *const useradd[] = { "useradd", "--prefix", below, "--system", "--user-group",
		"--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
		d->what, NULL };
	const char *const groupadd[] = { "groupadd", "--prefix", below, "--system", d->what, NULL };
	char root[520], line[400];
	const char *const sysusers[] = { "systemd-sysusers", root, "--inline", line, NULL };
	int rc;

	snprintf(root, sizeof(root), "--root=%s", below);
	snprintf(line, sizeof(line), d->tag == USER ? "u %s - \"kmsd\" -" : "g %s -", d->what);
	rc = plan_run(p, sysusers, f);
	if (rc != KMS_E_NOT_FOUND)
		return rc;
	*f = (struct fault){ 0 };
	return plan_run(p, d->tag == USER ? useradd : groupadd, f);
}

const struct aspect aspect_users = { .name = "users", .inspect = inspect, .mend = mend };
