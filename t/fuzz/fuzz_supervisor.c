/*
 * fuzz_supervisor.c - kmsd with the children that the input plays: what they say over their PARENT
 * channels (any bytes, any descriptors), how they end, and what kmsd-resolve found. No process is
 * started: the linker puts functions of this file in the place of posix_spawn(3), kill(2),
 * waitpid(2) and the clock. Only hosts that kms.ini allows are used, kmsd ends no process that is
 * not its child, and no descriptor is left behind.
 *
 * Steps (steps.h). A child: 0 kmsd-activate, 1 and 2 the fronts, 3 kmsd-resolve.
 *   m  a child sends a datagram: child, number of descriptors, bytes
 *   v  the same, well-formed: child, verb, value (4)     u  kmsd-resolve sends this list of hosts
 *   x  a child closes its channel                        d  a child ends: child, how
 *   t  time passes: units of 100 ms                      l  somebody shuts a listening socket down
 *   S  kmsd is asked to stop
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsd/common/config_text.h"
#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/supervisor/listen.h"
#include "kmsd/supervisor/reap.h"
#include "kmsd/supervisor/resolve.h"
#include "kmsd/supervisor/spawn.h"
#include "kmsd/supervisor/stop.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/steps.h"
#include "t/lib/scratch.h"

#define CHILDREN 4        /* as the steps number them */
#define PIDS 64           /* processes of one input */
#define PID_FIRST 5000000 /* more than the kernel gives */
#define STEPS 64

static const char ini[] =
    "[listen]\nfronts = 2\n"
    "[relay]\nupstream = 192.0.2.7 kms.example.org:1700\ndomain = example.org\n"
    "ports = 1688 1701\n";

struct process {
	int sock; /* its end of the PARENT channel, -1: closed */
	int status;
	bool ended, reaped;
};

struct play {
	struct supervisor s;
	char path[SCRATCH_PATH];
	struct process process[PIDS]; /* by pid - PID_FIRST */
	unsigned count;
	int last_channel; /* of the newest socketpair(2) for a child */
	int64_t now;
};

/* The one play, for the functions that the linker puts in the place of the system's. */
static struct play *playing;

int __wrap_socketpair(int domain, int type, int protocol, int pair[2]);
int __real_socketpair(int domain, int type, int protocol, int pair[2]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);
int __wrap_kill(pid_t pid, int sig);
int __real_kill(pid_t pid, int sig);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
pid_t __real_waitpid(pid_t pid, int *status, int options);
int64_t __wrap_clock_ms(void);

int64_t
__wrap_clock_ms(void)
{
	return playing->now;
}

int
__wrap_socketpair(int domain, int type, int protocol, int pair[2])
{
	int rc = __real_socketpair(domain, type, protocol, pair);

	if (rc != 0 || (type & SOCK_SEQPACKET) != SOCK_SEQPACKET)
		return rc;
	if (playing->last_channel >= 0)
		close(playing->last_channel);
	playing->last_channel = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
	fcntl(playing->last_channel, F_SETFL, O_NONBLOCK);
	return 0;
}

int
__wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	if (playing->count == PIDS)
		return EAGAIN;
	*pid = PID_FIRST + (pid_t)playing->count;
	playing->process[playing->count++] = (struct process){ .sock = playing->last_channel };
	playing->last_channel = -1;
	return 0;
}

static struct process *
process(pid_t pid)
{
	MUST(pid >= PID_FIRST && pid < PID_FIRST + (pid_t)playing->count);
	return &playing->process[pid - PID_FIRST];
}

static void
process_ends(struct process *p, int status)
{
	if (p->ended)
		return;
	p->ended = true;
	p->status = status;
	if (p->sock >= 0)
		close(p->sock);
	p->sock = -1;
}

/* Of the fuzzer itself: everything else must be a child that was not reaped yet. */
static bool
is_real(pid_t pid)
{
	return pid == getpid() || (pid > 0 && pid < PID_FIRST && playing == NULL);
}

int
__wrap_kill(pid_t pid, int sig)
{
	if (is_real(pid))
		return __real_kill(pid, sig);
	MUST(!process(pid)->reaped);
	process_ends(process(pid), sig);
	return 0;
}

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
	struct process *p;

	if (is_real(pid))
		return __real_waitpid(pid, status, options);
	p = process(pid);
	MUST(!p->reaped);
	if (!p->ended)
		return 0;
	p->reaped = true;
	*status = p->status;
	return pid;
}

static struct child *
child(struct play *p, unsigned which)
{
	struct child *const all[CHILDREN] = { &p->s.activate, &p->s.fronts[0], &p->s.fronts[1],
		&p->s.resolver };

	return all[which % CHILDREN];
}

/* Of the one that runs now; NULL: none. */
static struct process *
process_of(struct play *p, unsigned which)
{
	struct child *c = child(p, which);

	return c->pid > 0 ? process(c->pid) : NULL;
}

/* -- what children do -- */

static void
send_datagram(int sock, const void *bytes, size_t len, const int *fds, unsigned count)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (count > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	(void)!sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A host list when it gets a descriptor at all, since kmsd reads it. */
static void
say(struct process *from, const void *bytes, size_t len, unsigned count, const struct step *list)
{
	int fds[8], fd = ipc_memory_write("list", list->data, list->len);

	MUST(fd >= 0);
	count = count < 8 ? count : 8;
	for (unsigned i = 0; i < count; i++)
		fds[i] = fd;
	send_datagram(from->sock, bytes, len, fds, count);
	close(fd);
}

static void
child_says(struct play *p, const struct step *s)
{
	const struct step nothing = { 0, (const uint8_t *)"", 0 };
	struct process *from;
	uint8_t head[8] = { 0 };

	if (s->what == 'u') {
		from = process_of(p, 3);
		head[0] = IPC_RESOLVED;
		if (from != NULL && from->sock >= 0)
			say(from, head, sizeof(head), 1, s);
		return;
	}
	from = s->len >= 2 ? process_of(p, s->data[0]) : NULL;
	if (from == NULL || from->sock < 0)
		return;
	if (s->what == 'm') {
		say(from, s->data + 2, s->len - 2, s->data[1], &nothing);
	} else {
		head[0] = s->data[1];
		memcpy(head + 4, s->data + 2, s->len - 2 < 4 ? s->len - 2 : 4);
		say(from, head, sizeof(head), 0, &nothing);
	}
}

static void
child_ends(struct play *p, const struct step *s)
{
	struct process *which = s->len > 0 ? process_of(p, s->data[0]) : NULL;

	if (which == NULL)
		return;
	if (s->what == 'd') {
		/* As wait(2) has it: an exit status, or a signal. */
		process_ends(which, s->len < 2        ? 0
				    : s->data[1] < 64 ? s->data[1] << 8
						      : 1 + s->data[1] % 31);
	} else if (which->sock >= 0) {
		close(which->sock);
		which->sock = -1;
	}
}

/* -- kmsd, as main.c has it -- */

static bool
readable(const struct child *c)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };

	return c->sock >= 0 && poll(&p, 1, 0) == 1;
}

/* As wait_once of main.c. */
static void
turn(struct play *p)
{
	struct supervisor *s = &p->s;

	for (unsigned i = 0; i < 3; i++)
		if (readable(child(p, i)))
			child_message(s, child(p, i));
	if (readable(&s->resolver))
		resolve_message(s);
	reap_children(s);
	child_deadlines(s);
	resolve_due(s);
	listen_check(s);
	for (unsigned i = 0; i < s->hosts.count; i++)
		MUST(relay_port_allowed(&s->config, s->hosts.at[i].port));
	MUST(s->hosts.count <= IPC_UPSTREAMS_MAX);
}

static void
open_listeners(struct supervisor *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	MUST(address_parse(s->listener_addresses[0], "127.0.0.1"));
	s->listener_count = 1;
	for (unsigned i = 0; i < s->config.fronts; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		MUST(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
		s->listeners[i][0] = fd;
	}
	/* The port of the ini file, so that a list of hosts can name kmsd itself. */
	s->port = 1688;
	(void)len;
}

static void
begin(struct play *p)
{
	static char root[SCRATCH_PATH];
	struct supervisor *s = &p->s;
	struct fault faults[2];

	MUST(root[0] != '\0' || scratch_make(root));
	log_level(-1);
	p->last_channel = -1;
	p->now = 1000000;
	s->control = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->state_dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->pid_file = s->signals = s->secrets[0] = s->secrets[1] = -1;
	s->libexec = "/nowhere";
	s->start_timeout = 30;
	MUST(config_parse(&s->config, ini, sizeof(ini) - 1, faults, 2) == 0);
	snprintf(s->config.runtime_directory, sizeof(s->config.runtime_directory), "%s", root);
	spawn_init(s);
	open_listeners(s);
	resolve_init(s);
	MUST(spawn_activate(s) == KMS_OK);
}

static unsigned
descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	MUST(dir != NULL);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void
end(struct play *p)
{
	struct supervisor *s = &p->s;

	for (unsigned i = 0; i < p->count; i++)
		process_ends(&p->process[i], 0);
	for (unsigned i = 0; i < CHILDREN; i++)
		if (child(p, i)->sock >= 0)
			close(child(p, i)->sock);
	for (unsigned i = 0; i < s->config.fronts; i++)
		close(s->listeners[i][0]);
	if (p->last_channel >= 0)
		close(p->last_channel);
	close(s->control);
	close(s->state_dir);
}

static void
play_step(struct play *p, const struct step *s)
{
	unsigned first = s->len > 0 ? s->data[0] : 0;

	switch (s->what) {
	case 'm':
	case 'v':
	case 'u':
		child_says(p, s);
		break;
	case 'x':
	case 'd':
		child_ends(p, s);
		break;
	case 't':
		p->now += first * 100;
		break;
	case 'l':
		shutdown(p->s.listeners[first % 2][0], SHUT_RDWR);
		break;
	case 'S':
		stop_begin(&p->s, "asked to", EXIT_OK);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play play;
	static bool warm;
	struct steps steps = { data, size, STEPS };
	struct step s;
	unsigned before;

	memset(&play, 0, sizeof(play));
	playing = &play;
	before = descriptors();
	begin(&play);
	while (play.s.phase != PHASE_DONE && steps_next(&steps, &s)) {
		play_step(&play, &s);
		turn(&play);
	}
	end(&play);
	/* The scratch directory's pipe stays open from the first input on. */
	MUST(descriptors() == before || !warm);
	warm = true;
	playing = NULL;
	return 0;
}
