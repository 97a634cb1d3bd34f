/*
 * seccomp.c - the system calls that a process may make; another call kills it.
 *
 * What every confined process needs anyway (memory, locks, the clock, ending) is here; each
 * process has its own list above its code, with only what its work needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/confine.h"
#include "libkms/kms_error.h"

/*
 * A call that is allowed for some arguments only, under a name of its own. Rows of one name are
 * alternatives: one of them has to hold. What no row allows ends the process.
 */
struct special {
	const char *name;
	const char *call;
	struct scmp_arg_cmp when[3]; /* all of these have to hold; op 0: no more */
};

/* libseccomp's numbers of the calls that socketcall(2) is: __PNR_socket, __PNR_sendmmsg */
#define FIRST_SOCKET_CALL (-101)
#define LAST_SOCKET_CALL (-120)

#define ARG(n, cmp, ...)                                                                           \
	{                                                                                          \
		n, SCMP_CMP_##cmp, __VA_ARGS__                                                     \
	}
/* The bits of mask in argument n are clear, or have this value. */
#define CLEAR(n, mask) ARG(n, MASKED_EQ, mask, 0)
#define BITS(n, mask, value) ARG(n, MASKED_EQ, mask, value)
#define IS(n, value) ARG(n, EQ, value, 0)
/* AF_INET is 2, AF_INET6 is 10. */
#define INTERNET(n) ARG(n, MASKED_EQ, ~UINT64_C(8) & UINT32_MAX, AF_INET)
#define OPTION(call, level, name)                                                                  \
	{                                                                                          \
		call "@" #name, call,                                                              \
		{                                                                                  \
			IS(1, level), IS(2, name)                                                  \
		}                                                                                  \
	}

/* s390x has the two first arguments the other way round. */
#ifdef __s390x__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif
#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	    CLONE_NEWPID | CLONE_NEWNET)

static const struct special specials[] = {
	{ "socket@unix", "socket", { IS(0, AF_UNIX) } },
	/*
	 * A front gets TCP alone, since Landlock can hold nothing else back; MPTCP is another
	 * protocol to Landlock, and connects past its ports.
	 */
	{ "socket@tcp", "socket", { INTERNET(0), BITS(1, 0xf, SOCK_STREAM), IS(2, 0) } },
	{ "socket@tcp", "socket", { INTERNET(0), BITS(1, 0xf, SOCK_STREAM), IS(2, IPPROTO_TCP) } },
	{ "socket@udp", "socket", { INTERNET(0), BITS(1, 0xf, SOCK_DGRAM), IS(2, 0) } },
	{ "socket@udp", "socket", { INTERNET(0), BITS(1, 0xf, SOCK_DGRAM), IS(2, IPPROTO_UDP) } },
	/*
	 * Half-closing what was said. SHUT_RD ends a listening socket for good, for the processes
	 * too that come after this one.
	 */
	{ "shutdown@write", "shutdown", { IS(1, SHUT_WR) } },
	/* To who is connected already. MSG_FASTOPEN connects, and neither Landlock nor a firewall
	 * of the unit sees a connect. */
	{ "sendto@connected", "sendto", { CLEAR(3, MSG_FASTOPEN), IS(4, 0) } },
	{ "sendmsg@connected", "sendmsg", { CLEAR(2, MSG_FASTOPEN) } },
	/*
	 * Neither F_SETOWN nor O_ASYNC: the kernel would signal another process in our name. And
	 * O_NONBLOCK stays: who else has a listening socket would wait in accept(2) for ever.
	 */
	{ "fcntl@flags", "fcntl", { IS(1, F_GETFL) } },
	{ "fcntl@flags", "fcntl", { IS(1, F_SETFL), BITS(2, O_ASYNC | O_NONBLOCK, O_NONBLOCK) } },
	{ "fcntl@flags", "fcntl", { IS(1, F_GETFD) } },
	{ "fcntl@flags", "fcntl", { IS(1, F_SETFD) } },
	/* file_open: a regular file that was opened so that a FIFO would not hold us up */
	{ "fcntl@wait", "fcntl", { IS(1, F_SETFL), IS(2, 0) } },
	{ "fcntl@copy", "fcntl", { IS(1, F_DUPFD_CLOEXEC) } },
	{ "fcntl@seal", "fcntl", { IS(1, F_ADD_SEALS) } },
	{ "fcntl@lock", "fcntl", { IS(1, F_OFD_SETLK) } },
	{ "fcntl@lock", "fcntl", { IS(1, F_OFD_GETLK) } },
	{ "fcntl@lock", "fcntl", { IS(1, F_SETLK) } },
	OPTION("setsockopt", IPPROTO_TCP, TCP_NODELAY),
	OPTION("setsockopt", SOL_SOCKET, SO_LINGER),
	OPTION("getsockopt", SOL_SOCKET, SO_ERROR),
	OPTION("getsockopt", SOL_SOCKET, SO_PEERCRED),
	OPTION("getsockopt", SOL_SOCKET, SO_PEERGROUPS),
	/* What starts a process or a thread, in the namespaces that are there. */
	{ "clone@here", "clone", { CLEAR(CLONE_FLAGS, NAMESPACES) } },
	{ "sendto@plain", "sendto", { CLEAR(3, MSG_FASTOPEN) } },
	/* Which addresses this machine has: getifaddrs(3) */
	{ "socket@route", "socket",
	    { IS(0, AF_NETLINK), ARG(1, MASKED_EQ, 0xf, SOCK_RAW), IS(2, NETLINK_ROUTE) } },
	OPTION("setsockopt", SOL_SOCKET, SO_SNDBUF),
	/* isatty(3) */
	{ "ioctl@terminal", "ioctl", { IS(1, TCGETS) } },
	/* How much can be read: libevent asks. */
	{ "ioctl@pending", "ioctl", { IS(1, FIONREAD) } },
	{ "setpriority@own", "setpriority", { IS(0, PRIO_PROCESS), IS(1, 0) } },
	{ "clone@thread", "clone", { BITS(CLONE_FLAGS, CLONE_THREAD, CLONE_THREAD) } },
	/* No new executable memory. */
	{ "mmap@data", "mmap", { CLEAR(2, PROT_EXEC) } },
	{ "mprotect@data", "mprotect", { CLEAR(2, PROT_EXEC) } },
};

/* What a call that is allowed in part is denied for quietly; for the rest the process ends. */
static const struct special denied[] = {
	/* syslog(3) connecting again */
	{ "socket@unix", "socket", { IS(0, AF_UNIX) } },
	{ "socket", "socket", { ARG(0, NE, AF_UNIX, 0) } },
	{ "clone", "clone", { CLEAR(CLONE_FLAGS, CLONE_THREAD) } },
	{ "ioctl", "ioctl", { ARG(1, NE, TCGETS, 0) } },
	{ "mmap", "mmap", { BITS(2, PROT_EXEC, PROT_EXEC) } },
	{ "mprotect", "mprotect", { BITS(2, PROT_EXEC, PROT_EXEC) } },
};

/*
 * The same call under the other names that a 32-bit processor has for it: with a time or a place in
 * a file of 64 bits, with users of 32. A processor that has no call of that name skips it.
 */
static const char *const others[][2] = {
	{ "arch_prctl", "set_thread_area" }, /* where a thread's own variables are */
	{ "clock_gettime", "clock_gettime64" },
	{ "clock_nanosleep", "clock_nanosleep_time64" },
	{ "fcntl", "fcntl64" },
	{ "fstat", "fstat64" },
	{ "fstat", "statx" }, /* glibc's fstat(3), where time has 64 bits */
	{ "fstatfs", "fstatfs64" },
	{ "ftruncate", "ftruncate64" },
	{ "futex", "futex_time64" },
	{ "getegid", "getegid32" },
	{ "geteuid", "geteuid32" },
	{ "getgid", "getgid32" },
	{ "getgroups", "getgroups32" },
	{ "getrlimit", "ugetrlimit" },
	{ "getuid", "getuid32" },
	{ "lseek", "_llseek" },
	{ "newfstatat", "fstatat64" },
	{ "ppoll", "ppoll_time64" },
	{ "pselect6", "pselect6_time64" },
	{ "rt_sigreturn", "sigreturn" },
	{ "select", "_newselect" },
	{ "setgroups", "setgroups32" },
	{ "setresgid", "setresgid32" },
	{ "setresuid", "setresuid32" },
	{ "setuid", "setuid32" },
	{ "stat", "stat64" },
	{ "time", "clock_gettime64" },
	{ "wait4", "waitpid" },
};

/* What the C library calls recv(3) and send(3) in socketcall(2). */
static const char *const socket_others[][2] = {
	{ "recvfrom", "recv" },
	{ "sendto", "send" },
};

const char *const confine_base_calls[] = {
	/* Memory: malloc, and libsodium's guarded pages. */
	"brk", "mmap@data", "mprotect@data", "munmap", "mremap", "madvise", "mlock", "mlock2",
	"munlock",
	/* Locks, signals and time (when the vDSO cannot answer itself). */
	"futex", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"clock_gettime", "clock_nanosleep", "gettimeofday", "time", "nanosleep", "sched_yield",
	"getrandom", "getpid", "gettid", "tgkill@own",
	/* Descriptors that exist already. The log checks whether its reader can take a line. */
	"read", "write", "readv", "writev", "close", "fstat", "poll", "ppoll",
	/* The end. */
	"exit", "exit_group",
#ifdef KMS_SANITIZED
	/*
	 * ASan: shadow memory and its allocator; getrlimit and sched_getaffinity for thread
	 * stacks; on a report it reads its own mappings and symbols (those that open files get an
	 * errno below).
	 */
	"prctl", "prlimit64", "sched_getaffinity", "getrusage", "set_robust_list", "lseek",
	"sysinfo", "pipe2", "ioctl@terminal",
#endif
	NULL
};

/* Starting a thread: glibc tries clone3, whose flags seccomp cannot see, then clone. */
static const char *const thread_calls[] = { "set_robust_list", "rseq", NULL };

static const char *const sanitizer_denied[] = {
#ifdef KMS_SANITIZED
	"openat", "open", "readlink", "readlinkat", "stat", "newfstatat", "access", "socket",
	"clone", "ptrace", "wait4", "uname",
#endif
	NULL
};

#ifdef KMS_SANITIZED
/*
 * LeakSanitizer stops its own process with ptrace from a clone: a confined process cannot be
 * looked at.
 */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static bool
listed(const char *const *names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/*
 * i386 and s390x have one call for all that sockets do (socketcall), and their C library makes no
 * other: a filter sees which of them it is, but not its arguments, which are in memory. So a row
 * for some arguments allows all of them there, as kmsd(8) says. libseccomp's numbers of these
 * calls are below 0.
 */
static bool
in_one_call(int number)
{
	return number <= FIRST_SOCKET_CALL && number >= LAST_SOCKET_CALL;
}

/*
 * The number of a call, *skip when this architecture has none; an error for a name that no
 * architecture has.
 */
static int
resolve(const char *name, int *number, bool *skip)
{
	*number = seccomp_syscall_resolve_name(name);
	*skip = *number < 0 && !in_one_call(*number);
	if (*number == __NR_SCMP_ERROR) {
		errno = EINVAL;
		return KMS_E_SANDBOX;
	}
	return KMS_OK;
}

static int
add_name(scmp_filter_ctx ctx, uint32_t action, const char *call, const struct scmp_arg_cmp *when,
    unsigned count)
{
	int number, rc;
	bool skip;

	rc = resolve(call, &number, &skip);
	if (rc != KMS_OK || skip)
		return rc;
	rc = seccomp_rule_add_array(ctx, action, number, in_one_call(number) ? 0 : count, when);
	if (rc == 0 || rc == -EEXIST)
		return KMS_OK;
	errno = -rc;
	return KMS_E_SANDBOX;
}

/* The same call under its other names. */
static int
add_others(scmp_filter_ctx ctx, uint32_t action, const char *const (*names)[2], size_t n,
    const char *call, const struct scmp_arg_cmp *when, unsigned count)
{
	int rc = KMS_OK;

	for (size_t i = 0; i < n && rc == KMS_OK; i++)
		if (strcmp(names[i][0], call) == 0)
			rc = add_name(ctx, action, names[i][1], when, count);
	return rc;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int
add(scmp_filter_ctx ctx, uint32_t action, const char *call, const struct scmp_arg_cmp *when,
    unsigned count)
{
	int rc;

#ifdef __i386__
	/* The old one has its arguments in memory, where nothing can look at them. */
	if (strcmp(call, "mmap") == 0)
		call = "mmap2";
#endif
#ifdef __s390x__
	if (strcmp(call, "mmap") == 0)
		count = 0; /* so are all of this one's */
#endif
	rc = add_name(ctx, action, call, when, count);
	if (rc == KMS_OK && in_one_call(seccomp_syscall_resolve_name(call)))
		rc = add_others(ctx, action, socket_others, COUNT(socket_others), call, when, 0);
	if (rc == KMS_OK && sizeof(long) == 4)
		rc = add_others(ctx, action, others, COUNT(others), call, when, count);
	return rc;
}

static int
add_special(scmp_filter_ctx ctx, uint32_t action, const struct special *s)
{
	unsigned count = 0;

	while (count < sizeof(s->when) / sizeof(s->when[0]) && s->when[count].op != 0)
		count++;
	return add(ctx, action, s->call, s->when, count);
}

/* Signals, but to this process alone: abort(3) sends one. */
static int
allow_own_signals(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp own = IS(0, (scmp_datum_t)getpid());

	return add(ctx, SCMP_ACT_ALLOW, "tgkill", &own, 1);
}

static int allow_list(scmp_filter_ctx ctx, const char *const *allow);

/* A name with '@': its rows, and what they need beside them. KMS_E_SANDBOX: it has no row. */
static int
allow_special(scmp_filter_ctx ctx, const char *name)
{
	int rc = KMS_OK;
	bool found = false;

	if (strcmp(name, "tgkill@own") == 0)
		return allow_own_signals(ctx);
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]) && rc == KMS_OK; i++) {
		if (strcmp(specials[i].name, name) != 0)
			continue;
		found = true;
		rc = add_special(ctx, SCMP_ACT_ALLOW, &specials[i]);
	}
	if (!found) {
		errno = EINVAL;
		return KMS_E_SANDBOX;
	}
	if (rc == KMS_OK && strncmp(name, "clone@", 6) == 0) {
		rc = add(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL, 0);
		if (rc == KMS_OK)
			rc = allow_list(ctx, thread_calls);
	}
	return rc;
}

static int
allow_list(scmp_filter_ctx ctx, const char *const *allow)
{
	int rc = KMS_OK;

	for (; *allow != NULL && rc == KMS_OK; allow++)
		rc = strchr(*allow, '@') != NULL ? allow_special(ctx, *allow)
						 : add(ctx, SCMP_ACT_ALLOW, *allow, NULL, 0);
	return rc;
}

/* Does the list allow the call for some arguments? */
static bool
allowed_in_part(const char *const *allow, const char *call)
{
	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (strcmp(specials[i].call, call) == 0 && listed(allow, specials[i].name))
			return true;
	return false;
}

static int
deny(scmp_filter_ctx ctx, const char *const *allow, const char *call)
{
	if (listed(allow, call) || listed(confine_base_calls, call))
		return KMS_OK;
	if (!allowed_in_part(allow, call) && !allowed_in_part(confine_base_calls, call))
		return add(ctx, SCMP_ACT_ERRNO(EPERM), call, NULL, 0);
	if (in_one_call(seccomp_syscall_resolve_name(call)))
		return KMS_OK; /* it is allowed for all arguments */
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		if (strcmp(denied[i].call, call) == 0 && !listed(allow, denied[i].name))
			return add_special(ctx, SCMP_ACT_ERRNO(EPERM), &denied[i]);
	return KMS_OK;
}

static int
deny_list(scmp_filter_ctx ctx, const char *const *allow, const char *const *deny_errno)
{
	int rc = KMS_OK;

	for (; *deny_errno != NULL && rc == KMS_OK; deny_errno++)
		rc = deny(ctx, allow, *deny_errno);
	return rc;
}

/* Both lists, and what becomes of a call that is in neither. */
static int
load(uint32_t otherwise, const char *const *allow, const char *const *deny_errno,
    const char *const *deny_more)
{
	scmp_filter_ctx ctx;
	int rc = KMS_E_SANDBOX, e;

	ctx = seccomp_init(otherwise);
	if (ctx == NULL)
		return KMS_E_SANDBOX;
	/*
	 * Threads that are already there are bound by the same list; a foreign architecture's
	 * calls kill too.
	 */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) != 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0)
		goto done;
	/*
	 * A binary tree of calls instead of a list: the price no longer grows with the list's
	 * length.
	 */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	rc = allow_list(ctx, confine_base_calls);
	if (rc == KMS_OK)
		rc = allow_list(ctx, allow);
	if (rc == KMS_OK)
		rc = deny_list(ctx, allow, deny_errno);
	if (rc == KMS_OK)
		rc = deny_list(ctx, allow, deny_more);
	if (rc == KMS_OK && (e = seccomp_load(ctx)) != 0) {
		errno = -e;
		rc = KMS_E_SANDBOX;
	}
done:
	seccomp_release(ctx);
	return rc;
}

static const char *const none[] = { NULL };

int
confine_seccomp(const char *const *allow, const char *const *deny_errno)
{
	return load(SCMP_ACT_KILL_PROCESS, allow, deny_errno ? deny_errno : none, sanitizer_denied);
}

int
confine_seccomp_around(const char *const *allow)
{
	return load(SCMP_ACT_ERRNO(EPERM), allow, none, none);
}

void
confine_calls_join(const char **out, const char *const *first, const char *const *second)
{
	while (*first != NULL)
		*out++ = *first++;
	while (*second != NULL)
		*out++ = *second++;
	*out = NULL;
}
