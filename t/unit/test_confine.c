/*
 * test_confine.c - each layer of the sandbox, from inside: a child applies it, tries what it
 * forbids, and is refused or killed by SIGSYS. A layer that this kernel or user cannot have is
 * a failed test, not a skipped one, except those that only root can apply, which say so loudly.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kmsd/common/confine.h"
#include "libkms/kms_error.h"

#define DONE 0     /* the attempt succeeded */
#define REFUSED 10 /* plus errno would not fit: which one is looked at inside */
#define SETUP 90   /* the layer could not be applied */

/* Run try in a child: its exit status, or 1000 + the signal that killed it. */
static int
in_child(int (*try)(void *), void *arg)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* 0 when refused with one of the errnos that say "you may not". */
static int
outcome(long rc)
{
	if (rc != -1)
		return DONE;
	return errno == EPERM || errno == EACCES ? REFUSED : REFUSED + 1;
}

/* qemu-user, with which t/cross runs this for other processors, knows neither layer. */
static bool
emulated(const char *layer)
{
	const char *emulator = getenv("KMS_EMULATOR");

	if (emulator == NULL || *emulator == '\0')
		return false;
	print_message("# *** NOT TESTED: %s, which %s does not apply\n", layer, emulator);
	return true;
}

/* --- Landlock --- */

struct files {
	char inside[64], outside[64];
	int dirfd;
};

static void
make_files(struct files *f)
{
	char path[128];
	int fd;

	snprintf(f->inside, sizeof(f->inside), "/tmp/confine-in.XXXXXX");
	snprintf(f->outside, sizeof(f->outside), "/tmp/confine-out.XXXXXX");
	assert_non_null(mkdtemp(f->inside));
	assert_non_null(mkdtemp(f->outside));
	snprintf(path, sizeof(path), "%s/secret", f->outside);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	f->dirfd = open(f->inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dirfd >= 0);
}

static void
remove_files(struct files *f)
{
	char path[128];

	close(f->dirfd);
	snprintf(path, sizeof(path), "%s/secret", f->outside);
	unlink(path);
	snprintf(path, sizeof(path), "%s/moved", f->inside);
	unlink(path);
	snprintf(path, sizeof(path), "%s/new", f->inside);
	unlink(path);
	assert_int_equal(rmdir(f->inside), 0);
	assert_int_equal(rmdir(f->outside), 0);
}

static int
landlocked(int dirfd)
{
	return confine_no_new_privs() == KMS_OK && confine_landlock(dirfd) == KMS_OK;
}

static int
write_inside(void *arg)
{
	struct files *f = arg;
	int fd;

	if (!landlocked(f->dirfd))
		return SETUP;
	fd = openat(f->dirfd, "new", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, "x", 1) != 1 || ftruncate(fd, 10) == -1 || fsync(fd) == -1)
		return REFUSED;
	return renameat(f->dirfd, "new", f->dirfd, "moved") == 0 &&
		       unlinkat(f->dirfd, "moved", 0) == 0
		   ? DONE
		   : REFUSED;
}

static int
read_outside(void *arg)
{
	struct files *f = arg;
	char path[128];

	snprintf(path, sizeof(path), "%s/secret", f->outside);
	return landlocked(f->dirfd) ? outcome(open(path, O_RDONLY | O_CLOEXEC)) : SETUP;
}

static int
climb_outside(void *arg)
{
	struct files *f = arg;
	char path[128];

	snprintf(path, sizeof(path), "../%s/secret", f->outside + 5);
	return landlocked(f->dirfd) ? outcome(openat(f->dirfd, path, O_RDONLY | O_CLOEXEC)) : SETUP;
}

static int
create_outside(void *arg)
{
	struct files *f = arg;
	char path[128];

	snprintf(path, sizeof(path), "%s/new", f->outside);
	return landlocked(f->dirfd) ? outcome(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600))
				    : SETUP;
}

static int
delete_outside(void *arg)
{
	struct files *f = arg;
	char path[128];

	snprintf(path, sizeof(path), "%s/secret", f->outside);
	return landlocked(f->dirfd) ? outcome(unlink(path)) : SETUP;
}

/* Out of the tree by rename: EXDEV is how Landlock says it. */
static int
rename_outside(void *arg)
{
	struct files *f = arg;
	char path[128];
	int fd;

	if (!landlocked(f->dirfd))
		return SETUP;
	fd = openat(f->dirfd, "new", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1)
		return SETUP;
	snprintf(path, sizeof(path), "%s/stolen", f->outside);
	if (renameat(f->dirfd, "new", AT_FDCWD, path) == 0)
		return DONE;
	return errno == EXDEV || errno == EACCES ? REFUSED : REFUSED + 1;
}

static int
nothing_at_all(void *arg)
{
	return landlocked(-1) ? outcome(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : SETUP;
}

static int
execute(void *arg)
{
	if (!landlocked(-1))
		return SETUP;
	execl("/bin/true", "true", NULL);
	return outcome(-1);
}

static int
tcp_connect(void *arg)
{
	struct sockaddr_in *to = arg;
	int fd;

	if (!landlocked(-1))
		return SETUP;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd == -1 ? SETUP : outcome(connect(fd, (struct sockaddr *)to, sizeof(*to)));
}

static int
tcp_bind(void *arg)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd;

	if (!landlocked(-1))
		return SETUP;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd == -1 ? SETUP : outcome(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

static void
test_landlock_files(void **ignored)
{
	static const struct {
		const char *name;
		int (*try)(void *);
		int want;
	} rows[] = {
		{ "write, truncate, rename and unlink inside", write_inside, DONE },
		{ "read outside", read_outside, REFUSED },
		{ "read outside by ..", climb_outside, REFUSED },
		{ "create outside", create_outside, REFUSED },
		{ "delete outside", delete_outside, REFUSED },
		{ "move outside", rename_outside, REFUSED },
		{ "open the root", nothing_at_all, REFUSED },
		{ "execute", execute, REFUSED },
	};
	struct files f;
	size_t i;
	int got;

	if (emulated("Landlock"))
		return;
	make_files(&f);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = in_child(rows[i].try, &f);
		if (got != rows[i].want)
			fail_msg("%s: %d, not %d", rows[i].name, got, rows[i].want);
	}
	remove_files(&f);
}

/* The kernel's ABI 4 and later. */
static void
test_landlock_tcp(void **ignored)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (emulated("Landlock")) {
		close(fd);
		return;
	}
	if (syscall(444, NULL, 0, 1u) < 4) {
		print_message("# this kernel's Landlock knows no TCP\n");
		close(fd);
		return;
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(in_child(tcp_connect, &a), REFUSED);
	assert_int_equal(in_child(tcp_bind, NULL), REFUSED);
	close(fd);
}

/* --- seccomp --- */

/* Where socketcall(2) makes all sockets, a list that allows some kinds allows all: kmsd(8). */
#if defined(__i386__) || defined(__s390x__)
#define KINDS_OF_SOCKETS 0
#else
#define KINDS_OF_SOCKETS 1
#endif

static const char *const allow[] = { "socket@unix", "clone@thread", NULL };
static const char *const deny[] = { "openat", "socket", NULL };

static bool
filtered(void)
{
	return confine_seccomp(allow, deny) == KMS_OK;
}

static int
ordinary_work(void *arg)
{
	struct timespec t = { 0, 1000 };
	char *p;
	int i;

	if (!filtered())
		return SETUP;
	for (i = 0; i < 100; i++) {
		p = malloc((size_t)1 << (i % 22));
		if (p == NULL)
			return 1;
		p[0] = 1;
		p = realloc(p, (size_t)1 << ((i + 3) % 22));
		free(p);
	}
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mlock(p, 4096) == -1 || mprotect(p, 4096, PROT_NONE) == -1 ||
	    munlock(p, 4096) == -1 || madvise(p, 8192, MADV_DONTNEED) == -1 ||
	    munmap(p, 8192) == -1)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t = (struct timespec){ 0, 1000 };
	nanosleep(&t, NULL);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? DONE : 3;
}

static void *
thread_main(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int
thread_work(void *arg)
{
	pthread_t t;
	int ran = 0;

	if (!filtered())
		return SETUP;
	if (pthread_create(&t, NULL, thread_main, &ran) != 0 || pthread_join(t, NULL) != 0)
		return 1;
	return ran ? DONE : 2;
}

static int
quiet_open(void *arg)
{
	return filtered() ? outcome(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) : SETUP;
}

static int
quiet_inet(void *arg)
{
	return filtered() ? outcome(socket(AF_INET, SOCK_STREAM, 0)) : SETUP;
}

static int
deadly_inet(void *arg)
{
	static const char *const none[] = { NULL };

	return confine_seccomp(allow, none) == KMS_OK ? outcome(socket(AF_INET, SOCK_STREAM, 0))
						      : SETUP;
}

/* A list with no socket at all, which holds on every processor. */
static const char *const no_socket[] = { "clone@thread", NULL };

static int
no_socket_quiet(void *arg)
{
	return confine_seccomp(no_socket, deny) == KMS_OK ? outcome(socket(AF_UNIX, SOCK_STREAM, 0))
							  : SETUP;
}

static int
no_socket_deadly(void *arg)
{
	return confine_seccomp(no_socket, NULL) == KMS_OK ? outcome(socket(AF_UNIX, SOCK_STREAM, 0))
							  : SETUP;
}

static int
deadly_exec(void *arg)
{
	if (!filtered())
		return SETUP;
	execl("/bin/true", "true", NULL);
	return DONE;
}

static int
deadly_fork(void *arg)
{
	pid_t pid;

	if (!filtered())
		return SETUP;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	return pid >= 0 ? DONE : REFUSED;
}

static int
deadly_ptrace(void *arg)
{
	return filtered() ? outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL)) : SETUP;
}

static int
deadly_kill(void *arg)
{
	return filtered() ? outcome(kill(getppid(), 0)) : SETUP;
}

static int
deadly_code(void *arg)
{
	return filtered() && mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		   ? REFUSED
		   : DONE;
}

static int
deadly_protect(void *arg)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || !filtered())
		return SETUP;
	return outcome(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

/* A thread that was there before is bound by the same list. */
static void *
waiting_thread(void *arg)
{
	char byte;

	if (read(*(int *)arg, &byte, 1) == 1)
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return NULL;
}

static int
deadly_thread(void *arg)
{
	pthread_t t;
	int p[2];

	if (pipe(p) == -1 || pthread_create(&t, NULL, waiting_thread, &p[0]) != 0 || !filtered())
		return SETUP;
	if (write(p[1], "x", 1) != 1)
		return SETUP;
	pthread_join(t, NULL);
	return DONE;
}

static void
test_seccomp(void **ignored)
{
	static const struct {
		const char *name;
		int (*try)(void *);
		int want;
	} rows[] = {
		{ "memory, locks, clock, Unix socket", ordinary_work, DONE },
		{ "a thread", thread_work, DONE },
		{ "open, denied quietly", quiet_open, REFUSED },
		{ "inet socket, denied quietly", quiet_inet, KINDS_OF_SOCKETS ? REFUSED : DONE },
		{ "inet socket", deadly_inet, KINDS_OF_SOCKETS ? 1000 + SIGSYS : DONE },
		{ "any socket, denied quietly", no_socket_quiet, REFUSED },
		{ "any socket", no_socket_deadly, 1000 + SIGSYS },
		{ "exec", deadly_exec, 1000 + SIGSYS },
		{ "fork", deadly_fork, 1000 + SIGSYS },
		{ "ptrace", deadly_ptrace, 1000 + SIGSYS },
		{ "kill", deadly_kill, 1000 + SIGSYS },
		{ "new code by mmap", deadly_code, 1000 + SIGSYS },
		{ "new code by mprotect", deadly_protect, 1000 + SIGSYS },
		{ "ptrace in an older thread", deadly_thread, 1000 + SIGSYS },
	};
	size_t i;
	int got, want;

	if (emulated("seccomp"))
		return;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		want = rows[i].want;
#ifdef KMS_SANITIZED
		/* What ASan's own report would need is refused quietly there (sanitizer_denied). */
		if (rows[i].try == deadly_inet || rows[i].try == no_socket_deadly ||
		    rows[i].try == deadly_fork || rows[i].try == deadly_ptrace ||
		    rows[i].try == deadly_thread)
			continue;
#endif
		got = in_child(rows[i].try, NULL);
		if (got != want)
			fail_msg("%s: %d, not %d", rows[i].name, got, want);
	}
}

static int
misspelt(void *arg)
{
	static const char *const list[] = { "raed", NULL };

	return confine_seccomp(list, NULL) == KMS_E_SANDBOX ? REFUSED : DONE;
}

static void
test_seccomp_misspelt(void **ignored)
{
	assert_int_equal(in_child(misspelt, NULL), REFUSED);
}

/* --- limits, privileges --- */

static int
limits(void *arg)
{
	struct confine_rlimits l = { .files = 32, .file_size = 4096 };
	struct rlimit r;
	int i, fd = -1;
	FILE *f = tmpfile();
	char page[4096] = { 0 };

	if (f == NULL || confine_no_core() != KMS_OK || confine_rlimits(&l) != KMS_OK)
		return SETUP;
	if (getrlimit(RLIMIT_CORE, &r) == -1 || r.rlim_max != 0 ||
	    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 1;
	if (getrlimit(RLIMIT_NPROC, &r) == -1 || r.rlim_cur != 0)
		return 2;
	for (i = 0; i < 64 && (fd = dup(0)) != -1; i++)
		;
	if (fd != -1 || errno != EMFILE)
		return 3;
	signal(SIGXFSZ, SIG_IGN);
	if (write(fileno(f), page, sizeof(page)) != (ssize_t)sizeof(page) ||
	    write(fileno(f), page, 1) != -1 || errno != EFBIG)
		return 4;
	return DONE;
}

static int
log_to_file(void *arg)
{
	struct confine_rlimits none = { .files = 32, .file_size = UINT64_MAX };
	FILE *f = tmpfile();

	if (f == NULL || dup2(fileno(f), STDERR_FILENO) == -1 || confine_rlimits(&none) != KMS_OK)
		return SETUP;
	return write(STDERR_FILENO, "x", 1) == 1 ? DONE : REFUSED;
}

static void
test_limits(void **ignored)
{
	assert_int_equal(in_child(limits, NULL), DONE);
	assert_int_equal(in_child(log_to_file, NULL), DONE);
}

static int
drop_user(void *arg)
{
	if (confine_user("nobody") != KMS_OK)
		return SETUP;
	if (getuid() == 0 || getgid() == 0 || setuid(0) == 0 || getgroups(0, NULL) != 0)
		return 1;
	return outcome(open("/etc/shadow", O_RDONLY | O_CLOEXEC));
}

static int
bad_user(void *arg)
{
	if (confine_user("no-such-user") != KMS_E_SANDBOX || errno != ENOENT)
		return 1;
	if (confine_user("root") != KMS_E_SANDBOX || confine_user_ids(1, 0) != KMS_E_SANDBOX)
		return 2;
	return getuid() == (unsigned)*(uid_t *)arg ? DONE : 3;
}

static int
empty_root(void *arg)
{
	char dir[] = "/tmp/confine-root.XXXXXX", path[64];
	int cwd;

	if (mkdtemp(dir) == NULL)
		return SETUP;
	cwd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cwd == -1 || confine_chroot(dir) != KMS_OK)
		return SETUP;
	snprintf(path, sizeof(path), "%s", dir + 5);
	if (unlinkat(cwd, path, AT_REMOVEDIR) == -1)
		return 1;
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) == -1 && errno == ENOENT ? REFUSED : DONE;
}

static int
no_network(void *arg)
{
	struct sockaddr_in *to = arg;
	int fd;

	if (confine_network_namespace() != KMS_OK)
		return SETUP;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (struct sockaddr *)to, sizeof(*to)) == 0 ? DONE : REFUSED;
}

static void
test_root_layers(void **ignored)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	uid_t uid = getuid();
	int fd;

	assert_int_equal(in_child(bad_user, &uid), DONE);
	if (geteuid() != 0) {
		print_message("# not root: uid, chroot and netns cannot be tried\n");
		return;
	}
	assert_int_equal(in_child(drop_user, NULL), REFUSED);
	assert_int_equal(in_child(empty_root, NULL), REFUSED);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(in_child(no_network, &a), REFUSED);
	close(fd);
}

/* --- names and the decision --- */

static void
test_names(void **ignored)
{
	char out[64], small[8];
	uint32_t layers;
	unsigned i;

	confine_names(out, sizeof(out), UINT32_MAX);
	assert_string_equal(out, "no-new-privs uid chroot netns landlock seccomp rlimits no-core");
	assert_true(confine_parse(&layers, out));
	assert_int_equal(layers, (1u << CONFINE_LAYERS) - 1);
	for (i = 0; i < CONFINE_LAYERS; i++) {
		assert_true(confine_parse(&layers, confine_layer_name(i)));
		assert_int_equal(layers, 1u << i);
	}
	assert_true(confine_parse(&layers, "  seccomp\tuid "));
	assert_int_equal(layers, CONFINE_SECCOMP | CONFINE_UID);
	assert_true(confine_parse(&layers, ""));
	assert_int_equal(layers, 0);
	assert_false(confine_parse(&layers, "seccom"));
	assert_false(confine_parse(&layers, "seccomp,uid"));
	assert_string_equal(confine_layer_name(CONFINE_LAYERS), "unknown");
	confine_names(small, sizeof(small), UINT32_MAX);
	assert_int_equal(small[7], '\0');
}

static int
enough_as_user(void *arg)
{
	uint32_t wanted = CONFINE_UID | CONFINE_CHROOT | CONFINE_NETNS | CONFINE_SECCOMP;
	char why[256];

	if (geteuid() == 0 && setuid(65534) == -1)
		return SETUP;
	/* Never was root. */
	if (!confine_enough(wanted, CONFINE_SECCOMP, true, 0, why) || why[0] != '\0')
		return 1;
	if (confine_enough(wanted, 0, true, 0, why) || strstr(why, "= seccomp\"") == NULL)
		return 2;
	/* Was root: the uid layer is there, the others must be as well. */
	if (confine_enough(wanted, CONFINE_SECCOMP | CONFINE_UID, true, 0, why))
		return 3;
	return DONE;
}

static void
test_enough(void **ignored)
{
	uint32_t all = (1u << CONFINE_LAYERS) - 1;
	char why[256];

	assert_true(confine_enough(all, all, true, 0, why));
	assert_false(confine_enough(all, all & ~CONFINE_LANDLOCK, true, 0, why));
	assert_string_equal(why,
	    "sandbox layers not in force: landlock; to start without them, write \"allow_missing = landlock\" under [sandbox] in the ini file");
	assert_true(confine_enough(all, all & ~CONFINE_LANDLOCK, true, CONFINE_LANDLOCK, why));
	assert_string_equal(why, "");
	assert_true(confine_enough(all, all & ~CONFINE_LANDLOCK, false, 0, why));
	assert_non_null(strstr(why, "landlock"));
	assert_int_equal(in_child(enough_as_user, NULL), DONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_landlock_files),
		cmocka_unit_test(test_landlock_tcp),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_seccomp_misspelt),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_root_layers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_enough),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
