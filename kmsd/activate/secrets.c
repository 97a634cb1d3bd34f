/*
 * secrets.c - reads the passphrase and the machine file; kmsd itself knows only their descriptors.
 */
#include "kmsd/activate/secrets.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "kmsd/activate/identity_file.h"
#include "kmsd/common/log.h"
#include "kmsd/ipc/ipc.h"
#include "libkms/kms_error.h"

/* The first line with its end; more is not read. */
#define FILE_MAX (IDENTITY_PASSPHRASE_MAX + 2)

static int
read_file(uint8_t *out, size_t *len, int fd)
{
	ssize_t n;

	for (*len = 0; *len < FILE_MAX; *len += (size_t)n) {
		if ((n = read(fd, out + *len, FILE_MAX - *len)) == 0)
			break;
		if (n < 0 && errno != EINTR)
			return KMS_E_IO;
		if (n < 0)
			n = 0;
	}
	return KMS_OK;
}

/* The first line, without what editors add. */
static int
take_passphrase(struct secrets *s, const uint8_t *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] != '\n' && text[n] != '\r' && text[n] != 0)
		n++;
	if (n == 0 || n > IDENTITY_PASSPHRASE_MAX) {
		log_event(LOG_ERR, "passphrase-refused",
		    "the passphrase file from kms.ini is %s: its first line must have 1 to %d bytes",
		    n == 0 ? "empty" : "too long", IDENTITY_PASSPHRASE_MAX);
		return KMS_E_CONFIG;
	}
	sodium_free(s->passphrase);
	if ((s->passphrase = sodium_malloc(n)) == NULL)
		return KMS_E_NO_MEMORY;
	memcpy(s->passphrase, text, n);
	s->passphrase_len = n;
	sodium_mprotect_readonly(s->passphrase);
	return KMS_OK;
}

static int
take_machine(struct secrets *s, const uint8_t *text, size_t len)
{
	const size_t digits = 2 * IDENTITY_MACHINE_SECRET, head = strlen(IPC_MACHINE_HEAD);
	size_t got = 0;

	sodium_free(s->machine);
	if ((s->machine = sodium_malloc(IDENTITY_MACHINE_SECRET)) == NULL)
		return KMS_E_NO_MEMORY;
	if (len == head + digits + 1 && memcmp(text, IPC_MACHINE_HEAD, head) == 0 &&
	    text[len - 1] == '\n' &&
	    sodium_hex2bin(s->machine, IDENTITY_MACHINE_SECRET, (const char *)text + head, digits,
		NULL, &got, NULL) == 0 &&
	    got == IDENTITY_MACHINE_SECRET) {
		sodium_mprotect_noaccess(s->machine);
		return KMS_OK;
	}
	log_event(LOG_ERR, "machine-file-refused",
	    "[keys] machine_file is not a machine file made by kmsd, or it was changed: restore it");
	return KMS_E_CONFIG;
}

int
secrets_read(struct secrets *s, unsigned which, int fd)
{
	uint8_t *text;
	size_t len;
	int rc;

	if (fd < 0 || (which != IPC_SECRET_PASSPHRASE && which != IPC_SECRET_MACHINE))
		return KMS_E_PEER;
	if ((text = sodium_malloc(FILE_MAX)) == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = read_file(text, &len, fd)) == KMS_OK)
		rc = which == IPC_SECRET_MACHINE ? take_machine(s, text, len)
						 : take_passphrase(s, text, len);
	sodium_free(text);
	return rc;
}

void
secrets_forget_passphrase(struct secrets *s)
{
	sodium_free(s->passphrase);
	s->passphrase = NULL;
	s->passphrase_len = 0;
}

void
secrets_free(struct secrets *s)
{
	secrets_forget_passphrase(s);
	sodium_free(s->machine);
	s->machine = NULL;
}
