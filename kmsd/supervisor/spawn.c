/*
 * spawn.c - start a child with nothing but a PARENT channel, then hand it what it may have.
 *
 * A child inherits descriptors 0 to 3 and an environment of two or three names. Everything else of
 * ours is close-on-exec.
 */
#include "kmsd/supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/config_wire.h"
#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/ipc/ipc.h"
#include "libkms/kms_error.h"

#define CHANNEL_BUFFER (1024 * 1024)

static const char *const kept_environment[] = {
	"JOURNAL_STREAM",
	"TZ",
#ifdef KMS_SANITIZED
	"ASAN_OPTIONS",
	"UBSAN_OPTIONS",
	"LSAN_OPTIONS",
	"ASAN_SYMBOLIZER_PATH",
#endif
};
#define KEPT (sizeof(kept_environment) / sizeof(kept_environment[0]))

/* Pointers into one buffer of "NAME=value" strings; what does not fit is left out. */
static void
make_environment(char *buffer, size_t size, char *envp[KEPT + 1])
{
	size_t used = 0, i, count = 0;
	const char *value;
	int n;

	for (i = 0; i < KEPT; i++) {
		value = getenv(kept_environment[i]);
		if (value == NULL)
			continue;
		n = snprintf(buffer + used, size - used, "%s=%s", kept_environment[i], value);
		if (n < 0 || (size_t)n >= size - used)
			continue;
		envp[count++] = buffer + used;
		used += (size_t)n + 1;
	}
	envp[count] = NULL;
}

/*
 * Own process group: Ctrl-C on a terminal is for kmsd alone, which then ends its children in order.
 */
static int
spawn(const char *path, const char *program, int sock, pid_t *pid)
{
	char buffer[4096], *envp[KEPT + 1], *argv[] = { (char *)(uintptr_t)program, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	make_environment(buffer, sizeof(buffer), envp);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(
	    &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&files, sock, IPC_PARENT_FD);
	if (rc == 0)
		rc = posix_spawn(pid, path, &files, &attr, argv, envp);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

/* Never waits: a child that does not read is treated as hung, see child_send. */
static int
parent_channel(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return KMS_E_IO;
	return fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 ? KMS_OK : KMS_E_IO;
}

void
child_name(const struct child *c, char out[32])
{
	if (c->index < 0)
		snprintf(out, 32, "%s", c->program);
	else
		snprintf(out, 32, "%s %d", c->program, c->index);
}

int
spawn_child(struct supervisor *s, struct child *c)
{
	char path[512];
	int pair[2], rc;

	snprintf(path, sizeof(path), "%s/%s", s->libexec, c->program);
	if (parent_channel(pair) != KMS_OK) {
		log_event(LOG_ERR, "start-failed", "socketpair: %s", strerror(errno));
		return KMS_E_IO;
	}
	rc = spawn(path, c->program, pair[1], &c->pid);
	close(pair[1]);
	if (rc != 0) {
		close(pair[0]);
		c->pid = 0;
		log_event(LOG_ERR, "start-failed", "cannot run %s: %s%s", path, strerror(rc),
		    rc == ENOENT ? " (see libexec_directory, or option -L)" : "");
		return KMS_E_IO;
	}
	c->sock = pair[0];
	c->state = CHILD_STARTING;
	c->restart_at = 0;
	c->deadline = clock_ms() + (int64_t)s->start_timeout * 1000;
	log_event(LOG_DEBUG, "child-started", "%s, process %ld", path, (long)c->pid);
	return KMS_OK;
}

int
child_send(struct child *c, uint8_t verb, uint8_t index, int fd)
{
	const struct ipc_parent m = { .verb = verb, .index = index, .fd = fd };

	return child_tell(c, &m);
}

int
child_tell(struct child *c, const struct ipc_parent *m)
{
	if (c->sock == -1)
		return KMS_E_PEER;
	if (ipc_parent_send(c->sock, m) == KMS_OK)
		return KMS_OK;
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		log_event(LOG_ERR, "child-hung",
		    "%s, process %ld, does not read its channel: ending it", c->program,
		    (long)c->pid);
		kill(c->pid, SIGKILL);
	}
	/* Otherwise it has ended already and will be reaped. */
	return KMS_E_PEER;
}

int
send_config(struct supervisor *s, struct child *c, enum ipc_parent_verb verb)
{
	uint8_t bytes[CONFIG_WIRE_MAX];
	size_t len = config_encode(bytes, &s->config, c->reader);
	int fd = ipc_memory_write("kms.config", bytes, len), rc;

	if (fd == -1) {
		log_event(LOG_ERR, verb == IPC_CONFIG ? "start-failed" : "config-error",
		    "memfd_create: %s", strerror(errno));
		return KMS_E_IO;
	}
	rc = child_send(c, verb, 0, fd);
	close(fd);
	return rc;
}

/* Only once: the files are not needed again. */
static int
send_secrets(struct supervisor *s, struct child *c)
{
	int rc = KMS_OK;
	unsigned i;

	for (i = 0; i < 2; i++) {
		if (s->secrets[i] == -1)
			continue;
		if (rc == KMS_OK)
			rc = child_send(c, IPC_SECRET, (uint8_t)i, s->secrets[i]);
		close(s->secrets[i]);
		s->secrets[i] = -1;
	}
	return rc;
}

void
spawn_init(struct supervisor *s)
{
	s->resolver = (struct child){
		.program = "kmsd-resolve", .index = -1, .reader = CONFIG_RESOLVE, .sock = -1
	};
	s->activate = (struct child){
		.program = "kmsd-activate", .index = -1, .reader = CONFIG_ACTIVATE, .sock = -1
	};
	s->web =
	    (struct child){ .program = "kmsd-web", .index = -1, .reader = CONFIG_WEB, .sock = -1 };
	s->share = (struct child){
		.program = "kmsd-share", .index = -1, .reader = CONFIG_SHARE, .sock = -1
	};
	for (unsigned i = 0; i < CONFIG_FRONTS; i++)
		s->fronts[i] = (struct child){
			.program = "kmsd-front", .index = (int)i, .reader = CONFIG_FRONT, .sock = -1
		};
}

int
spawn_activate(struct supervisor *s)
{
	struct child *c = &s->activate;
	int rc = spawn_child(s, c);

	/* A child that dies meanwhile is noticed when it is reaped, not here. */
	if (rc == KMS_OK && send_config(s, c, IPC_CONFIG) == KMS_OK &&
	    send_secrets(s, c) == KMS_OK &&
	    child_send(c, IPC_STATE_DIR, 0, s->state_dir) == KMS_OK &&
	    child_send(c, IPC_CONTROL, 0, s->control) == KMS_OK)
		child_send(c, IPC_START, 0, -1);
	return rc;
}

/* The FRONT channel: one end to each. */
static int
connect_front(struct supervisor *s, struct child *c)
{
	int pair[2], size = CHANNEL_BUFFER, i;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1) {
		log_event(LOG_ERR, "start-failed", "socketpair: %s", strerror(errno));
		return KMS_E_IO;
	}
	/*
	 * A whole batch of replies in one write; what the system grants will do
	 * (net.core.wmem_max), since going beyond it takes CAP_NET_ADMIN.
	 */
	for (i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (child_send(&s->activate, IPC_CHANNEL, (uint8_t)c->index, pair[0]) == KMS_OK)
		child_send(c, IPC_CHANNEL, (uint8_t)c->index, pair[1]);
	close(pair[0]);
	close(pair[1]);
	return KMS_OK;
}

void
send_hosts(const struct supervisor *s, struct child *front)
{
	int fd;

	if (!relay_configured(&s->config) || front->sock == -1)
		return;
	fd = ipc_upstreams_write(&s->hosts);
	if (fd == -1) {
		log_event(LOG_ERR, "relay-resolve", "memfd_create: %s", strerror(errno));
		return;
	}
	child_send(front, IPC_UPSTREAMS, 0, fd);
	close(fd);
}

int
spawn_front(struct supervisor *s, unsigned index)
{
	struct child *c = &s->fronts[index];
	unsigned a;
	int rc = spawn_child(s, c);

	if (rc != KMS_OK)
		return rc;
	if (send_config(s, c, IPC_CONFIG) != KMS_OK)
		return KMS_OK;
	for (a = 0; a < s->listener_count; a++)
		child_send(c, IPC_LISTEN, (uint8_t)a, s->listeners[index][a]);
	send_hosts(s, c);
	rc = connect_front(s, c);
	if (rc == KMS_OK)
		child_send(c, IPC_START, 0, -1);
	return rc;
}
