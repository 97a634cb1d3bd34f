/*
 * privilege.c - what a process gives up before it reads a stranger's byte: its uid, its root
 * directory, the network, core dumps and resources.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/common/confine.h"
#include "libkms/kms_error.h"

static int
limit(int resource, uint64_t value)
{
	struct rlimit l = { .rlim_cur = value, .rlim_max = value }, now;

	if (setrlimit(resource, &l) == 0)
		return KMS_OK;
	/* A plain user cannot raise the hard limit: use what there is. */
	if (errno != EPERM || getrlimit(resource, &now) == -1 || value <= now.rlim_max)
		return KMS_E_SANDBOX;
	l.rlim_cur = l.rlim_max = now.rlim_max;
	return setrlimit(resource, &l) == 0 ? KMS_OK : KMS_E_SANDBOX;
}

int
confine_no_core(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return KMS_E_SANDBOX;
	return limit(RLIMIT_CORE, 0);
}

int
confine_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? KMS_OK : KMS_E_SANDBOX;
}

int
confine_user(const char *user)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL) {
		if (errno == 0)
			errno = ENOENT;
		return KMS_E_SANDBOX;
	}
	return confine_user_ids(pw->pw_uid, pw->pw_gid);
}

int
confine_user_ids(unsigned uid, unsigned gid)
{
	if (uid == 0 || gid == 0) {
		errno = EINVAL;
		return KMS_E_SANDBOX;
	}
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return KMS_E_SANDBOX;
	/*
	 * Returning to the old user must be impossible (CVE-2000-0506: a drop that succeeded and
	 * did nothing).
	 */
	if (setuid(0) == 0 || getuid() != uid || geteuid() != uid || getgid() != gid ||
	    getgroups(0, NULL) != 0) {
		errno = EPERM;
		return KMS_E_SANDBOX;
	}
	return KMS_OK;
}

int
confine_chroot(const char *dir)
{
	if (chdir(dir) == -1 || chroot(".") == -1 || chdir("/") == -1)
		return KMS_E_SANDBOX;
	return KMS_OK;
}

int
confine_empty_root(const char *runtime_directory)
{
	char path[256];

	if ((size_t)snprintf(path, sizeof(path), "%s/empty", runtime_directory) >= sizeof(path))
		return KMS_E_SANDBOX;
	if (mkdir(path, 0555) == -1 && errno != EEXIST)
		return KMS_E_SANDBOX;
	return confine_chroot(path);
}

/* Does this namespace have no interface but lo? Unknown counts as no. */
static bool
no_interfaces(void)
{
	FILE *f = fopen("/proc/self/net/dev", "re");
	char line[256], name[32];
	unsigned others = 0, lo = 0;

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strchr(line, ':') != NULL && sscanf(line, " %31[^:]", name) == 1)
			*(strcmp(name, "lo") == 0 ? &lo : &others) += 1;
	fclose(f);
	return lo == 1 && others == 0;
}

int
confine_network_namespace(void)
{
	int saved;

	if (unshare(CLONE_NEWNET) == 0)
		return KMS_OK;
	/*
	 * A service manager that gave kmsd no network has already done this, and left no right to
	 * do it.
	 */
	saved = errno;
	if (no_interfaces())
		return KMS_OK;
	errno = saved;
	return KMS_E_SANDBOX;
}

/* A log that goes to a regular file would be lost with the first line. */
static bool
log_is_a_file(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

int
confine_rlimits(const struct confine_rlimits *l)
{
	int rc;

	rc = limit(RLIMIT_NOFILE, l->files);
	if (rc == KMS_OK)
		rc = limit(RLIMIT_CORE, 0);
	if (rc == KMS_OK && l->processes != UINT64_MAX)
		rc = limit(RLIMIT_NPROC, l->processes);
	if (rc == KMS_OK && l->memlock > 0)
		rc = limit(RLIMIT_MEMLOCK, l->memlock);
	/* The log may be longer than any limit already. */
	if (rc == KMS_OK && l->file_size > 0 && !log_is_a_file())
		rc = limit(RLIMIT_FSIZE, l->file_size == UINT64_MAX ? 0 : l->file_size);
	return rc;
}
