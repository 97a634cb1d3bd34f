/*
 * pager.c - see pager.h.
 */
#include "kmsctl/cli/pager.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Another user's rights, for one command maybe. */
static bool
borrowed_rights(void)
{
	return geteuid() != getuid() ||
	       (geteuid() == 0 && (getenv("SUDO_UID") != NULL || getenv("DOAS_USER") != NULL ||
				      getenv("PKEXEC_UID") != NULL));
}

/* NULL: less or more. */
static const char *
wanted(void)
{
	if (borrowed_rights())
		return NULL;
	return getenv("KMSCTL_PAGER") != NULL ? getenv("KMSCTL_PAGER") : getenv("PAGER");
}

/* The last resort, so that nothing is lost. */
static void
copy(void)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, piece, sizeof(piece))) > 0)
		for (ssize_t at = 0, w; at < n; at += w)
			if ((w = write(STDOUT_FILENO, piece + at, (size_t)(n - at))) < 0)
				_exit(1);
}

static _Noreturn void
be_pager(const char *command, int in)
{
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0)
		_exit(1);
	if (in != STDIN_FILENO)
		close(in);
	/* No pager for one screen; colours; the text stays. */
	setenv("LESS", "FRX", borrowed_rights());
	if (borrowed_rights()) {
		setenv("LESSSECURE", "1", 1);
		unsetenv("LESSOPEN");
		unsetenv("LESSCLOSE");
	}
	if (command != NULL)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	execlp("less", "less", (char *)NULL);
	if (!borrowed_rights()) /* it has no way to be told */
		execlp("more", "more", (char *)NULL);
	copy();
	_exit(0);
}

/* Standard output, and error, of a command that keeps running: to the pager. */
static void
redirect(int out)
{
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	if (isatty(STDERR_FILENO) == 1)
		dup2(out, STDERR_FILENO);
	close(out);
	/* At a key that interrupts, the pager decides; this program ends when it does. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
}

pid_t
pager_begin(void)
{
	const char *command = wanted();
	int ends[2];
	pid_t pid;

	if (isatty(STDOUT_FILENO) != 1 ||
	    (command != NULL && (*command == '\0' || strcmp(command, "cat") == 0)) ||
	    pipe(ends) != 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		be_pager(command, ends[0]);
	}
	close(ends[0]);
	if (pid > 0)
		redirect(ends[1]);
	else
		close(ends[1]);
	return pid > 0 ? pid : 0;
}

void
pager_end(pid_t pid)
{
	if (pid == 0)
		return;
	fclose(stdout);
	close(STDERR_FILENO);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
