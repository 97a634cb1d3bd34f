/*
 * owned_tree.h - the files below a directory that another user owns, for root: each file is opened
 * and used by descriptor, never by path, because the owner may replace a path by a link at any
 * moment.
 */
#ifndef KMSCTL_PLAN_OWNED_TREE_H
#define KMSCTL_PLAN_OWNED_TREE_H

#include <stdbool.h>
#include <sys/types.h>

struct owned_tree {
	uid_t uid;
	gid_t gid;
	bool give;        /* otherwise they are only counted */
	unsigned foreign; /* found that belong to another user */
	/* of them, files with a second name, which may be anywhere: not changed */
	unsigned linked;
};

/* Everything below dir (not dir itself) of the same file system. 0, or -1 with errno. */
int owned_tree_own(int dir, struct owned_tree *o);
/* name and everything below it is removed. 0 (also when it is not there), or -1 with errno. */
int owned_tree_remove(int dir, const char *name);

#endif
