/*
 * ctl_files.c - files with their signatures, the state directory, the ledger.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/host/ctl.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/kms_error.h"
#include "policy/pack.h"

#define SIGNATURE_MAX 4096 /* octets of a .minisig file */

int
ctl_read_file(const char *path, size_t max, char **data, size_t *len)
{
	bool standard = strcmp(path, "-") == 0;
	/* A FIFO that nobody writes to is an empty file, not a wait. */
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = KMS_OK;
	ssize_t n = 1;

	*len = 0;
	*data = NULL;
	if (fd < 0)
		return errno == ENOENT   ? KMS_E_NOT_FOUND
		       : errno == EACCES ? KMS_E_DENIED
					 : KMS_E_IO;
	if (!standard)
		fcntl(fd, F_SETFL, 0);
	*data = malloc(max + 2);
	if (*data == NULL)
		rc = KMS_E_NO_MEMORY;
	while (rc == KMS_OK && n > 0 && *len <= max) {
		n = read(fd, *data + *len, max + 1 - *len);
		if (n > 0)
			*len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			rc = KMS_E_IO;
	}
	if (rc == KMS_OK && *len > max)
		rc = KMS_E_TOO_LARGE;
	if (!standard)
		close(fd);
	if (rc != KMS_OK) {
		free(*data);
		*data = NULL;
		return rc;
	}
	(*data)[*len] = '\0';
	return KMS_OK;
}

static int
file_problem(int rc, const char *path, const char *hint, char why[512])
{
	snprintf(why, 512, "%.400s: %s%s", path,
	    rc == KMS_E_IO          ? strerror(errno)
	    : rc == KMS_E_NOT_FOUND ? "no such file"
				    : kms_strerror((uint32_t)rc),
	    hint);
	return rc;
}

/* From standard input both come in one text: the signature begins at its untrusted comment. */
int
ctl_split_signed(struct ctl *ctl, const char *text, size_t len, struct control_buf *args)
{
	static const char mark[] = "untrusted comment:";
	const char *at = text;

	while (at != NULL && strncmp(at, mark, sizeof(mark) - 1) != 0) {
		at = strchr(at, '\n');
		at = at != NULL ? at + 1 : NULL;
	}
	if (at == NULL || at == text)
		return ctl_fail(ctl, KMS_E_SIGNATURE,
		    "standard input: the file and then its signature are due, in one text");
	control_octets(args, "file", text, (size_t)(at - text));
	control_octets(args, "signature", at, len - (size_t)(at - text));
	return CTL_OK;
}

int
ctl_read_signed_quietly(const char *path, struct control_buf *args, char why[512])
{
	char *file = NULL, *signature = NULL, name[4096];
	size_t len, signature_len;
	int rc = ctl_read_file(path, PACK_MAX, &file, &len);

	if (rc != KMS_OK)
		return file_problem(rc, path, "", why);
	snprintf(name, sizeof(name), "%s.minisig", path);
	rc = ctl_read_file(name, SIGNATURE_MAX, &signature, &signature_len);
	if (rc == KMS_OK) {
		control_octets(args, "file", file, len);
		control_octets(args, "signature", signature, signature_len);
	} else {
		file_problem(rc, name, ": the publisher's signature belongs beside the file", why);
	}
	free(file);
	free(signature);
	return rc;
}

int
ctl_read_signed(struct ctl *ctl, const char *path, struct control_buf *args)
{
	char *text, why[512] = "";
	size_t len;
	int rc, code;

	if (strcmp(path, "-") != 0) {
		rc = ctl_read_signed_quietly(path, args, why);
		return rc == KMS_OK ? CTL_OK : ctl_fail(ctl, (uint32_t)rc, "%s", why);
	}
	rc = ctl_read_file(path, PACK_MAX, &text, &len);
	if (rc != KMS_OK) {
		file_problem(rc, path, "", why);
		return ctl_fail(ctl, (uint32_t)rc, "%s", why);
	}
	code = ctl_split_signed(ctl, text, len, args);
	free(text);
	return code;
}

/* Written whole or not at all: beside it, then renamed. */
int
ctl_write_file(struct ctl *ctl, const char *path, const void *data, size_t len)
{
	char temporary[4096];
	ssize_t n = -1;
	int fd = -1, error;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) < sizeof(temporary))
		fd = mkstemp(temporary);
	if (fd >= 0 && fchmod(fd, 0644) == 0)
		n = write(fd, data, len);
	if (n == (ssize_t)len && fsync(fd) == 0 && rename(temporary, path) == 0) {
		close(fd);
		return CTL_OK;
	}
	error = n >= 0 && n < (ssize_t)len ? ENOSPC : errno;
	if (fd >= 0) {
		close(fd);
		unlink(temporary);
	}
	return ctl_fail(ctl,
	    error == ENOSPC   ? KMS_E_FULL
	    : error == EACCES ? KMS_E_DENIED
			      : KMS_E_IO,
	    "%s: cannot be written: %s", path, strerror(error));
}

/*
 * What the ledger's owner wrote is read with that owner's rights: an index that was made to break
 * its reader breaks into nothing else. Who goes on as root afterwards can take them back, and so
 * could whoever breaks in.
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

/* Open first: its owner need not be able to go through the folders above. */
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
	ctl_close(NULL, fd);
	errno = EPERM;
	return -1;
}

void
ctl_close(struct kmsdb *db, int fd)
{
	kmsdb_close(db);
	if (fd >= 0)
		close(fd);
	/* Both fail for those who never were root, and there is nothing to take back. */
	if (getuid() == 0 && (seteuid(0) != 0 || setegid(getgid()) != 0))
		abort();
}

int
ctl_state_directory(struct ctl *ctl)
{
	int fd = open_state(ctl), error = errno;

	if (fd < 0)
		ctl_fail(ctl,
		    error == ENOENT   ? KMS_E_NOT_FOUND
		    : error == EACCES ? KMS_E_DENIED
				      : KMS_E_IO,
		    "%s: %s", ctl->config.state_directory, strerror(error));
	return fd;
}

int
ctl_open_ledger(struct ctl *ctl, struct kmsdb **db, struct fault *fault)
{
	struct kmsdb_options opt = { .read_only = true, .map_size = ctl->config.map_size };
	int fd = open_state(ctl), e;

	*db = NULL;
	if (fd < 0)
		return fault_errno(fault, errno, "%s", ctl->config.state_directory);
	e = kmsdb_open(db, fd, &opt, fault);
	close(fd);
	if (e != KMS_OK)
		ctl_close(NULL, -1);
	return e;
}
