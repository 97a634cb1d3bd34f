/*
 * tries.c - the attempts, and running one of them behind a process's own confinement.
 */
#include "t/security/tries.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "kmsd/common/config_text.h"
#include "libkms/kms_error.h"

/* Opened before confinement, as a stranger would find descriptors already there. */
struct found {
	int inet;
	int listener;
	int file;
};

/*
 * Landlock as an older kernel has it: KMS_TRY_LANDLOCK=2 is that of Linux 6.1, which knows neither
 * ports nor signals. The sandbox asks with syscall(2), and gets this one.
 */
long
syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	const char *most = getenv("KMS_TRY_LANDLOCK");
	unsigned long a[6];
	va_list ap;
	long rc;

	va_start(ap, number);
	for (unsigned i = 0; i < 6; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	rc = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_landlock_create_ruleset && a[0] == 0 && most != NULL && rc > atoi(most))
		return atoi(most);
	return rc;
}

static int
try_nothing(const char *arg, const struct found *have)
{
	return write(STDOUT_FILENO, "", 0) == 0 ? 0 : -1;
}

static int
try_open(const char *arg, const struct found *have)
{
	return open(arg, O_RDONLY);
}

static int
try_read(const char *arg, const struct found *have)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	char octet;

	return fd == -1 || read(fd, &octet, 1) != 1 ? -1 : 0;
}

static int
try_create(const char *arg, const struct found *have)
{
	return open(arg, O_WRONLY | O_CREAT, 0600);
}

static int
try_write(const char *arg, const struct found *have)
{
	signal(SIGXFSZ, SIG_IGN);
	return write(have->file, "x", 1) == 1 ? 0 : -1;
}

static int
try_unlink(const char *arg, const struct found *have)
{
	return unlink(arg);
}

static int
try_socket_inet(const char *arg, const struct found *have)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
try_socket_unix(const char *arg, const struct found *have)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static struct sockaddr_in
loopback(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	a.sin_port = htons((uint16_t)atoi(port));
	return a;
}

static int
try_connect(const char *arg, const struct found *have)
{
	struct sockaddr_in a = loopback(arg);

	return connect(have->inet, (struct sockaddr *)&a, sizeof(a));
}

static int
try_bind(const char *arg, const struct found *have)
{
	struct sockaddr_in a = loopback("0");

	return bind(have->inet, (struct sockaddr *)&a, sizeof(a));
}

static int
try_listen(const char *arg, const struct found *have)
{
	return listen(have->inet, 1);
}

static int
try_exec(const char *arg, const struct found *have)
{
	/* This program, since seccomp kills what another processor's program would do. */
	return execl("/proc/self/exe", "again", (char *)NULL);
}

static int
try_fork(const char *arg, const struct found *have)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int
try_ptrace(const char *arg, const struct found *have)
{
	return (int)ptrace(PTRACE_ATTACH, atoi(arg), NULL, NULL);
}

static int
try_kill(const char *arg, const struct found *have)
{
	return kill(atoi(arg), 0);
}

static int
try_code(const char *arg, const struct found *have)
{
	void *p = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int
try_root(const char *arg, const struct found *have)
{
	return setuid(0);
}

/* Made within: what a relay needs, and what is next to it. */
static int
try_connect_new(const char *arg, const struct found *have)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arg)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd == -1 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof(to));
}

static int
try_socket_udp(const char *arg, const struct found *have)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* A datagram to a port of this machine. */
static int
try_sendto(const char *arg, const struct found *have)
{
	struct sockaddr_in to = loopback(arg);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd == -1 || sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1 ? -1 : 0;
}

/* The same to a peer that is connected first, as a resolver does. */
static int
try_datagram(const char *arg, const struct found *have)
{
	struct sockaddr_in to = loopback(arg);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		return -1;
	return send(fd, "x", 1, 0) == 1 ? 0 : -1;
}

/* The listening socket is ended, for the next process too. */
static int
try_shut_listener(const char *arg, const struct found *have)
{
	return shutdown(have->listener, SHUT_RD);
}

/* Who accepts from it, too, waits for ever. */
static int
try_block_listener(const char *arg, const struct found *have)
{
	return fcntl(have->listener, F_SETFL, 0);
}

static int
send_fast(int fd, const struct sockaddr_in *to)
{
	ssize_t n = sendto(
	    fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof(*to));

	return n == 1 || errno == EINPROGRESS ? 0 : -1;
}

/*
 * A listening socket connects outward, and neither socket(2) nor connect(2) is called. Some kernels
 * (Linux 6.18) never connect a socket that has listened, which is EINVAL: there, the socket beside
 * it connects in the same way.
 */
static int
try_fast_open(const char *arg, const struct found *have)
{
	struct sockaddr_in to = loopback(arg);

	shutdown(have->listener, SHUT_RDWR);
	if (send_fast(have->listener, &to) == 0)
		return 0;
	return errno == EINVAL ? send_fast(have->inet, &to) : -1;
}

static int
try_fast_open_message(const char *arg, const struct found *have)
{
	struct sockaddr_in to = loopback(arg);
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr m = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1
	};

	return sendmsg(have->inet, &m, MSG_FASTOPEN | MSG_NOSIGNAL) == 1 || errno == EINPROGRESS
		   ? 0
		   : -1;
}

static int
try_fast_open_messages(const char *arg, const struct found *have)
{
	struct sockaddr_in to = loopback(arg);
	char byte = 0;
	struct iovec part = { &byte, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &to,
				 .msg_namelen = sizeof(to),
				 .msg_iov = &part,
				 .msg_iovlen = 1 } };

	return sendmmsg(have->inet, &m, 1, MSG_FASTOPEN | MSG_NOSIGNAL) == 1 || errno == EINPROGRESS
		   ? 0
		   : -1;
}

/* Multipath TCP, which Landlock's ports do not hold. */
static int
try_multipath(const char *arg, const struct found *have)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262);
}

static int
try_tgkill(const char *arg, const struct found *have)
{
	return (int)syscall(SYS_tgkill, atoi(arg), atoi(arg), 0);
}

/* The kernel signals whoever owns a socket, when something comes. */
static int
try_set_owner(const char *arg, const struct found *have)
{
	return fcntl(have->inet, F_SETOWN, atoi(arg));
}

static int
try_set_owner_thread(const char *arg, const struct found *have)
{
	struct f_owner_ex owner = { F_OWNER_TID, atoi(arg) };

	return fcntl(have->inet, F_SETOWN_EX, &owner);
}

/* The same through ioctl(2), which has its own names for them. */
static int
try_set_owner_ioctl(const char *arg, const struct found *have)
{
	int pid = atoi(arg);

	return ioctl(have->inet, FIOSETOWN, &pid);
}

static int
try_set_group_ioctl(const char *arg, const struct found *have)
{
	int pid = atoi(arg);

	return ioctl(have->inet, SIOCSPGRP, &pid);
}

static int
try_set_signal_ioctl(const char *arg, const struct found *have)
{
	int on = 1;

	return ioctl(have->inet, FIOASYNC, &on);
}

static int
try_choose_signal(const char *arg, const struct found *have)
{
	return fcntl(have->inet, F_SETSIG, SIGKILL);
}

static int
try_set_signal(const char *arg, const struct found *have)
{
	return fcntl(have->inet, F_SETFL, O_ASYNC);
}

static int
try_socket_option(const char *arg, const struct found *have)
{
	int on = 1;

	return setsockopt(have->inet, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

/* Any name that is not listed would do. */
static int
try_read_option(const char *arg, const struct found *have)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(have->inet, SOL_SOCKET, SO_TYPE, &value, &len);
}

/* Connects with the first write, as MSG_FASTOPEN does. */
static int
try_fast_open_option(const char *arg, const struct found *have)
{
	int on = 1;

	return setsockopt(have->inet, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on));
}

/* -- another process, by other names -- */

static int
try_queue_signal(const char *arg, const struct found *have)
{
	return sigqueue(atoi(arg), 0, (union sigval){ 0 });
}

static int
try_open_process(const char *arg, const struct found *have)
{
	return (int)syscall(SYS_pidfd_open, atoi(arg), 0);
}

static int
try_read_memory(const char *arg, const struct found *have)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 0 };

	return (int)process_vm_readv(atoi(arg), &here, 1, &there, 1, 0);
}

static int
try_priority(const char *arg, const struct found *have)
{
	return setpriority(PRIO_PROCESS, (id_t)atoi(arg), 19);
}

static int
try_socket_netlink(const char *arg, const struct found *have)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

/*
 * Calls by their number, with arguments that do no harm: for who has the right and no sandbox they
 * fail with another error than EPERM, or do nothing.
 */
static const struct {
	const char *name;
	long number, a[3];
} raw[] = {
	{ "mount", SYS_mount, { 0, (long)"/no/such/place", 0 } },
	{ "unmount", SYS_umount2, { (long)"/no/such/place" } },
	{ "unshare", SYS_unshare, { 0 } },
	{ "enter-namespace", SYS_setns, { -1, 0 } },
	{ "bpf", SYS_bpf, { -1, 0, 0 } },
	{ "keyring", SYS_keyctl, { 0 /* KEYCTL_GET_KEYRING_ID */, -2, 1 } },
	{ "perf", SYS_perf_event_open, { 0, 0, -1 } },
	{ "io-uring", SYS_io_uring_setup, { 0, 0 } },
	{ "userfault", SYS_userfaultfd, { -1 } },
	{ "exec-descriptor", SYS_execveat, { -1, (long)"", 0 } },
	{ "set-clock", SYS_clock_settime, { 0, 0 } },
	{ "host-name", SYS_sethostname, { 0, -1 } },
	{ "write-memory", SYS_process_vm_writev, { 1, 0, 0 } },
	{ "personality", SYS_personality, { -1 } },
	{ "open-by-handle", SYS_open_by_handle_at, { -1, 0, 0 } },
	{ "watch-files", SYS_fanotify_init, { -1, 0 } },
};

/* -1: there is none of that name. */
static int
try_raw(const char *name)
{
	for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
		if (strcmp(raw[i].name, name) != 0)
			continue;
		errno = 0;
		if (syscall(raw[i].number, raw[i].a[0], raw[i].a[1], raw[i].a[2], 0, 0, 0) == -1 &&
		    errno == EPERM)
			return 1;
		return 0;
	}
	return -1;
}

static const struct {
	const char *name;
	int (*run)(const char *arg, const struct found *have);
} tries[] = {
	{ "nothing", try_nothing },
	{ "read", try_read },
	{ "sendto", try_sendto },
	{ "datagram", try_datagram },
	{ "shut-listener", try_shut_listener },
	{ "block-listener", try_block_listener },
	{ "fast-open", try_fast_open },
	{ "fast-open-message", try_fast_open_message },
	{ "fast-open-messages", try_fast_open_messages },
	{ "fast-open-option", try_fast_open_option },
	{ "multipath", try_multipath },
	{ "tgkill", try_tgkill },
	{ "set-owner", try_set_owner },
	{ "set-owner-thread", try_set_owner_thread },
	{ "set-owner-ioctl", try_set_owner_ioctl },
	{ "set-group-ioctl", try_set_group_ioctl },
	{ "set-signal", try_set_signal },
	{ "set-signal-ioctl", try_set_signal_ioctl },
	{ "choose-signal", try_choose_signal },
	{ "queue-signal", try_queue_signal },
	{ "open-process", try_open_process },
	{ "read-memory", try_read_memory },
	{ "priority", try_priority },
	{ "socket-option", try_socket_option },
	{ "read-option", try_read_option },
	{ "open", try_open },
	{ "create", try_create },
	{ "write", try_write },
	{ "unlink", try_unlink },
	{ "socket-inet", try_socket_inet },
	{ "socket-unix", try_socket_unix },
	{ "connect", try_connect },
	{ "connect-new", try_connect_new },
	{ "socket-udp", try_socket_udp },
	{ "socket-netlink", try_socket_netlink },
	{ "bind", try_bind },
	{ "listen", try_listen },
	{ "exec", try_exec },
	{ "fork", try_fork },
	{ "ptrace", try_ptrace },
	{ "kill", try_kill },
	{ "code", try_code },
	{ "root", try_root },
};

static int
confine_by(const char *ini, int (*confine)(const struct config *c))
{
	static struct config c;

	return config_load(&c, ini, NULL, 0) == 0 ? confine(&c) : -1;
}

__attribute__((noreturn)) static void
refused(void)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "errno %d\n", errno);

	_exit(write(STDOUT_FILENO, line, (size_t)n) == n ? 10 : 1);
}

int
tries_main(int argc, char **argv, int (*confine)(const struct config *c))
{
	struct found have;
	char scratch[] = "/tmp/tries.XXXXXX";
	const char *arg = argc > 3 ? argv[3] : "";

	if (argc == 1)
		return 0; /* started by try_exec */
	if (argc < 3)
		return 12;
	have.inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	have.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	have.file = mkstemp(scratch);
	if (have.inet == -1 || listen(have.listener, 1) == -1 || have.file == -1 ||
	    unlink(scratch) == -1)
		return 12;
	/* "free": the same attempt without confinement, which shows that the attempt is a real one
	 */
	if (strcmp(argv[1], "free") != 0 && confine_by(argv[1], confine) != 0)
		return 11;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		if (strcmp(argv[2], tries[i].name) != 0)
			continue;
		if (tries[i].run(arg, &have) != -1)
			_exit(0);
		refused();
	}
	switch (try_raw(argv[2])) {
	case 0:
		_exit(0);
	case 1:
		refused();
	}
	return 12;
}
