/*
 * owned_tree.c - fts(3) and lchown(2) use paths: between the check and the change, a directory of
 * the path can become a link.
 */
#include "kmsctl/plan/owned_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 16 /* ours has three */

/* Names below dir; NULL with errno. Takes its own descriptor. */
static DIR *
list(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), saved;
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;

	if (d == NULL && fd != -1) {
		saved = errno;
		close(fd);
		errno = saved;
	}
	return d;
}

static bool
is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* fd is the file itself, whatever its name refers to by now. */
static int
own_one(int fd, const struct stat *st, struct owned_tree *o)
{
	if (st->st_uid == o->uid)
		return 0;
	o->foreign++;
	/*
	 * A second name of another user's file, possible where the kernel does not protect hard
	 * links.
	 */
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
		o->linked++;
		return 0;
	}
	return o->give ? fchownat(fd, "", o->uid, o->gid, AT_EMPTY_PATH) : 0;
}

static int
own_below(int dir, dev_t device, struct owned_tree *o, int depth)
{
	DIR *d = list(dir);
	struct dirent *e;
	struct stat st;
	int rc = 0, fd, sub;

	if (d == NULL)
		return -1;
	while (rc == 0 && (errno = 0, e = readdir(d)) != NULL) {
		if (is_dot(e->d_name))
			continue;
		fd = openat(dir, e->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd == -1 && errno == ENOENT)
			continue; /* gone since */
		if (fd == -1 || fstat(fd, &st) == -1) {
			rc = -1;
		} else if (st.st_dev == device) {
			rc = own_one(fd, &st, o);
			/* The directory behind the descriptor, not behind the name. */
			if (rc == 0 && S_ISDIR(st.st_mode) && depth > 0) {
				sub = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
				rc = sub != -1 ? own_below(sub, device, o, depth - 1) : -1;
				if (sub != -1)
					close(sub);
			}
		}
		if (fd != -1)
			close(fd);
	}
	closedir(d);
	return rc;
}

int
owned_tree_own(int dir, struct owned_tree *o)
{
	struct stat st;

	o->foreign = o->linked = 0;
	return fstat(dir, &st) == -1 ? -1 : own_below(dir, st.st_dev, o, DEPTH);
}

static int
remove_at(int dir, const char *name, int depth)
{
	int fd, rc = 0;
	struct dirent *e;
	DIR *d;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || depth == 0) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	d = list(fd);
	while (d != NULL && rc == 0 && (e = readdir(d)) != NULL)
		if (!is_dot(e->d_name))
			rc = remove_at(fd, e->d_name, depth - 1);
	if (d != NULL)
		closedir(d);
	close(fd);
	return rc == 0 && d != NULL ? unlinkat(dir, name, AT_REMOVEDIR) : -1;
}

int
owned_tree_remove(int dir, const char *name)
{
	return remove_at(dir, name, DEPTH);
}
