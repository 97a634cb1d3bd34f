/*
 * pem_files.c - see pem_files.h.
 */
#include "kmsd/supervisor/pem_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsd/ipc/ipc.h"
#include "kmsd/supervisor/given_file.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define BEGIN "-----BEGIN "
#define CERTIFICATE BEGIN "CERTIFICATE-----"
#define PRIVATE_KEY "PRIVATE KEY-----"

struct pem {
	char bytes[IPC_SHARE_TLS_MAX];
	size_t len;
};

static bool
has(const struct pem *p, const char *words)
{
	return memmem(p->bytes, p->len, words, strlen(words)) != NULL;
}

/* A program without a terminal can ask nobody for a passphrase. */
static bool
is_encrypted(const struct pem *p)
{
	return has(p, BEGIN "ENCRYPTED " PRIVATE_KEY) || has(p, "Proc-Type: 4,ENCRYPTED");
}

static bool
check(const struct pem *p, const char *path, enum pem_kind kind, struct fault *why)
{
	if (kind == PEM_CERTIFICATES && !has(p, CERTIFICATE))
		fault_set(why, KMS_E_FORMAT,
		    "%s: not a PEM file with a certificate: no line in it says %s", path,
		    CERTIFICATE);
	else if (kind == PEM_KEY && is_encrypted(p))
		fault_set(why, KMS_E_FORMAT,
		    "%s: the private key has a passphrase, which kmsd cannot ask for: take it away with openssl pkey -in %s -out FILE",
		    path, path);
	else if (kind == PEM_KEY && (!has(p, BEGIN) || !has(p, PRIVATE_KEY)))
		fault_set(why, KMS_E_FORMAT,
		    "%s: not a PEM file with a private key: no line in it says " BEGIN PRIVATE_KEY,
		    path);
	return why->status == KMS_OK;
}

static void
set_mark(struct pem_mark *m, const struct stat *st)
{
	*m = (struct pem_mark){ .device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.changed = st->st_ctim.tv_sec,
		.changed_ns = st->st_ctim.tv_nsec };
}

static bool
read_all(struct pem *p, int fd, const char *path, struct fault *why)
{
	int rc = file_read_fd(fd, p->bytes, sizeof(p->bytes), &p->len);

	if (rc == KMS_E_TOO_LARGE)
		fault_set(why, rc, "%s: larger than %d bytes, which no such file needs", path,
		    IPC_SHARE_TLS_MAX);
	else if (rc != KMS_OK)
		fault_set(why, rc, "%s: %s", path, strerror(errno));
	return rc == KMS_OK;
}

static int
open_file(const char *path, enum pem_kind kind, struct pem_mark *mark, struct fault *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *wrong;
	struct stat st;

	if (fd == -1) {
		fault_set(why, file_status(errno), "%s: %s%s", path, strerror(errno),
		    errno == EACCES
			? ": give it and its directories to the user that starts kmsd, which has no rights to files of others"
			: "");
		return -1;
	}
	if ((wrong = given_objection(fd, kind == PEM_KEY)) == NULL && fstat(fd, &st) == -1)
		wrong = strerror(errno);
	if (wrong == NULL) {
		set_mark(mark, &st);
		return fd;
	}
	fault_set(why, KMS_E_DENIED, "%s: %s", path, wrong);
	close(fd);
	return -1;
}

int
pem_open(const char *path, enum pem_kind kind, struct pem_mark *mark, struct fault *why)
{
	struct pem *p;
	int fd, out = -1;

	*why = (struct fault){ 0 };
	*mark = (struct pem_mark){ 0 };
	if ((fd = open_file(path, kind, mark, why)) == -1)
		return -1;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		fault_set(why, KMS_E_NO_MEMORY, "%s: %s", path, kms_strerror(KMS_E_NO_MEMORY));
	else if (read_all(p, fd, path, why) && check(p, path, kind, why) &&
		 (out = ipc_memory_write("kms.pem", p->bytes, p->len)) == -1)
		fault_set(why, KMS_E_IO, "memfd_create: %s", strerror(errno));
	if (p != NULL)
		explicit_bzero(p, sizeof(*p));
	free(p);
	close(fd);
	return out;
}
