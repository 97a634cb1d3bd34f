/*
 * files.c - the directories, with their modes and owners, and the files in the state directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/host/lost_state.h"
#include "kmsctl/plan/owned_tree.h"
#include "kmsctl/plan/plan.h"
#include "libkms/kms_error.h"

enum { CONFIG_DIRECTORY, STATE_DIRECTORY, INI_FILE, STATE_FILES };

/* What a directory, or the ini file, should be; owner NULL: root. */
struct wanted {
	const char *path;
	const char *owner;
	mode_t mode;      /* of a new one */
	mode_t forbidden; /* bits that an existing one must not have */
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

/* The owner's ids; false: there is no such user yet, which another aspect reports. */
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
		snprintf(d->is, sizeof(d->is), "%s", strerror(errno));
		snprintf(d->due, sizeof(d->due), "created, mode %04o, owner %s", (unsigned)w.mode,
		    w.owner ? w.owner : "root");
	} else if ((tag == INI_FILE) != S_ISREG(st.st_mode) ||
		   (tag != INI_FILE && !S_ISDIR(st.st_mode))) {
		d = plan_add(p, tag, why, "%s", w.path);
		d->by_hand = true;
		snprintf(
		    d->is, sizeof(d->is), "a link or another kind of file is not allowed here");
		snprintf(d->due, sizeof(d->due), "rm or mv %.200s", w.path);
	} else if (!known || st.st_uid != uid || (st.st_mode & w.forbidden) != 0) {
		d = plan_add(p, tag, why, "%s", w.path);
		snprintf(d->is, sizeof(d->is), "mode %04o, uid %u", (unsigned)st.st_mode & 07777,
		    st.st_uid);
		snprintf(d->due, sizeof(d->due), "mode %04o, owner %s",
		    (unsigned)(st.st_mode & 07777 & ~w.forbidden), w.owner ? w.owner : "root");
	}
}

/*
 * Counts the files of the state directory that do not belong to the activation user, or gives them
 * to it. 0, or -1 with errno.
 */
static int
foreign_files(const struct plan *p, struct owned_tree *o)
{
	char path[512];
	unsigned uid, gid;
	int dir, rc, saved;

	if (!plan_user(p, p->ctl->config.activate_user, &uid, &gid) ||
	    !plan_path(p, path, p->ctl->config.state_directory))
		return 0;
	o->uid = uid;
	o->gid = gid;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir == -1)
		return errno == ENOENT ? 0 : -1;
	rc = owned_tree_own(dir, o);
	saved = errno;
	close(dir);
	errno = saved;
	return rc;
}

static void
look_inside(struct plan *p)
{
	const char *state = p->ctl->config.state_directory;
	struct owned_tree o = { .give = false };
	struct difference *d;

	foreign_files(p, &o);
	if (o.foreign > o.linked) {
		d = plan_add(p, STATE_FILES, "the activation process could not open them",
		    "files in %s", state);
		snprintf(d->is, sizeof(d->is), "%u belong to another user", o.foreign - o.linked);
		snprintf(d->due, sizeof(d->due), "given to %s", p->ctl->config.activate_user);
	}
	if (o.linked > 0) {
		d = plan_add(p, STATE_FILES,
		    "the same file has other names elsewhere, and would get a new owner there, too",
		    "links in %s", state);
		d->by_hand = true;
		snprintf(d->is, sizeof(d->is),
		    "%u belong to another user and have more than one name", o.linked);
		snprintf(d->due, sizeof(d->due), "see find %.180s -type f -links +1", state);
	}
}

static bool
look_for_identity(struct plan *p)
{
	struct lost_state lost;
	struct difference *d;

	if (!lost_state(p->ctl, p->root, &lost))
		return false;
	d = plan_add(p, STATE_FILES, "kmsd would start as a new host", "%s", lost.path);
	d->by_hand = true;
	snprintf(d->is, sizeof(d->is), "%s", lost.is);
	snprintf(d->due, sizeof(d->due), "%s", lost.due);
	return true;
}

static int
inspect(struct plan *p, struct fault *f)
{
	look(p, CONFIG_DIRECTORY, "kms.ini is in it");
	look(p, INI_FILE, "anybody who can change it controls the appliance");
	/* Nothing is made where a disk should be: it would only hide what is missing. */
	if (look_for_identity(p))
		return KMS_OK;
	look(p, STATE_DIRECTORY, "the ledger and the host's keys are in it");
	look_inside(p);
	return KMS_OK;
}

/* Also makes missing parents, as mkdir -p does: owner root, mode 0755. */
static int
make(const char *path, mode_t mode)
{
	char part[512];
	size_t i;

	for (i = 1; path[i] != '\0' && i < sizeof(part); i++) {
		if (path[i] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, 0755) == 0 ? chmod(part, 0755) == -1 : errno != EEXIST)
			return -1;
	}
	return mkdir(path, mode);
}

static int
mend(struct plan *p, const struct difference *d, struct fault *f)
{
	struct wanted w = wanted(p, d->tag);
	struct owned_tree o = { .give = true };
	unsigned uid, gid;
	char path[512];
	struct stat st;
	int fd = -1, rc = -1;

	if (d->tag == STATE_FILES)
		rc = foreign_files(p, &o);
	else if (!owner(p, w.owner, &uid, &gid) || !plan_path(p, path, w.path))
		errno = ENOENT;
	else if ((make(path, w.mode) == 0 || errno == EEXIST) &&
		 (fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) != -1 &&
		 fstat(fd, &st) == 0 && fchown(fd, uid, gid) == 0)
		rc = fchmod(fd, st.st_mode & 07777 & ~w.forbidden);
	if (rc == -1)
		fault_set(f, KMS_E_IO, "%s: %s", d->what, strerror(errno));
	if (fd != -1)
		close(fd);
	return rc == 0 ? KMS_OK : KMS_E_IO;
}

const struct aspect aspect_files = { .name = "files", .inspect = inspect, .mend = mend };
