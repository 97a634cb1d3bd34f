/*
 * activate_confined.c - tries what kmsd-activate may never do, from inside a process that the
 * real confine.c has confined; then looks at the running process, thread by thread.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmsd/activate/activate_confine.h"
#include "kmsd/common/config_text.h"
#include "libkms/kms_error.h"
#include "t/lib/appliance.h"
#include "t/lib/tap.h"

#define MEMLOCK (1024 * 1024)
#define NOT_CONFINED 99

/* A probe returns 0 when it got what it tried for, else errno. */
struct place {
	int dir, outside;
	uint32_t layers;
};

static int
result(int fd)
{
	return fd >= 0 ? 0 : errno;
}

static int
inet_socket(struct place *p)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
inet6_socket(struct place *p)
{
	return result(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int
packet_socket(struct place *p)
{
	return result(socket(AF_PACKET, SOCK_RAW, 0));
}

static int
unix_socket(struct place *p)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
inet_bind(struct place *p)
{
	struct sockaddr sa = { .sa_family = AF_INET };

	return result(bind(p->outside, &sa, sizeof(sa)));
}

static int
execute(struct place *p)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int
trace(struct place *p)
{
	return result((int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int
new_process(struct place *p)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
signal_parent(struct place *p)
{
	return result(kill(getppid(), SIGTERM));
}

static int
become_root(struct place *p)
{
	return result(setresuid(0, 0, 0));
}

static int
new_code(struct place *p)
{
	void *m = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return m != MAP_FAILED ? 0 : errno;
}

static int
mount_something(struct place *p)
{
	return result(unshare(0x10000000)); /* CLONE_NEWUSER */
}

static int
read_passwd(struct place *p)
{
	return result(openat(AT_FDCWD, "/etc/passwd", O_RDONLY));
}

static int
read_above(struct place *p)
{
	return result(openat(p->dir, "../secret", O_RDONLY));
}

static int
list_above(struct place *p)
{
	return result(openat(p->outside, ".", O_RDONLY | O_DIRECTORY));
}

static int
write_outside(struct place *p)
{
	return result(openat(p->outside, "made", O_WRONLY | O_CREAT, 0600));
}

static int
write_inside(struct place *p)
{
	int fd = openat(p->dir, "made", O_RDWR | O_CREAT, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || fdatasync(fd) != 0 || ftruncate(fd, 100) != 0 ||
	    fallocate(fd, 0, 0, 4096) != 0 || renameat(p->dir, "made", p->dir, "kept") != 0)
		return errno;
	return unlinkat(p->dir, "kept", 0) == 0 ? 0 : errno;
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
new_thread(struct place *p)
{
	pthread_t t;
	int rc = pthread_create(&t, NULL, nothing, NULL);

	return rc != 0 ? rc : pthread_join(t, NULL);
}

static int
not_root(struct place *p)
{
	return getuid() != 0 && geteuid() != 0 ? 0 : EPERM;
}

static const struct probe {
	const char *name;
	int (*run)(struct place *p);
	enum { WORKS, REFUSED, ENDED } expect;
} probes[] = {
	{ "a file in the state directory", write_inside, WORKS },
	{ "not root", not_root, WORKS },
	{ "an IPv4 socket", inet_socket, REFUSED },
	{ "an IPv6 socket", inet6_socket, REFUSED },
	{ "a packet socket", packet_socket, REFUSED },
	{ "a Unix socket", unix_socket, REFUSED },
	{ "reading /etc/passwd", read_passwd, REFUSED },
	{ "reading a file beside the state directory", read_above, REFUSED },
	{ "listing the directory above", list_above, REFUSED },
	{ "writing outside the state directory", write_outside, REFUSED },
	{ "binding", inet_bind, ENDED },
	{ "executing a program", execute, ENDED },
	{ "ptrace", trace, ENDED },
	{ "a new process", new_process, ENDED },
	{ "a new thread", new_thread, ENDED },
	{ "a signal to another process", signal_parent, ENDED },
	{ "becoming root", become_root, ENDED },
	{ "memory to be executed", new_code, ENDED },
	{ "a user namespace", mount_something, ENDED },
};

static void
confined(const struct probe *probe, struct place *p, const struct config *c)
{
	uint32_t wanted = ACTIVATE_LAYERS;

	if (geteuid() != 0)
		wanted &= ~(uint32_t)(CONFINE_UID | CONFINE_NETNS);
	p->layers = activate_confine_early(c, p->dir, MEMLOCK, MEMLOCK);
	p->layers |= activate_confine_late(MEMLOCK);
	if ((p->layers & wanted) != wanted)
		_exit(NOT_CONFINED);
	_exit(probe->run(p));
}

static void
try_one(const struct probe *probe, struct place *p, const struct config *c)
{
	int status = 0, code;
	bool passed;
	pid_t pid = fork();

	if (pid == 0)
		confined(probe, p, c);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		player_die("fork");
	code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	switch (probe->expect) {
	case WORKS:
		passed = code == 0;
		break;
	case REFUSED:
		passed = code == EPERM || code == EACCES;
		break;
	default:
#ifdef KMS_SANITIZED
		/* The sanitizers' own attempts at some of these must not end the process. */
		passed = code == -SIGSYS || code == EPERM || code == EAGAIN;
#else
		passed = code == -SIGSYS;
#endif
	}
	ok(passed, "%s: %s%s", probe->name,
	    code == 0              ? "works"
	    : code == NOT_CONFINED ? "NOT CONFINED"
	    : code < 0             ? "ended by "
				   : "refused: ",
	    code == 0 || code == NOT_CONFINED ? ""
	    : code < 0                        ? strsignal(-code)
					      : strerror(code));
}

/* -- the running process -- */

static unsigned
field(const char *path, const char *name)
{
	char line[256];
	unsigned v = 9999;
	FILE *f = fopen(path, "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0)
			v = (unsigned)strtoul(line + strlen(name), NULL, 10);
	}
	if (f != NULL)
		fclose(f);
	return v;
}

static void
every_thread(struct appliance *a)
{
	char path[300];
	unsigned threads = 0, bound = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)a->pid);
	if ((d = opendir(path)) == NULL)
		player_die(path);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)a->pid, e->d_name);
		threads++;
		bound += field(path, "Seccomp:") == 2 && field(path, "NoNewPrivs:") == 1 &&
			 (geteuid() != 0 || field(path, "Uid:") != 0);
	}
	closedir(d);
	ok(threads > 0 && bound == threads, "%u threads of kmsd-activate, %u confined", threads,
	    bound);
}

static void
running(void)
{
	uint32_t wanted = ACTIVATE_LAYERS;
	struct appliance a;
	char names[128];
	uint32_t rc;

	if (geteuid() != 0)
		wanted &= ~(uint32_t)(CONFINE_UID | CONFINE_NETNS);
	appliance_make(&a, "");
	rc = appliance_start(&a);
	ok(rc == KMS_OK, "kmsd-activate starts: %s", kms_strerror(rc));
	confine_names(names, sizeof(names), a.layers);
	ok((a.layers & wanted) == wanted, "it tells kmsd: %s", names);
	every_thread(&a);
	/* The writer thread too must be able to do its work. */
	rc = appliance_control(&a, CONTROL_CHECKPOINT, NULL, NULL, NULL, NULL, NULL, 0);
	ok(rc == KMS_OK && appliance_alive(&a), "a checkpoint under confinement: %s",
	    kms_strerror(rc));
	ok(appliance_stop(&a) == 0, "stops with status 0");
	if (tap_failed() > 0)
		appliance_log_show(&a);
	appliance_remove(&a);
}

int
main(void)
{
	struct passwd *nobody = getpwnam("nobody");
	char top[] = "/tmp/kms-confined.XXXXXX", path[64];
	struct place p = { 0 };
	struct config c;

	config_defaults(&c);
	snprintf(c.activate_user, sizeof(c.activate_user), "nobody");
	snprintf(path, sizeof(path), "%s", mkdtemp(top) != NULL ? top : "/nonexistent");
	/* Permissions are not what refuses here: the directory above is anybody's. */
	chmod(top, 0777);
	p.outside = open(top, O_RDONLY | O_DIRECTORY);
	close(openat(p.outside, "secret", O_WRONLY | O_CREAT, 0644));
	if (mkdirat(p.outside, "state", 0700) != 0 ||
	    (p.dir = openat(p.outside, "state", O_RDONLY | O_DIRECTORY)) < 0)
		player_die(path);
	if (geteuid() == 0 &&
	    (nobody == NULL || fchown(p.dir, nobody->pw_uid, nobody->pw_gid) != 0))
		player_die("user nobody");
	if (geteuid() != 0)
		printf(
		    "# as a plain user: the change of user and the empty network are not tried\n");
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++)
		try_one(&probes[i], &p, &c);
	unlinkat(p.outside, "state", AT_REMOVEDIR);
	unlinkat(p.outside, "secret", 0);
	rmdir(top);
	running();
	return tap_done();
}
