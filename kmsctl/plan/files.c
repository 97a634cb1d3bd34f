/*
 * files.c - the directories, with their modes and owners, and what lies in the state directory.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/plan/plan.h"
#include "libkms/kms_error.h"

enum { CONFIG_DIRECTORY, STATE_DIRECTORY, INI_FILE, STATE_FILES };

/* What a directory, or the ini file, should be; owner NULL: root. */
struct wanted {
	const char *path;
	const char *owner;
	mode_t mode; /* of one that is made */
	mode_t forbidden; /* bits that one that is there may not have */
};

static struct wanted
wanted(const struct plan *p, int tag)
{
	const struct config *c = &p->ctl->config;

	switch (tag) {
	case CONFIG_DIRECTORY:
		return (struct wanted){ KMS_SYSCONFDIR "/kms", NULL, 0755, 022 };
	case INI_FILE:
		return (struct wanted){ KMS_SYSCONFDIR "/kms/kms.ini", NULL, 0644, 022 };
	default:
		return (struct wanted){ c->state_directory, c->activate_user, 0700, 077 };
	}
}

/* The owner's ids; false: there is no such user yet, which is another aspect's difference. */
static bool
owner(const struct plan *p, const char *name, unsigned *uid, unsigned *gid)
{
	*uid = *gid = 0;
	return name == NULL || plan_user(p, name, uid, gid);
}

static void
look(struct plan *p, int tag, const char *why)
{
	struct wanted w = wanted(p, tag);
	struct difference *d;
	unsigned uid, gid;
	char path[512];
	struct stat st;
	bool known = owner(p, w.owner, &uid, &gid);

	if (!plan_path(p, path, w.path))
		return;
	if (lstat(path, &st) == -1) {
		if (errno == ENOENT && tag == INI_FILE)
			return; /* defaults are a configuration */
		d = plan_add(p, tag, why, "%s", w.path);
		snprintf(d->is, sizeof d->is, "%s", strerror(errno));
		snprintf(d->due, sizeof d->due, "made, mode %04o, owner %s", (unsigned)w.mode,
		    w.owner ? w.owner : "root");
	} else if ((tag == INI_FILE) != S_ISREG(st.st_mode) ||
		   (tag != INI_FILE && !S_ISDIR(st.st_mode))) {
		d = plan_add(p, tag, why, "%s", w.path);
		d->by_hand = true;
		snprintf(
		    d->is, sizeof d->is, "neither a link nor another kind of file is allowed here");
		snprintf(d->due, sizeof d->due, "rm or mv %.200s", w.path);
	} else if (!known || st.st_uid != uid || (st.st_mode & w.forbidden) != 0) {
		d = plan_add(p, tag, why, "%s", w.path);
		snprintf(d->is, sizeof d->is, "mode %04o, uid %u", (unsigned)st.st_mode & 07777,
		    st.st_uid);
		snprintf(d->due, sizeof d->due, "mode %04o, owner %s",
		    (unsigned)(st.st_mode & 07777 & ~w.forbidden), w.owner ? w.owner : "root");
	}
}

/* Files of the state directory that are not the activation user's: calls fn for each. KMS_OK or KMS_E_IO. */
static int
each_foreign(
    const struct plan *p, int (*fn)(const char *path, unsigned uid, unsigned gid), unsigned *count)
{
	const struct config *c = &p->ctl->config;
	char path[512], *const paths[] = { path, NULL };
	unsigned uid, gid;
	int e = KMS_OK;
	FTSENT *f;
	FTS *fts;

	*count = 0;
	if (!plan_user(p, c->activate_user, &uid, &gid) ||
	    !plan_path(p, path, c->state_directory) ||
	    (fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL)) == NULL)
		return KMS_OK;
	while (e == KMS_OK && (f = fts_read(fts)) != NULL) {
		if (f->fts_level == 0 || f->fts_info == FTS_DP || f->fts_statp == NULL ||
		    f->fts_info == FTS_NS || f->fts_statp->st_uid == uid)
			continue;
		++*count;
		if (fn != NULL)
			e = fn(f->fts_path, uid, gid);
	}
	fts_close(fts);
	return e;
}

static int
give(const char *path, unsigned uid, unsigned gid)
{
	return lchown(path, uid, gid) == 0 || errno == ENOENT ? KMS_OK : KMS_E_IO;
}

static int
inspect(struct plan *p, char why[512])
{
	struct difference *d;
	unsigned count;

	look(p, CONFIG_DIRECTORY, "kms.ini lies there");
	look(p, INI_FILE, "who can write it commands the appliance");
	look(p, STATE_DIRECTORY, "the ledger and the host's keys are kept there");
	each_foreign(p, NULL, &count);
	if (count > 0) {
		d = plan_add(p, STATE_FILES, "the activation process could not open them",
		    "%s: files in it", p->ctl->config.state_directory);
		snprintf(d->is, sizeof d->is, "%u belong to another user", count);
		snprintf(d->due, sizeof d->due, "given to %s", p->ctl->config.activate_user);
	}
	return KMS_OK;
}

/* Directories above it as well, as mkdir -p: root's, 0755. */
static int
make(const char *path, mode_t mode)
{
	char part[512];
	size_t i;

	for (i = 1; path[i] != '\0' && i < sizeof part; i++) {
		if (path[i] != '/')
			continue;
		snprintf(part, sizeof part, "%.*s", (int)i, path);
		if (mkdir(part, 0755) == 0 ? chmod(part, 0755) == -1 : errno != EEXIST)
			return -1;
	}
	return mkdir(path, mode);
}

static int
mend(struct plan *p, const struct difference *d, char why[512])
{
	struct wanted w = wanted(p, d->tag);
	unsigned uid, gid, count;
	char path[512];
	struct stat st;
	int fd = -1, rc = -1;

	if (d->tag == STATE_FILES)
		rc = each_foreign(p, give, &count) == KMS_OK ? 0 : -1;
	else if (!owner(p, w.owner, &uid, &gid) || !plan_path(p, path, w.path))
		errno = ENOENT;
	else if ((make(path, w.mode) == 0 || errno == EEXIST) &&
		 (fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) != -1 &&
		 fstat(fd, &st) == 0 && fchown(fd, uid, gid) == 0)
		rc = fchmod(fd, st.st_mode & 07777 & ~w.forbidden);
	if (rc == -1)
		snprintf(why, 512, "%s: %s", d->what, strerror(errno));
	if (fd != -1)
		close(fd);
	return rc == 0 ? KMS_OK : KMS_E_IO;
}

const struct aspect aspect_files = { .name = "files", .inspect = inspect, .mend = mend };
