/*
 * owned_tree.h - what lies below a directory that another user owns, for root: each file is
 * taken by descriptor and never by path, since the owner may put a link in a path's place at
 * any moment.
 */
#ifndef KMSCTL_PLAN_OWNED_TREE_H
#define KMSCTL_PLAN_OWNED_TREE_H

#include <stdbool.h>
#include <sys/types.h>

struct owned_tree {
	uid_t uid;
	gid_t gid;
	bool give;        /* else they are counted only */
	unsigned foreign; /* found that are another's */
	/* of them, files with a second name, which may be anywhere: left alone */
	unsigned linked;
};

/* Everything below dir (not dir itself) of the same file system. 0, or -1 with errno. */
int owned_tree_own(int dir, struct owned_tree *o);
/* name and everything below it is removed. 0 (also when it is not there), or -1 with errno. */
int owned_tree_remove(int dir, const char *name);

#endif
