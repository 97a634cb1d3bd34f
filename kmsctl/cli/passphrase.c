/*
 * passphrase.c - see passphrase.h. Uses /dev/tty and not standard input, so
 * that a file can be piped in and a script must say --passphrase-file.
 */
#include "kmsctl/cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "libkms/base/file.h"
#include "libkms/kms_error.h"

static void
say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	(void)n; /* a closed terminal shows in the next read */
}

/* Signals that would end or stop us while the terminal does not echo. */
static void
fill_signals(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(set, signals[i]);
}

/* A line into out, its length in *len. KMS_E_PASSPHRASE: a signal came, and still waits. */
static int
read_line(int tty, int signal_fd, char *out, size_t size, size_t *len)
{
	struct pollfd ready[] = { { .fd = tty, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN } };
	char c = '\0';

	for (*len = 0; c != '\n';) {
		if (poll(ready, 2, -1) < 0)
			return KMS_E_IO;
		if (ready[1].revents != 0)
			return KMS_E_PASSPHRASE;
		if (read(tty, &c, 1) != 1)
			return KMS_E_IO;
		if (c != '\n' && *len < size)
			out[(*len)++] = c;
	}
	if (*len == size)
		return KMS_E_TOO_LARGE;
	out[*len] = '\0';
	return KMS_OK;
}

static int
ask_unseen(int tty, int signal_fd, const char *prompt, char *out, size_t size)
{
	struct termios before, quiet;
	size_t len;
	int rc;

	if (tcgetattr(tty, &before) != 0)
		return KMS_E_ARGUMENT;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		return KMS_E_ARGUMENT;
	say(tty, prompt);
	rc = read_line(tty, signal_fd, out, size, &len);
	tcsetattr(tty, TCSAFLUSH, &before);
	say(tty, "\n");
	return rc;
}

/* Signals wait until the terminal echoes again, and then do what they always do. */
static int
ask(int tty, const char *prompt, char *out, size_t size)
{
	sigset_t held, before;
	int signal_fd, rc;

	fill_signals(&held);
	sigprocmask(SIG_BLOCK, &held, &before);
	signal_fd = signalfd(-1, &held, SFD_CLOEXEC);
	rc = signal_fd < 0 ? KMS_E_IO : ask_unseen(tty, signal_fd, prompt, out, size);
	if (signal_fd >= 0)
		close(signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static int
from_terminal(char *out, const char *prompt, bool twice)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	char *again = NULL;
	int rc;

	if (tty < 0)
		return KMS_E_ARGUMENT;
	rc = ask(tty, prompt, out, PASSPHRASE_MAX);
	if (rc == KMS_OK && twice) {
		again = sodium_malloc(PASSPHRASE_MAX + 1);
		rc = again == NULL ? KMS_E_NO_MEMORY
				   : ask(tty, "The same passphrase again: ", again, PASSPHRASE_MAX);
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
	int rc = file_read_into(AT_FDCWD, file, FILE_GIVEN, out, PASSPHRASE_MAX, &len);

	if (rc == KMS_OK) {
		out[len] = '\0';
		out[strcspn(out, "\r\n")] = '\0';
	}
	return rc;
}

int
passphrase_get(char **out, const char *file, bool twice)
{
	return passphrase_ask(out, "Passphrase of the publisher's key: ", file, twice);
}

int
passphrase_ask(char **out, const char *prompt, const char *file, bool twice)
{
	char *p = sodium_malloc(PASSPHRASE_MAX + 1);
	int rc;

	*out = NULL;
	if (p == NULL)
		return KMS_E_NO_MEMORY;
	rc = file != NULL ? from_file(p, file) : from_terminal(p, prompt, twice);
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
