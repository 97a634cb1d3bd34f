/*
 * directories.c - what must be there before a child can start: its user, the state and runtime
 * directories, the pid file that keeps a second kmsd out, the control socket and the port file.
 */
#include "kmsd/supervisor/directories.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/supervisor/child_user.h"
#include "kmsd/supervisor/listen.h"
#include "kmsd/supervisor/web.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define FAILED "start-failed"
#define RUNTIME_HOST "host"

static int
find_user(const struct supervisor *s, const char *name, unsigned *uid, unsigned *gid)
{
	struct passwd *pw = getpwnam(name);

	if (pw != NULL) {
		*uid = pw->pw_uid;
		*gid = pw->pw_gid;
		return KMS_OK;
	}
	if (user_may_be_missing(s)) {
		log_event(LOG_WARNING, "sandbox-missing",
		    "there is no user %s: the process keeps the user that started kmsd", name);
		return KMS_OK;
	}
	log_event(LOG_ERR, FAILED,
	    "there is no user %s: create it with \"systemd-sysusers kms.conf\" (kms.conf is in kmsd's etc/ folder) or \"useradd --system --shell /usr/sbin/nologin %s\"",
	    name, name);
	return KMS_E_NOT_FOUND;
}

int
prepare_users(struct supervisor *s)
{
	unsigned uid, gid;
	int rc;

	s->activate_uid = geteuid();
	s->activate_gid = getegid();
	if (geteuid() != 0)
		return KMS_OK;
	rc = find_user(s, s->config.activate_user, &s->activate_uid, &s->activate_gid);
	if (rc == KMS_OK)
		rc = find_user(s, s->config.front_user, &uid, &gid);
	return rc;
}

/*
 * Makes the directory path, or checks it: refused when others can write to it or it belongs to
 * another user.
 */
static int
make_directory(const char *path, mode_t mode, unsigned uid, unsigned gid)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		if (chmod(path, mode) == 0 && (geteuid() != 0 || chown(path, uid, gid) == 0))
			return KMS_OK;
		log_event(LOG_ERR, FAILED, "%s: %s", path, strerror(errno));
		return KMS_E_IO;
	}
	if (errno != EEXIST || lstat(path, &st) == -1) {
		log_event(
		    LOG_ERR, FAILED, "cannot create the directory %s: %s", path, strerror(errno));
		return KMS_E_IO;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_event(LOG_ERR, FAILED, "%s is not a directory", path);
		return KMS_E_IO;
	}
	if (st.st_uid != uid) {
		log_event(LOG_ERR, FAILED,
		    "%s belongs to uid %u, not to uid %u: run kmsctl apply and start kmsd as root, or set another directory in kms.ini",
		    path, st.st_uid, uid);
		return KMS_E_DENIED;
	}
	if ((st.st_mode & S_IWOTH) != 0 || ((st.st_mode & S_IWGRP) != 0 && st.st_gid != gid)) {
		log_event(LOG_ERR, FAILED, "%s can be written by others: chmod %o it", path, mode);
		return KMS_E_DENIED;
	}
	return KMS_OK;
}

/* name in the runtime directory. */
static void
runtime_path(const struct supervisor *s, const char *name, char *out, size_t size)
{
	snprintf(out, size, "%s/%s", s->config.runtime_directory, name);
}

/* The lock lasts as long as this process; the text of an earlier kmsd is overwritten. */
static int
open_pid_file(struct supervisor *s)
{
	char path[256], text[32];
	int n;

	runtime_path(s, "kmsd.pid", path, sizeof(path));
	s->pid_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (s->pid_file == -1) {
		log_event(LOG_ERR, FAILED, "%s: %s", path, strerror(errno));
		return KMS_E_IO;
	}
	if (flock(s->pid_file, LOCK_EX | LOCK_NB) == -1) {
		log_event(LOG_ERR, FAILED,
		    "another kmsd uses this runtime directory: its process id is in %s", path);
		close(s->pid_file);
		s->pid_file = -1;
		return KMS_E_EXISTS;
	}
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (fchmod(s->pid_file, 0644) == -1 || ftruncate(s->pid_file, 0) == -1 ||
	    write(s->pid_file, text, (size_t)n) != n) {
		log_event(LOG_ERR, FAILED, "%s: %s", path, strerror(errno));
		return KMS_E_IO;
	}
	return KMS_OK;
}

static int
find_group(const char *key, const char *name, gid_t *gid)
{
	struct group *gr;

	if (name[0] == '\0')
		return KMS_OK;
	gr = getgrnam(name);
	if (gr == NULL) {
		log_event(LOG_ERR, FAILED,
		    "there is no group %s: create it with groupadd --system, or change %s", name,
		    key);
		return KMS_E_NOT_FOUND;
	}
	*gid = gr->gr_gid;
	return KMS_OK;
}

/*
 * A file has one group. With two, everybody may connect, and the activation process, which asks
 * the kernel who it is in any case, turns all others away at once.
 */
static int
control_owner(const struct supervisor *s, gid_t *gid, mode_t *mode)
{
	const struct config *c = &s->config;

	*gid = s->activate_gid;
	*mode = c->control_group[0] != '\0' && c->monitor_group[0] != '\0' ? 0666 : 0660;
	if (find_group("monitor_group", c->monitor_group, gid) != KMS_OK)
		return KMS_E_NOT_FOUND;
	return find_group("control_group", c->control_group, gid);
}

static int
open_control(struct supervisor *s)
{
	uid_t uid = s->activate_uid;
	char path[256];
	mode_t mode;
	gid_t gid;

	if (control_owner(s, &gid, &mode) != KMS_OK)
		return KMS_E_NOT_FOUND;
	if (gid == getegid() && uid == geteuid())
		uid = gid = (uid_t)-1;
	runtime_path(s, "control.sock", path, sizeof(path));
	s->control = listen_unix(path, uid, gid, mode, 16);
	if (s->control == -1) {
		log_event(LOG_ERR, FAILED, "control socket %s: %s", path, strerror(errno));
		return KMS_E_IO;
	}
	return KMS_OK;
}

/*
 * RUNTIME/host says that kmsd has served here. It outlives kmsd, but not the machine's uptime.
 * Without the identity, then, a disk is not mounted or was emptied, and a start would quietly make
 * a new host.
 */
static int
check_identity(const struct supervisor *s)
{
	char path[256];

	runtime_path(s, RUNTIME_HOST, path, sizeof(path));
	if (access(path, F_OK) == -1 || file_exists(s->state_dir, "keys/host.key"))
		return KMS_OK;
	log_event(LOG_CRIT, "host-lost",
	    "%s/keys/host.key is missing, and kmsd has served here since the machine started (%s): mount the disk of %s (findmnt shows what is mounted), or restore keys/ from a backup. Or, for a NEW host that each publisher must confirm: rm %s, then start kmsd",
	    s->config.state_directory, path, s->config.state_directory, path);
	return KMS_E_NOT_FOUND;
}

/* text: a line, without its end. */
static int
write_runtime(const struct supervisor *s, const char *name, const char *text)
{
	char path[256], line[300];
	int rc, n = snprintf(line, sizeof(line), "%s\n", text);

	runtime_path(s, name, path, sizeof(path));
	rc = file_write(AT_FDCWD, path, line, (size_t)n, 0644, true);
	if (rc != KMS_OK)
		log_event(LOG_ERR, FAILED, "%s: %s", path, strerror(errno));
	return rc;
}

int
prepare_directories(struct supervisor *s)
{
	char empty[256];
	int rc;

	runtime_path(s, "empty", empty, sizeof(empty));
	rc = make_directory(s->config.runtime_directory, 0755, geteuid(), getegid());
	if (rc == KMS_OK)
		rc = open_pid_file(s);
	if (rc == KMS_OK)
		rc = make_directory(empty, 0555, geteuid(), getegid());
	if (rc == KMS_OK)
		rc = make_directory(
		    s->config.state_directory, 0700, s->activate_uid, s->activate_gid);
	if (rc != KMS_OK)
		return rc;
	s->state_dir = open(s->config.state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->state_dir == -1) {
		log_event(LOG_ERR, FAILED, "%s: %s", s->config.state_directory, strerror(errno));
		return KMS_E_IO;
	}
	rc = check_identity(s);
	return rc == KMS_OK ? open_control(s) : rc;
}

int
write_port(const struct supervisor *s)
{
	char port[16];
	int rc;

	snprintf(port, sizeof(port), "%u", s->port);
	rc = write_runtime(s, "port", port);
	return rc == KMS_OK ? write_runtime(s, RUNTIME_HOST, s->config.state_directory) : rc;
}

void
remove_runtime_files(struct supervisor *s)
{
	static const char *const names[] = { "port", "port.new", "control.sock", WEB_SOCKET,
		"kmsd.pid" };
	char path[256];
	size_t i;

	/* Without the lock, they belong to another kmsd. */
	if (s->pid_file == -1)
		return;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		runtime_path(s, names[i], path, sizeof(path));
		unlink(path);
	}
	runtime_path(s, "empty", path, sizeof(path));
	rmdir(path);
}
