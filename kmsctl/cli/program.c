/*
 * program.c - runs another program with its three streams on pipes, bounded in time and in output.
 * Its standard input is fed while its output is read, so that neither waits for the other.
 */
#include "kmsctl/cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

struct stream {
	char *text;
	size_t len;
};

/* Only what is safe between fork and exec of a program with one thread. */
static void
become(const char *const argv[], int in, int out, int err)
{
	const char *path = getenv("PATH");
	char with_sbin[4096];

	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	if ((size_t)snprintf(with_sbin, sizeof(with_sbin), "%s:/usr/sbin:/sbin",
		path != NULL ? path : "/usr/bin:/bin") < sizeof(with_sbin))
		setenv("PATH", with_sbin, 1);
	setenv("LC_ALL", "C", 1);
	execvp(argv[0], (char *const *)argv);
	_exit(errno == ENOENT ? CHILD_NOT_THERE : 126);
}

/* False at the end of the stream. */
static bool
take(int fd, struct stream *s)
{
	char piece[4096];
	ssize_t n = read(fd, piece, sizeof(piece));
	size_t keep;

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	keep = (size_t)n < CHILD_SAYS - s->len ? (size_t)n : CHILD_SAYS - s->len;
	memcpy(s->text + s->len, piece, keep);
	s->len += keep;
	return true;
}

/* False when nothing is left to write, or nobody reads. */
static bool
give(int fd, const char **input, size_t *left)
{
	ssize_t n = *left > 0 ? write(fd, *input, *left) : 0;

	if (n > 0) {
		*input += n;
		*left -= (size_t)n;
	}
	return *left > 0 && (n >= 0 || errno == EAGAIN || errno == EINTR);
}

static void
stop(struct pollfd *p)
{
	close(p->fd);
	p->fd = -1;
}

/* fds: to its input, from its output, from its errors. */
static int
converse(struct pollfd fds[3], const char *input, struct stream says[2], long long until)
{
	size_t left = input != NULL ? strlen(input) : 0;
	long long wait;
	int i;

	if (left == 0)
		stop(&fds[0]);
	while (fds[1].fd >= 0 || fds[2].fd >= 0) {
		wait = until - clock_ms();
		if (wait <= 0)
			return KMS_E_TIMEOUT;
		if (poll(fds, 3, (int)wait) < 0 && errno != EINTR)
			return KMS_E_IO;
		if (fds[0].fd >= 0 && fds[0].revents != 0 && !give(fds[0].fd, &input, &left))
			stop(&fds[0]);
		for (i = 1; i < 3; i++)
			if (fds[i].fd >= 0 && fds[i].revents != 0 && !take(fds[i].fd, &says[i - 1]))
				stop(&fds[i]);
	}
	return KMS_OK;
}

/* It has closed its streams, but may still run for a while. */
static int
reap(pid_t pid, int rc, long long until, int *status)
{
	struct timespec moment = { .tv_nsec = 2000000 };
	pid_t got;

	if (rc != KMS_OK)
		kill(pid, SIGKILL);
	while ((got = waitpid(pid, status, rc == KMS_OK ? WNOHANG : 0)) == 0 ||
	       (got < 0 && errno == EINTR)) {
		if (got == 0 && clock_ms() > until) {
			kill(pid, SIGKILL);
			rc = KMS_E_TIMEOUT;
		}
		nanosleep(&moment, NULL);
	}
	return got == pid ? rc : KMS_E_IO;
}

int
child_run(struct child *c, const char *const argv[], const char *input, int timeout_ms)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } }, i, rc = KMS_E_IO, status = 0;
	long long until = clock_ms() + timeout_ms;
	struct stream says[2] = { { 0 }, { 0 } };
	struct pollfd fds[3];
	pid_t pid;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC) != 0)
			goto out;
	for (i = 0; i < 2; i++)
		if ((says[i].text = calloc(1, CHILD_SAYS + 1)) == NULL) {
			rc = KMS_E_NO_MEMORY;
			goto out;
		}
	pid = fork();
	if (pid < 0)
		goto out;
	if (pid == 0)
		become(argv, pipes[0][0], pipes[1][1], pipes[2][1]);
	for (i = 0; i < 3; i++) {
		close(pipes[i][i != 0]);
		fds[i] =
		    (struct pollfd){ .fd = pipes[i][i == 0], .events = i == 0 ? POLLOUT : POLLIN };
		fcntl(fds[i].fd, F_SETFL, O_NONBLOCK);
		pipes[i][0] = pipes[i][1] = -1;
	}
	rc = reap(pid, converse(fds, input, says, until), until, &status);
	for (i = 0; i < 3; i++)
		if (fds[i].fd >= 0)
			close(fds[i].fd);
	c->exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	c->out = says[0].text;
	c->err = says[1].text;
	says[0].text = says[1].text = NULL;
out:
	for (i = 0; i < 6; i++)
		if (pipes[i / 2][i % 2] >= 0)
			close(pipes[i / 2][i % 2]);
	for (i = 0; i < 2; i++)
		free(says[i].text);
	if (rc != KMS_OK)
		child_free(c);
	return rc;
}

void
child_free(struct child *c)
{
	free(c->out);
	free(c->err);
	c->out = c->err = NULL;
}
