/*
 * subprocess.c - see subprocess.h: one loop watches signals, the end of the command among them, and
 * the library's descriptor.
 */
#include "libkms/os/subprocess.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct os_child {
	pid_t pid;       /* 0: not started, or ended */
	int status;      /* of waitpid, when it has ended */
	int ended;       /* a signal that ends us before there is a command; 0: none */
	int signals;     /* signalfd */
	sigset_t before; /* the mask that we were started with, and the command is */
	void (*sigpipe)(int);
};

/* All but those that are about this process's own mistakes, and those that the terminal stops it
 * with for reading and writing. */
struct os_child *
os_child_prepare(void (*sigpipe)(int))
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGABRT,
		SIGPIPE, SIGTTIN, SIGTTOU };
	struct os_child *c = calloc(1, sizeof(*c));
	sigset_t set;
	int error;

	if (c == NULL)
		return NULL;
	c->sigpipe = sigpipe;
	sigfillset(&set);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&set, own[i]);
	signal(SIGCHLD, SIG_DFL); /* a parent that ignores it would hide the command's end */
	if (sigprocmask(SIG_BLOCK, &set, &c->before) == 0 &&
	    (c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) >= 0)
		return c;
	error = errno;
	free(c);
	errno = error;
	return NULL;
}

void
os_child_close(struct os_child *c)
{
	if (c == NULL)
		return;
	close(c->signals);
	free(c);
}

/* As the first process of a container, this one has the children of others, too. */
static void
reap(struct os_child *c)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == c->pid) {
			c->pid = 0;
			c->status = status;
		}
}

static void
take_signal(struct os_child *c, const struct signalfd_siginfo *s)
{
	int number = (int)s->ssi_signo;
	/* The terminal tells its whole group, so the command has it already. */
	bool told = s->ssi_code == SI_KERNEL;

	if (number == SIGCHLD) {
		reap(c);
		return;
	}
	if (c->pid != 0 && !told)
		kill(c->pid, number);
	if (number == SIGTSTP)
		raise(SIGSTOP); /* for the shell that we are a job of */
	if (c->pid == 0 &&
	    (number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT))
		c->ended = number;
}

void
os_child_wait(struct os_child *c, int fd, int ms)
{
	struct pollfd fds[] = { { .fd = c->signals, .events = POLLIN },
		{ .fd = fd, .events = POLLIN } };
	struct signalfd_siginfo s;

	(void)poll(fds, 2, ms);
	while (read(c->signals, &s, sizeof(s)) == (ssize_t)sizeof(s))
		take_signal(c, &s);
}

static void
become(const struct os_child *c, char **args, os_child_failed *failed)
{
	signal(SIGPIPE, c->sigpipe);
	(void)sigprocmask(SIG_SETMASK, &c->before, NULL);
	execvp(args[0], args);
	_exit(failed(args[0], errno));
}

int
os_child_start(struct os_child *c, char **args, os_child_failed *failed)
{
	c->pid = fork();
	if (c->pid < 0) {
		c->pid = 0;
		return errno;
	}
	if (c->pid == 0)
		become(c, args, failed);
	return 0;
}

bool
os_child_runs(const struct os_child *c)
{
	return c->pid != 0;
}

int
os_child_exit(const struct os_child *c)
{
	return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

int
os_child_told_to_end(const struct os_child *c)
{
	return c->ended == 0 ? 0 : 128 + c->ended;
}
