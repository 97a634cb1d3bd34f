/*
 * landlock.c - restricts the file system and the network with the kernel's Landlock (landlock(7)).
 * Debian 12's header knows at most ABI 2, the running kernel often more: so the rights are
 * numbered here, and each ABI adds its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kmsd/common/confine.h"
#include "libkms/kms_error.h"

/* The same numbers on every architecture. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define RULESET_VERSION 1u  /* LANDLOCK_CREATE_RULESET_VERSION */
#define RULE_NET_PORT 2     /* LANDLOCK_RULE_NET_PORT */
#define CONNECT_TCP 2u      /* LANDLOCK_ACCESS_NET_CONNECT_TCP */
#define READ_FILE 4u        /* LANDLOCK_ACCESS_FS_READ_FILE */
#define RULE_PATH_BENEATH 1 /* LANDLOCK_RULE_PATH_BENEATH */

struct ruleset { /* struct landlock_ruleset_attr of ABI 6 */
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

struct net_port {
	uint64_t allowed;
	uint64_t port;
};

struct path_beneath {
	uint64_t allowed;
	int32_t dirfd;
} __attribute__((packed));

/*
 * What each ABI handles. fs: 13 rights at first, then REFER (2), TRUNCATE (3), IOCTL_DEV (5). net:
 * TCP bind and connect (4). scoped: abstract Unix sockets and signals (6). size: of its struct
 * ruleset.
 */
static const struct {
	uint64_t fs, net, scoped;
	size_t size;
} abis[] = {
	{ 0, 0, 0, 0 },
	{ 0x1fff, 0, 0, 8 },
	{ 0x3fff, 0, 0, 8 },
	{ 0x7fff, 0, 0, 8 },
	{ 0x7fff, 3, 0, 16 },
	{ 0xffff, 3, 0, 16 },
	{ 0xffff, 3, 3, 24 },
};

static long
known_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
	long most = sizeof(abis) / sizeof(abis[0]) - 1;

	return abi < most ? abi : most;
}

/* Handles all rights of this ABI, and grants none yet. The ruleset, or -1. */
static int
begin(struct ruleset *r)
{
	long abi = known_abi();

	if (abi < 1)
		return -1;
	*r = (struct ruleset){ abis[abi].fs, abis[abi].net, abis[abi].scoped };
	return (int)syscall(SYS_landlock_create_ruleset, r, abis[abi].size, 0);
}

static int
allow_ports(int ruleset, const uint16_t *ports, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct net_port port = { CONNECT_TCP, ports[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &port, 0) == -1)
			return -1;
	}
	return 0;
}

static int
allow_beneath(int ruleset, int fd, uint64_t rights)
{
	struct path_beneath below = { rights, fd };

	return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &below, 0);
}

/* A link is followed: the rule is for the file. A missing file needs no rule. */
static int
allow_file(int ruleset, const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC), rc;

	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
	rc = allow_beneath(ruleset, fd, READ_FILE);
	close(fd);
	return rc;
}

/* Applies the ruleset if all rules could be added. Closes it. */
static int
finish(int ruleset, bool added)
{
	int rc =
	    added && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? KMS_OK : KMS_E_SANDBOX;
	int saved = errno;

	close(ruleset);
	errno = saved;
	return rc;
}

int
confine_landlock(int dirfd)
{
	bool tcp;

	return confine_landlock_connect(dirfd, NULL, 0, &tcp);
}

int
confine_landlock_connect(int dirfd, const uint16_t *ports, unsigned count, bool *tcp)
{
	struct ruleset r;
	int ruleset = begin(&r);

	if (ruleset == -1)
		return KMS_E_SANDBOX;
	*tcp = (r.net & CONNECT_TCP) != 0;
	return finish(ruleset, (!*tcp || allow_ports(ruleset, ports, count) == 0) &&
				   (dirfd < 0 || allow_beneath(ruleset, dirfd, r.fs) == 0));
}

int
confine_landlock_read(const char *const *files, const uint16_t *ports, unsigned count, bool *tcp)
{
	struct ruleset r;
	int ruleset = begin(&r);
	bool added;

	if (ruleset == -1)
		return KMS_E_SANDBOX;
	*tcp = (r.net & CONNECT_TCP) != 0;
	added = !*tcp || allow_ports(ruleset, ports, count) == 0;
	for (; added && *files != NULL; files++)
		added = allow_file(ruleset, *files) == 0;
	return finish(ruleset, added);
}
