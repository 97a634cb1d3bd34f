/*
 * landlock.c - the file system and the network as the kernel's Landlock can take them away
 * (landlock(7)). Debian 12's header knows ABI 2 at most, the running kernel often more: rights are
 * numbered here, and each ABI adds its own.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libkms/kms_error.h"
#include "kmsd/common/confine.h"

/* The same numbers on every architecture. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define RULESET_VERSION 1u /* LANDLOCK_CREATE_RULESET_VERSION */
#define RULE_NET_PORT 2 /* LANDLOCK_RULE_NET_PORT */
#define CONNECT_TCP 2u /* LANDLOCK_ACCESS_NET_CONNECT_TCP */
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

int
confine_landlock(int dirfd)
{
	bool tcp;

	return confine_landlock_connect(dirfd, NULL, 0, &tcp);
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

int
confine_landlock_connect(int dirfd, const uint16_t *ports, unsigned count, bool *tcp)
{
	struct ruleset r;
	struct path_beneath below = { .dirfd = dirfd };
	int fd, saved;
	long abi;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
	if (abi < 1)
		return KMS_E_SANDBOX;
	if (abi >= (long)(sizeof(abis) / sizeof(abis[0])))
		abi = sizeof(abis) / sizeof(abis[0]) - 1;
	r = (struct ruleset){ abis[abi].fs, abis[abi].net, abis[abi].scoped };
	fd = (int)syscall(SYS_landlock_create_ruleset, &r, abis[abi].size, 0);
	if (fd == -1)
		return KMS_E_SANDBOX;
	below.allowed = r.fs;
	*tcp = (r.net & CONNECT_TCP) != 0;
	if ((*tcp && allow_ports(fd, ports, count) == -1) ||
	    (dirfd >= 0 &&
		syscall(SYS_landlock_add_rule, fd, RULE_PATH_BENEATH, &below, 0) == -1) ||
	    syscall(SYS_landlock_restrict_self, fd, 0) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return KMS_E_SANDBOX;
	}
	close(fd);
	return KMS_OK;
}
