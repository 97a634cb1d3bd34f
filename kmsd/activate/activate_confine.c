/*
 * activate_confine.c - the activation process's own list: system calls, files, limits.
 * What stays: the state directory, the descriptors it was handed, memory, the clock.
 */
#include "kmsd/activate/activate_confine.h"

#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kmsd/common/log.h"

/* Fronts, control connections, segments, the index, files of an installation. */
#define FILES 256

/* Traced with strace: start, installing, load, checkpoints, growth of the map, reload, stop. */
static const char *const allowed[] = {
	/* fronts, kmsctl, kmsd */
	"accept4", "recvfrom", "sendto@connected", "recvmsg", "sendmsg@connected",
	"getsockopt@SO_PEERCRED", "getsockopt@SO_PEERGROUPS", "fcntl@flags", "fcntl@wait",
	"fcntl@copy", "fcntl@lock",
	/* the event loop */
	"epoll_wait", "epoll_pwait", "epoll_ctl",
	/* files below the state directory: Landlock says which */
	"openat", "mkdirat", "renameat", "renameat2", "unlinkat", "getdents64", "newfstatat",
	"statx", "fstatfs", "fsync", "fdatasync", "pread64", "pwrite64", "pwritev", "preadv",
	"lseek", "fallocate", "ftruncate", "flock", "msync", "sync_file_range",
	/* who we are (control's authorisation); the first steps of the ledger's writer thread */
	"rseq", "set_robust_list", "setpriority@own", "getuid", "geteuid", "getgid", "getegid", NULL
};

/*
 * Called by libc on the side (syslog(3) reconnecting, time zones, terminals): refused, not fatal.
 */
static const char *const refused[] = { "socket", "connect", "open", "access", "faccessat", "stat",
	"readlink", "readlinkat", "ioctl", "uname", "sysinfo", NULL };

/* While still root: the session keys of all clients must stay out of swap. */
static void
raise_memlock(uint64_t memlock, uint64_t least)
{
	struct rlimit have, want;

	if (getrlimit(RLIMIT_MEMLOCK, &have) != 0 || have.rlim_cur == RLIM_INFINITY ||
	    have.rlim_cur >= memlock)
		return;
	want.rlim_cur = memlock;
	want.rlim_max = have.rlim_max > memlock ? have.rlim_max : memlock;
	if (setrlimit(RLIMIT_MEMLOCK, &want) == 0)
		return;
	if (have.rlim_max < least)
		log_event(LOG_NOTICE, "memory-not-locked",
		    "the limit of locked memory is %llu bytes, but %llu are needed: session keys may reach swap (raise LimitMEMLOCK in systemd, ulimit -l in a shell)",
		    (unsigned long long)have.rlim_max, (unsigned long long)least);
	have.rlim_cur = have.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &have);
}

uint32_t
activate_confine_early(const struct config *c, int state_dir, uint64_t memlock, uint64_t least)
{
	uint32_t in_force = 0;

	raise_memlock(memlock, least);
	if (geteuid() == 0) {
		in_force |= confine_layer_if(confine_network_namespace(), CONFINE_NETNS);
		in_force |= confine_layer_if(confine_user(c->activate_user), CONFINE_UID);
	}
	/* After the change of user, which itself changes whether the process can be dumped. */
	in_force |= confine_layer_if(confine_no_core(), CONFINE_NO_CORE);
	in_force |= confine_layer_if(confine_no_new_privs(), CONFINE_NO_NEW_PRIVS);
	in_force |= confine_layer_if(confine_landlock(state_dir), CONFINE_LANDLOCK);
	return in_force;
}

uint32_t
activate_confine_late(uint64_t memlock)
{
	const struct confine_rlimits limits = { .files = FILES, .memlock = memlock };
	uint32_t in_force = confine_layer_if(confine_rlimits(&limits), CONFINE_RLIMITS);

	return in_force | confine_layer_if(confine_seccomp(allowed, refused), CONFINE_SECCOMP);
}
