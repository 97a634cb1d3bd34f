/*
 * plan.c - what the aspects share: differences, paths and users below a root, running a program.
 */
#include "kmsctl/plan/plan.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/cli/program.h"
#include "libkms/base/hex.h"
#include "libkms/core/minisig.h"
#include "libkms/kms_error.h"

struct difference *
plan_add(struct plan *p, int tag, const char *why, const char *what_fmt, ...)
{
	struct difference *d =
	    &p->list[p->count < DIFFERENCES_MAX ? p->count++ : DIFFERENCES_MAX - 1];
	va_list ap;

	memset(d, 0, sizeof(*d));
	d->aspect = p->aspect;
	d->tag = tag;
	d->why = why;
	va_start(ap, what_fmt);
	vsnprintf(d->what, sizeof(d->what), what_fmt, ap);
	va_end(ap);
	return d;
}

bool
plan_path(const struct plan *p, char out[512], const char *path)
{
	return snprintf(out, 512, "%s%s", p->root, path) < 512;
}

bool
plan_user(const struct plan *p, const char *name, unsigned *uid, unsigned *gid)
{
	struct passwd *pw = NULL;
	char path[512];
	FILE *f;

	if (p->root[0] == '\0') {
		pw = getpwnam(name);
	} else if (plan_path(p, path, "/etc/passwd") && (f = fopen(path, "re")) != NULL) {
		while ((pw = fgetpwent(f)) != NULL && strcmp(pw->pw_name, name) != 0)
			;
		fclose(f);
	}
	if (pw == NULL)
		return false;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return true;
}

bool
plan_group(const struct plan *p, const char *name)
{
	struct group *gr = NULL;
	char path[512];
	FILE *f;

	if (p->root[0] == '\0')
		return getgrnam(name) != NULL;
	if (plan_path(p, path, "/etc/group") && (f = fopen(path, "re")) != NULL) {
		while ((gr = fgetgrent(f)) != NULL && strcmp(gr->gr_name, name) != 0)
			;
		fclose(f);
	}
	return gr != NULL;
}

int
plan_run(const struct plan *p, const char *const argv[], struct fault *f)
{
	struct child c;
	int rc = child_run(&c, argv, NULL, p->ctl->timeout_ms);

	if (rc != KMS_OK)
		return fault_set(f, rc, "%s: %s", argv[0],
		    rc == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)rc));
	if (c.exit == CHILD_NOT_THERE)
		rc = KMS_E_NOT_FOUND;
	else if (c.exit != 0)
		rc = KMS_E_IO;
	if (rc != KMS_OK)
		fault_set(f, rc, "%s %s: %.*s", argv[0], argv[1],
		    (int)strcspn(c.err[0] ? c.err : c.out, "\n"), c.err[0] ? c.err : c.out);
	child_free(&c);
	return rc;
}

bool
plan_knows(const struct reply *status, const struct config_publisher *publisher)
{
	const struct reply_row *row = NULL;
	struct minisig_key key;
	char id[17] = "";

	if (minisig_key_parse(&key, publisher->key) == KMS_OK)
		hex_format(id, key.id, 8);
	while ((row = reply_next(status, "publisher", row)) != NULL) {
		const char *name = reply_text(row, "name"), *theirs = reply_text(row, "id");

		if (name != NULL && theirs != NULL && strcmp(name, publisher->name) == 0 &&
		    strcmp(theirs, id) == 0)
			return true;
	}
	return false;
}

const struct config_publisher *
plan_unread(const struct reply *status, const struct config *c)
{
	uint64_t locked = 0;

	reply_number(reply_next(status, "service", NULL), "locked", &locked);
	for (unsigned i = 0; !locked && i < c->publisher_count; i++)
		if (!plan_knows(status, &c->publishers[i]))
			return &c->publishers[i];
	return NULL;
}

bool
plan_systemd(const struct plan *p)
{
	return p->root[0] != '\0' || access("/run/systemd/system", F_OK) == 0;
}
