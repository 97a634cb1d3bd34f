/*
 * secret_files.c - opens the files that unlock the host's keys, for the activation process to read.
 * kmsd itself reads none of them; it makes the machine file when there is none, and forgets its
 * contents.
 */
#include "kmsd/supervisor/secret_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/ipc/ipc.h"
#include "kmsd/supervisor/given_file.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

#define MACHINE_SECRET 32

static int
failed(const char *key, const char *path, const char *why)
{
	log_event(LOG_ERR, "start-failed", "[keys] %s: %s: %s", key, path, why);
	return KMS_E_CONFIG;
}

static int
open_one(struct supervisor *s, enum ipc_secret which, const char *key, const char *path)
{
	bool credential = strcmp(key, "passphrase_credential") == 0;
	const char *why;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd == -1)
		return failed(key, path, strerror(errno));
	/* systemd protects credentials itself. */
	if ((why = given_objection(fd, !credential)) != NULL) {
		close(fd);
		return failed(key, path, why);
	}
	s->secrets[which] = fd;
	return KMS_OK;
}

static int
open_passphrase(struct supervisor *s)
{
	const char *name = s->config.passphrase_credential;
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];

	if (s->config.passphrase_file[0] != '\0')
		return open_one(
		    s, IPC_SECRET_PASSPHRASE, "passphrase_file", s->config.passphrase_file);
	if (name[0] == '\0')
		return KMS_OK;
	if (directory == NULL)
		return failed("passphrase_credential", name,
		    "systemd gave no credentials: add LoadCredential= or LoadCredentialEncrypted= to the unit");
	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return failed("passphrase_credential", name, "the path is too long");
	return open_one(s, IPC_SECRET_PASSPHRASE, "passphrase_credential", path);
}

/* A copy of the state directory must not contain what unlocks it. The directories exist by now. */
static bool
inside_state(const struct supervisor *s, const char *directory)
{
	char state[PATH_MAX], real[PATH_MAX];
	size_t len;

	if (realpath(s->config.state_directory, state) == NULL || realpath(directory, real) == NULL)
		return false;
	len = strlen(state);
	return strncmp(real, state, len) == 0 && (real[len] == '/' || real[len] == '\0');
}

static bool
make_text(char *text, size_t size)
{
	uint8_t secret[MACHINE_SECRET];
	size_t at;

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return false;
	at = (size_t)snprintf(text, size, "%s", IPC_MACHINE_HEAD);
	hex_format(text + at, secret, sizeof(secret));
	at += 2 * sizeof(secret);
	text[at++] = '\n';
	text[at] = '\0';
	explicit_bzero(secret, sizeof(secret));
	return true;
}

/* Completely or not at all, and never over an existing file. */
static int
make_machine_file(const char *path)
{
	char text[sizeof(IPC_MACHINE_HEAD) + 2 * MACHINE_SECRET + 2];
	int rc = KMS_E_IO;

	if (make_text(text, sizeof(text)))
		rc = file_write(AT_FDCWD, path, text, strlen(text), 0600, false);
	explicit_bzero(text, sizeof(text));
	if (rc != KMS_OK) {
		failed("machine_file", path, strerror(errno));
		return rc;
	}
	log_event(LOG_NOTICE, "machine-file-made",
	    "%s: keys bound to this file (kmsctl key seal --machine) open only on this machine",
	    path);
	return KMS_OK;
}

static int
open_machine(struct supervisor *s)
{
	const char *path = s->config.machine_file;
	char directory[256];
	int rc = KMS_OK;

	if (path[0] == '\0')
		return KMS_OK;
	snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(path, '/') - path), path);
	if (directory[0] == '\0')
		strcpy(directory, "/");
	if (inside_state(s, directory))
		return failed("machine_file", path,
		    "is in the state directory, so that a copy of the directory would open the keys: use a file elsewhere");
	if (access(directory, X_OK) == -1)
		return failed("machine_file", directory, strerror(errno));
	if (!file_exists(AT_FDCWD, path))
		rc = make_machine_file(path);
	return rc == KMS_OK ? open_one(s, IPC_SECRET_MACHINE, "machine_file", path) : rc;
}

int
open_secrets(struct supervisor *s)
{
	int rc = open_passphrase(s);

	return rc == KMS_OK ? open_machine(s) : rc;
}
