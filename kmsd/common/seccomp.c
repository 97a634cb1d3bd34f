/*
 * seccomp.c - the system calls that a process may make; another call kills it.
 *
 * What every confined process needs anyway (memory, locks, the clock, ending) is here; each
 * process has its own list above its code, with only what its work needs.
 */
#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kmsd/common/confine.h"
#include "libkms/kms_error.h"

/* A call that is allowed for some values of one argument, listed under a name of its own. */
struct special {
	const char *name;
	const char *call;
	struct scmp_arg_cmp arg; /* allowed when this holds */
	struct scmp_arg_cmp
	    otherwise;            /* the complement, for a call that is in deny_errno as well */
	struct scmp_arg_cmp also; /* allowed when this holds, too; datum_a 0: always */
};

static const struct special specials[] = {
	{ "socket@unix", "socket", { 0, SCMP_CMP_EQ, AF_UNIX, 0 }, { 0, SCMP_CMP_NE, AF_UNIX, 0 },
	    { 0 } },
	/*
	 * AF_INET is 2, AF_INET6 is 10. A front gets only TCP, since Landlock can hold nothing else
	 * back; quietly denied are local sockets, that is syslog(3).
	 */
	{ "socket@tcp", "socket", { 0, SCMP_CMP_MASKED_EQ, ~UINT64_C(8) & UINT32_MAX, AF_INET },
	    { 0, SCMP_CMP_EQ, AF_UNIX, 0 }, { 1, SCMP_CMP_MASKED_EQ, 0xf, SOCK_STREAM } },
	{ "socket@udp", "socket", { 0, SCMP_CMP_MASKED_EQ, ~UINT64_C(8) & UINT32_MAX, AF_INET },
	    { 0, SCMP_CMP_EQ, AF_UNIX, 0 }, { 1, SCMP_CMP_MASKED_EQ, 0xf, SOCK_DGRAM } },
	{ "clone@thread", "clone", { 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD },
	    { 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0 }, { 0 } },
	/* No new executable memory. */
	{ "mmap@data", "mmap", { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 },
	    { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC }, { 0 } },
	{ "mprotect@data", "mprotect", { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 },
	    { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC }, { 0 } },
};

const char *const confine_base_calls[] = {
	/* Memory: malloc, and libsodium's guarded pages. */
	"brk", "mmap@data", "mprotect@data", "munmap", "mremap", "madvise", "mlock", "mlock2",
	"munlock",
	/* Locks, signals and time (when the vDSO cannot answer itself). */
	"futex", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"clock_gettime", "clock_nanosleep", "gettimeofday", "time", "nanosleep", "sched_yield",
	"getrandom", "getpid", "gettid", "tgkill",
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
	"sysinfo", "pipe2", "ioctl",
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

static const struct special *
find_special(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (strcmp(specials[i].name, name) == 0)
			return &specials[i];
	return NULL;
}

static bool
listed(const char *const *names, const char *name)
{
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/*
 * The number of a call; 0 and *skip when this architecture has none; an error for a name that no
 * architecture has.
 */
static int
resolve(const char *name, int *number, bool *skip)
{
	*number = seccomp_syscall_resolve_name(name);
	*skip = *number < 0 && *number != __NR_SCMP_ERROR;
	if (*number == __NR_SCMP_ERROR) {
		errno = EINVAL;
		return KMS_E_SANDBOX;
	}
	return KMS_OK;
}

static int
add_one(scmp_filter_ctx ctx, uint32_t action, const char *call, const struct scmp_arg_cmp *args,
    unsigned count)
{
	int number, rc;
	bool skip;

	rc = resolve(call, &number, &skip);
	if (rc != KMS_OK || skip)
		return rc;
	rc = seccomp_rule_add_array(ctx, action, number, count, args);
	if (rc == 0 || rc == -EEXIST)
		return KMS_OK;
	errno = -rc;
	return KMS_E_SANDBOX;
}

static int
allow_list(scmp_filter_ctx ctx, const char *const *allow)
{
	struct scmp_arg_cmp args[2] = { 0 };
	const struct special *s;
	int rc = KMS_OK;

	for (; *allow != NULL && rc == KMS_OK; allow++) {
		s = find_special(*allow);
		args[0] = s ? s->arg : args[0];
		args[1] = s ? s->also : args[1];
		rc = add_one(ctx, SCMP_ACT_ALLOW, s ? s->call : *allow, args,
		    s == NULL              ? 0
		    : s->also.datum_a == 0 ? 1
					   : 2);
		if (rc == KMS_OK && strcmp(*allow, "clone@thread") == 0) {
			rc = add_one(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL, 0);
			if (rc == KMS_OK)
				rc = allow_list(ctx, thread_calls);
		}
	}
	return rc;
}

/* A call that is allowed for some argument is denied for the others only. */
static int
deny_list(scmp_filter_ctx ctx, const char *const *allow, const char *const *deny)
{
	const struct scmp_arg_cmp *arg;
	int rc = KMS_OK;
	size_t i;

	for (; *deny != NULL && rc == KMS_OK; deny++) {
		if (listed(allow, *deny) || listed(confine_base_calls, *deny))
			continue;
		arg = NULL;
		for (i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
			if (strcmp(specials[i].call, *deny) == 0 &&
			    (listed(allow, specials[i].name) ||
				listed(confine_base_calls, specials[i].name)))
				arg = &specials[i].otherwise;
		rc = add_one(ctx, SCMP_ACT_ERRNO(EPERM), *deny, arg, arg != NULL);
	}
	return rc;
}

int
confine_seccomp(const char *const *allow, const char *const *deny_errno)
{
	static const char *const none[] = { NULL };
	scmp_filter_ctx ctx;
	int rc = KMS_E_SANDBOX, e;

	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
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
		rc = deny_list(ctx, allow, deny_errno ? deny_errno : none);
	if (rc == KMS_OK)
		rc = deny_list(ctx, allow, sanitizer_denied);
	if (rc == KMS_OK && (e = seccomp_load(ctx)) != 0) {
		errno = -e;
		rc = KMS_E_SANDBOX;
	}
done:
	seccomp_release(ctx);
	return rc;
}
