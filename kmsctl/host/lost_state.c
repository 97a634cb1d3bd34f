/*
 * lost_state.c - see lost_state.h.
 */
#include "kmsctl/host/lost_state.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsd/activate/identity_file.h"

#define NEW_HOST "for a NEW host, which each publisher must confirm, "

/* Is directory the path, or above it? Nobody needs to be told that / is there. */
static bool
holds(const char *directory, const char *path)
{
	size_t len = strlen(directory);

	return len > 1 && strncmp(path, directory, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

static bool
mounted(const char *directory)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent m;
	char line[2048];
	bool found = f == NULL; /* nobody can tell */

	while (!found && getmntent_r(f, &m, line, sizeof(line)) != NULL)
		found = strcmp(m.mnt_dir, directory) == 0;
	if (f != NULL)
		endmntent(f);
	return found;
}

/* A file system that /etc/fstab has for the path, and that is not mounted. */
static bool
unmounted(const char *path, char out[256])
{
	FILE *f = setmntent("/etc/fstab", "re");
	struct mntent m;
	char line[2048];
	bool found = false;

	if (f == NULL)
		return false;
	while (!found && getmntent_r(f, &m, line, sizeof(line)) != NULL)
		found = holds(m.mnt_dir, path) && !mounted(m.mnt_dir);
	if (found)
		snprintf(out, 256, "%s", m.mnt_dir);
	endmntent(f);
	return found;
}

/* What kmsd itself refuses to make a new identity beside. */
static bool
traces(const char *state)
{
	int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found;

	if (fd == -1)
		return false;
	found = identity_left_behind(fd) != NULL;
	close(fd);
	return found;
}

bool
lost_state(const struct ctl *ctl, const char *root, struct lost_state *out)
{
	const struct config *c = &ctl->config;
	char state[512], key[530], mark[512], mount[256];

	snprintf(state, sizeof(state), "%s%s", root, c->state_directory);
	snprintf(mark, sizeof(mark), "%s%s/host", root, c->runtime_directory);
	snprintf(out->path, sizeof(out->path), "%.255s/" IDENTITY_PATH, c->state_directory);
	snprintf(key, sizeof(key), "%s/" IDENTITY_PATH, state);
	if (faccessat(AT_FDCWD, key, F_OK, AT_EACCESS) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR))
		return false;
	if (root[0] == '\0' && unmounted(c->state_directory, mount)) {
		snprintf(out->is, sizeof(out->is), "missing: %.100s of /etc/fstab is not mounted",
		    mount);
		snprintf(out->due, sizeof(out->due), "mount %.100s, then run kmsctl apply", mount);
		return true;
	}
	if (access(mark, F_OK) == 0) {
		snprintf(out->is, sizeof(out->is),
		    "missing, and kmsd has served here since the machine started");
		snprintf(out->due, sizeof(out->due),
		    "mount the disk (findmnt) or restore keys/ from a backup; " NEW_HOST
		    "rm %.100s",
		    mark);
		return true;
	}
	snprintf(out->is, sizeof(out->is), "missing, and other files of this host are there");
	snprintf(out->due, sizeof(out->due),
	    "restore keys/ from a backup; " NEW_HOST "move everything out of %.100s",
	    c->state_directory);
	return traces(state);
}
