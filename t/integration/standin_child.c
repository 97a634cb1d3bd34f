/*
 * standin_child.c - a stand-in for kmsd-front or kmsd-activate that speaks only the PARENT
 * protocol, for the supervisor's tests. Which of the two it is follows from its name; how it
 * behaves from the file NAME.mode beside it; what it was given goes as lines to children.log
 * beside it.
 *
 * A front answers every connection with its index and process id and closes it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kmsd/ipc/ipc.h"
#include "libkms/kms_error.h"
#include "t/lib/untraced.h"

#define LISTENERS 8

extern char **environ;

struct child {
	char path[512]; /* our own executable */
	const char *name;
	char mode[32];
	int index;
	int log;
	int listeners[LISTENERS];
	unsigned count;
	bool started;
};

__attribute__((format(printf, 2, 3))) static void
note(const struct child *c, const char *fmt, ...)
{
	char text[256], line[320];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(line, sizeof(line), "%s %d %s\n", c->name, c->index, text);
	if (write(c->log, line, (size_t)n) != n)
		_exit(99);
}

static void
beside(const struct child *c, const char *suffix, char *out, size_t size)
{
	snprintf(out, size, "%s%s", c->path, suffix);
}

static void
open_own_files(struct child *c)
{
	char path[600];
	ssize_t n = readlink("/proc/self/exe", c->path, sizeof(c->path) - 1);
	int fd;

	if (n <= 0)
		_exit(98);
	c->path[n] = '\0';
	c->name = strrchr(c->path, '/') + 1;
	beside(c, ".mode", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd != -1) {
		n = read(fd, c->mode, sizeof(c->mode) - 1);
		c->mode[n > 0 ? n : 0] = '\0';
		c->mode[strcspn(c->mode, "\n")] = '\0';
		close(fd);
	}
	snprintf(path, sizeof(path), "%.*s/children.log", (int)(c->name - c->path - 1), c->path);
	c->log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (c->log == -1)
		_exit(97);
}

/* What a child inherits, before it opens anything of its own. */
static void
note_inheritance(const struct child *c, const char *fds)
{
	unsigned i;

	note(c, "fds %s", fds);
	for (i = 0; environ[i] != NULL; i++)
		note(c, "environment %.100s", environ[i]);
}

static void
list_descriptors(char *out, size_t size)
{
	size_t used = 0;
	int fd;

	out[0] = '\0';
	for (fd = 0; fd < 256 && used < size; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			used +=
			    (size_t)snprintf(out + used, size - used, "%s%d", fd ? "," : "", fd);
}

static bool
is(const struct child *c, const char *mode)
{
	return strcmp(c->mode, mode) == 0;
}

static void
say(uint8_t verb, uint32_t value)
{
	ipc_parent_send(
	    IPC_PARENT_FD, &(struct ipc_parent){ .verb = verb, .value = value, .fd = -1 });
}

static void
note_text(const struct child *c, const char *what, int fd)
{
	char byte;
	struct stat st;

	if (fstat(fd, &st) == -1 || pread(fd, &byte, 1, 0) != 1)
		_exit(96);
	note(c, "%s %ld bytes, write %s", what, (long)st.st_size,
	    write(fd, "x", 1) == -1 && errno == EPERM ? "refused" : "POSSIBLE");
}

/* An owned kmsd-resolve: one host at the port that the ini file names, and two at others. */
static void
resolve(void)
{
	static const uint16_t ports[] = { 1700, 25, 1688 };
	struct ipc_upstreams list = { .count = 3, .whole = true };
	struct ipc_parent m = { .verb = IPC_RESOLVED };

	for (unsigned i = 0; i < list.count; i++) {
		struct ipc_upstream *u = &list.at[i];

		memcpy(u->address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
		u->port = ports[i];
		strcpy(u->name, "kms.example.test");
	}
	m.fd = ipc_upstreams_write(&list);
	exit(m.fd != -1 && ipc_parent_send(IPC_PARENT_FD, &m) == KMS_OK ? 0 : 1);
}

static void
begin(struct child *c)
{
	c->started = true;
	note(c, "start");
	if (strcmp(c->name, "kmsd-resolve") == 0)
		resolve();
	if (is(c, "never-ready"))
		return;
	if (is(c, "fail-sandbox")) {
		say(IPC_CHILD_FAILED, KMS_E_SANDBOX);
		exit(1);
	}
	if (is(c, "garbage"))
		say(77, 0);
	/* Seven seconds of a ledger that is read, which is longer than the test lets it be silent.
	 */
	for (int i = 0; is(c, "busy") && i < 35; i++) {
		say(IPC_CHILD_BUSY, 0);
		nanosleep(&(struct timespec){ .tv_nsec = 200 * 1000 * 1000 }, NULL);
	}
	/* Noted first: what follows from it may be noted by others before we run again. */
	note(c, "ready");
	say(IPC_CHILD_READY, 0x21);
	if (is(c, "die-always"))
		exit(7);
	if (is(c, "early-pong"))
		say(IPC_PONG, 0);
	if (is(c, "late-failure"))
		say(IPC_CHILD_FAILED, KMS_E_SANDBOX);
	if (is(c, "sigsys"))
		raise(SIGSYS);
}

static void
parent_says(struct child *c)
{
	struct ipc_parent m;
	int rc = ipc_parent_recv(IPC_PARENT_FD, &m);

	if (rc != KMS_OK) {
		note(c, "parent gone");
		exit(5);
	}
	switch (m.verb) {
	case IPC_CONFIG:
		note_text(c, "config", m.fd);
		break;
	case IPC_RELOAD:
		note_text(c, "reload", m.fd);
		if (is(c, "die-on-reload"))
			exit(3);
		break;
	case IPC_LISTEN:
		if (c->count < LISTENERS)
			c->listeners[c->count++] = m.fd;
		note(c, "listen %u", m.index);
		return;
	case IPC_STATE_DIR:
		note(c, "state-dir %s", faccessat(m.fd, ".", W_OK, 0) == 0 ? "writable" : "bad");
		break;
	case IPC_CONTROL:
		note(c, "control");
		break;
	case IPC_CHANNEL:
		if (strcmp(c->name, "kmsd-front") == 0)
			c->index = m.index;
		note(c, "channel %u", m.index);
		/* Kept open: its other end is with the peer. */
		return;
	case IPC_START:
		begin(c);
		break;
	case IPC_PING:
		if (is(c, "false-pong"))
			m.value++;
		if (!is(c, "silent"))
			say(IPC_PONG, m.value);
		break;
	case IPC_STOP:
		note(c, "stop");
		if (!is(c, "deaf")) {
			note(c, "exit");
			exit(0);
		}
		break;
	}
	if (m.fd >= 0)
		close(m.fd);
}

static void
answer(struct child *c, int listener)
{
	char path[600], text[64];
	int fd, n;

	beside(c, ".died", path, sizeof(path));
	/* Dies with the connection still in the backlog: the next front must find it there. */
	if (is(c, "die-once")) {
		fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		if (fd != -1)
			abort();
	}
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd == -1)
		return;
	n = snprintf(text, sizeof(text), "%d %ld\n", c->index, (long)getpid());
	if (write(fd, text, (size_t)n) != n)
		note(c, "client gone");
	close(fd);
}

int
main(int argc, char **argv)
{
	static struct child c = { .index = -1 };
	struct pollfd p[LISTENERS + 1];
	char fds[512];
	unsigned i;

	list_descriptors(fds, sizeof(fds));
	open_own_files(&c);
	note_inheritance(&c, fds);
	for (;;) {
		p[0] = (struct pollfd){ .fd = IPC_PARENT_FD, .events = POLLIN };
		for (i = 0; i < c.count; i++)
			p[1 + i] = (struct pollfd){ .fd = c.started ? c.listeners[i] : -1,
				.events = POLLIN };
		if (poll(p, 1 + c.count, -1) == -1)
			continue;
		if (p[0].revents != 0)
			parent_says(&c);
		for (i = 0; i < c.count; i++)
			if (p[1 + i].revents != 0)
				answer(&c, c.listeners[i]);
	}
}
