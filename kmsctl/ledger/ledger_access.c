/*
 * ledger_access.c - see ledger_access.h.
 */
#include "kmsctl/ledger/ledger_access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

/*
 * The ledger is read with its owner's rights, so that a malicious index that breaks its reader
 * gains nothing more. A program that continues as root afterwards can regain root's rights, and so
 * could an attacker.
 */
static bool
become(const struct ctl *ctl, const struct stat *owner)
{
	if (ctl->leave_root)
		return setgroups(0, NULL) == 0 &&
		       setresgid(owner->st_gid, owner->st_gid, owner->st_gid) == 0 &&
		       setresuid(owner->st_uid, owner->st_uid, owner->st_uid) == 0;
	return setegid(owner->st_gid) == 0 && seteuid(owner->st_uid) == 0;
}

/* Open it first: its owner may be unable to search the directories above. */
static int
open_state(struct ctl *ctl)
{
	int fd = open(ctl->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || geteuid() != 0)
		return fd;
	if ((fstatat(fd, "kmsdb", &st, AT_SYMLINK_NOFOLLOW) == 0 || fstat(fd, &st) == 0) &&
	    become(ctl, &st))
		return fd;
	ledger_access_close(NULL, fd);
	errno = EPERM;
	return -1;
}

bool
ledger_access_may(const struct ctl *ctl)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/kmsdb", ctl->config.state_directory);
	return geteuid() == 0 || faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) == 0 ||
	       errno != EACCES;
}

void
ledger_access_close(struct kmsdb *db, int fd)
{
	kmsdb_close(db);
	if (fd >= 0)
		close(fd);
	/* Both fail for a user who never was root and has nothing to restore. */
	if (getuid() == 0 && (seteuid(0) != 0 || setegid(getgid()) != 0))
		abort();
}

int
ledger_access_directory(struct ctl *ctl)
{
	int fd = open_state(ctl), error = errno;

	if (fd < 0)
		fail(ctl, (uint32_t)file_status(error), "%s: %s", ctl->config.state_directory,
		    strerror(error));
	return fd;
}

int
ledger_access_open(struct ctl *ctl, struct kmsdb **db, struct fault *fault)
{
	struct kmsdb_options opt = { .read_only = true, .map_size = ctl->config.map_size };
	int fd = open_state(ctl), e;

	*db = NULL;
	if (fd < 0)
		return fault_errno(fault, errno, "%s", ctl->config.state_directory);
	e = kmsdb_open(db, fd, &opt, fault);
	close(fd);
	if (e != KMS_OK)
		ledger_access_close(NULL, -1);
	return e;
}
