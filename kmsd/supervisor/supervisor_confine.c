/*
 * supervisor_confine.c - kmsd's own list of system calls. Its children inherit it, so it has what a
 * front and kmsd-resolve need from execve(2) on: starting, finding their user, confining
 * themselves, and then what their own lists allow (t/habits/syscalls.t compares). The activation
 * process is there already, with a list of its own, and no second one is ever started.
 *
 * Nobody who takes over kmsd can load a module, mount, trace or write to another process, make a
 * namespace, use bpf, io_uring or a key ring, or open a socket of a kind that is not here.
 */
#include "kmsd/supervisor/supervisor_confine.h"

#include <stddef.h>

#include "kmsd/common/confine.h"
#include "kmsd/common/log.h"
#include "kmsd/common/relay_config.h"
#include "kmsd/supervisor/capabilities.h"
#include "libkms/kms_error.h"

/*
 * Beside confine_base_calls. Traced with strace over a start, fronts that die and stop, reload,
 * names that are resolved, and a stop.
 */
static const char *const allowed[] = {
	/* kmsd: children, their channels, signals, the ini file, the port file, systemd, syslog */
	"clone@here", "execve", "wait4", "waitid", "kill", "tgkill", "setpgid", "socket@unix",
	"socketpair", "connect", "bind", "listen", "getsockname", "getsockopt",
	"setsockopt@SO_SNDBUF", "sendto@plain", "sendmsg@connected", "recvmsg", "recvfrom",
	"memfd_create", "fcntl@flags", "fcntl@wait", "fcntl@copy", "fcntl@seal", "dup", "dup2",
	"dup3", "open", "openat", "lseek", "stat", "newfstatat", "statx", "fstatfs", "access",
	"faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "rename", "renameat",
	"renameat2", "unlink", "unlinkat", "rmdir", "fsync", "fchmod", "ftruncate", "pread64",
	/* a program that starts; memory that is code */
	"mmap", "mprotect", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prctl",
	"prlimit64", "getrlimit", "setrlimit", "uname", "sysinfo", "getppid", "getpgrp", "pipe2",
	"eventfd2", "select", "pselect6",
	/* what the children do to confine themselves */
	"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
	"chdir", "chroot", "mkdir", "mkdirat", "setgroups", "setresgid", "setresuid", "setuid",
	"getuid", "geteuid", "getgid", "getegid", "getgroups", "capget",
	/* a front at work */
	"accept4", "shutdown@write", "setsockopt@TCP_NODELAY", "epoll_create1", "epoll_ctl",
	"epoll_wait", "epoll_pwait",
	/* kmsd-web at work */
	"ioctl@pending", "setpriority@own",
#ifdef KMS_SANITIZED
	"gettid", "getdents64", "sched_getaffinity", "getrusage",
#endif
	NULL
};

/*
 * With a relay or a share, also: a front or kmsd-share connects, kmsd-resolve asks, and kmsd looks
 * at its own addresses.
 */
static const char *const allowed_connecting[] = { "socket@tcp", "socket@udp", "socket@route",
	"setsockopt@SO_LINGER", "getpeername", NULL };

static int
list_calls(bool connecting)
{
	const char *all[sizeof(allowed) / sizeof(allowed[0]) +
			sizeof(allowed_connecting) / sizeof(allowed_connecting[0])];

	confine_calls_join(all, allowed, allowed_connecting);
	return confine_seccomp_around(connecting ? all : allowed);
}

int
supervisor_confine(const struct supervisor *s)
{
	uint32_t in_force = 0;
	char why[256];
	bool enough;

	drop_more_capabilities(s);
	if (list_calls(relay_configured(&s->config) || share_configured(&s->config)) == KMS_OK)
		in_force |= CONFINE_SECCOMP;
	enough = confine_enough(
	    CONFINE_SECCOMP, in_force, s->config.sandbox_required, s->config.allow_missing, why);
	if (why[0] != '\0')
		log_event(enough ? LOG_WARNING : LOG_CRIT, "sandbox", "%s", why);
	return enough ? KMS_OK : KMS_E_SANDBOX;
}
