/*
 * passphrase.c - see passphrase.h. Uses /dev/tty and not standard input, so
 * that a file can be piped in and a script must say --passphrase-file.
 */
#include "kmsctl/issue/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "kmsctl/issue/file.h"
#include "libkms/kms_error.h"

static void
say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	(void)n; /* a terminal that is gone shows in the next read */
}

/* A line without echo; the terminal is put back whatever happens. */
static int
ask(int tty, const char *prompt, char *out, size_t size)
{
	struct termios before, quiet;
	size_t len = 0;
	ssize_t n = 0;
	char c;

	if (tcgetattr(tty, &before) != 0)
		return KMS_E_ARGUMENT;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		return KMS_E_ARGUMENT;
	say(tty, prompt);
	while ((n = read(tty, &c, 1)) == 1 && c != '\n')
		if (len < size)
			out[len++] = c;
	tcsetattr(tty, TCSAFLUSH, &before);
	say(tty, "\n");
	sodium_memzero(&c, sizeof(c));
	if (n < 0)
		return KMS_E_IO;
	if (len == size)
		return KMS_E_TOO_LARGE;
	out[len] = '\0';
	return KMS_OK;
}

static int
from_terminal(char *out, bool twice)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	char *again = NULL;
	int rc;

	if (tty < 0)
		return KMS_E_ARGUMENT;
	rc = ask(tty, "Passphrase of the publisher's key: ", out, PASSPHRASE_MAX);
	if (rc == KMS_OK && twice) {
		again = sodium_malloc(PASSPHRASE_MAX + 1);
		rc = again == NULL ? KMS_E_NO_MEMORY
				   : ask(tty, "The same once more: ", again, PASSPHRASE_MAX);
		if (rc == KMS_OK && strcmp(out, again) != 0)
			rc = KMS_E_PASSPHRASE;
	}
	sodium_free(again);
	close(tty);
	return rc;
}

static int
from_file(char *out, const char *file)
{
	size_t len;
	int rc = file_read_into(file, out, PASSPHRASE_MAX, &len);

	if (rc != KMS_OK)
		return rc;
	out[len] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return KMS_OK;
}

int
passphrase_get(char **out, const char *file, bool twice)
{
	char *p = sodium_malloc(PASSPHRASE_MAX + 1);
	int rc;

	*out = NULL;
	if (p == NULL)
		return KMS_E_NO_MEMORY;
	rc = file != NULL ? from_file(p, file) : from_terminal(p, twice);
	if (rc == KMS_OK && p[0] == '\0')
		rc = KMS_E_PASSPHRASE;
	if (rc != KMS_OK) {
		int saved = errno;

		sodium_free(p);
		errno = saved;
		return rc;
	}
	*out = p;
	return KMS_OK;
}
