/*
 * confine.h - the layers of the sandbox, and applying them. Each process has its own list (system
 * calls, paths, limits) in its folder.
 */
#ifndef KMSD_COMMON_CONFINE_H
#define KMSD_COMMON_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/kms_error.h"

enum confine_layer {
	CONFINE_NO_NEW_PRIVS = 1 << 0,
	CONFINE_UID = 1 << 1,      /* own user, no groups */
	CONFINE_CHROOT = 1 << 2,   /* empty root */
	CONFINE_NETNS = 1 << 3,    /* network namespace without interfaces */
	CONFINE_LANDLOCK = 1 << 4, /* file system (and TCP where the kernel can) */
	CONFINE_SECCOMP = 1 << 5,
	CONFINE_RLIMITS = 1 << 6,
	CONFINE_NO_CORE = 1 << 7, /* not dumpable, RLIMIT_CORE 0 */
};
#define CONFINE_LAYERS 8
/* "no-new-privs", "uid", "chroot", "netns", "landlock", "seccomp", "rlimits", "no-core" */
const char *confine_layer_name(unsigned bit);
/* "uid landlock seccomp" into out. */
void confine_names(char *out, size_t size, uint32_t layers);
/* Layers from a blank-separated list; false on an unknown name. */
bool confine_parse(uint32_t *layers, const char *names);

/*
 * The capabilities for layers that this process, and all that it starts, can never have: a
 * container was not given them. Read before any layer is applied, for confine_lacks.
 */
uint32_t confine_forbidden(void);
/* "CAP_SYS_ADMIN": the first of them that one of these layers needs; NULL: none. */
const char *confine_lacks(uint32_t forbidden, uint32_t layers);

/* What one of the functions below said, as a bit of the layers in force. */
static inline uint32_t
confine_layer_if(int status, uint32_t layer)
{
	return status == KMS_OK ? layer : 0;
}

/* Each applies one layer: KMS_OK or KMS_E_SANDBOX (errno says more). */
int confine_no_core(void);
int confine_no_new_privs(void);
/* by name; looked up before chroot: see confine_user_ids */
int confine_user(const char *user);
int confine_user_ids(unsigned uid, unsigned gid);
int confine_chroot(const char *dir);
/* runtime_directory/empty, which is root's own; it is made if it is missing */
int confine_empty_root(const char *runtime_directory);
int confine_network_namespace(void);
/*
 * Allows nothing in the file system but what is beneath dirfd (-1: nothing at all), no TCP bind
 * and no connect. Needs no_new_privs first. It applies to the calling thread and to threads that
 * it starts later.
 */
int confine_landlock(int dirfd);
/*
 * The same, but TCP connections to these ports stay possible. A kernel without the TCP rights (ABI
 * < 4) restricts no connections: *tcp says whether it does.
 */
int confine_landlock_connect(int dirfd, const uint16_t *ports, unsigned count, bool *tcp);
/*
 * Allows nothing in the file system but reading these files (NULL-ended; a missing one is
 * skipped), and TCP connections to these ports.
 */
int confine_landlock_read(
    const char *const *files, const uint16_t *ports, unsigned count, bool *tcp);

struct confine_rlimits {
	/* RLIMIT_NOFILE; RLIMIT_NPROC, RLIMIT_CORE are always 0 or as low as can be */
	uint64_t files;
	uint64_t memlock; /* bytes, 0: leave */
	/* bytes, 0: leave; UINT64_MAX: none may be written. Left when the log is a file */
	uint64_t file_size;
	/* RLIMIT_NPROC: 0 none, nor threads; UINT64_MAX: leave (a process that starts threads) */
	uint64_t processes;
};
int confine_rlimits(const struct confine_rlimits *l);

/*
 * seccomp allow-list through libseccomp. allow ends with NULL; "name" allows the call, and
 * "name@what" allows it for some arguments: the rows are in seccomp.c. A call in deny_errno
 * (NULL-ended) that is not allowed gets EPERM; every other call ends the process (SIGSYS, which
 * the supervisor logs with the name of the process). confine_base_calls (memory without
 * PROT_EXEC, locks, time, read, write, close, exit) are always allowed; the list names what else
 * the work of the process needs. All threads of the process are bound. KMS_E_SANDBOX: errno says
 * why (EINVAL: no row or system call has that name).
 */
extern const char *const confine_base_calls[];
int confine_seccomp(const char *const *allow, const char *const *deny_errno);
/*
 * The same for a process that starts others, which inherit the list: it has to hold what they need
 * before and after they apply their own. A call that is not in it gets EPERM and nothing more,
 * since libraries that these processes load (name services) try what we cannot list; what ends a
 * process is in its own list.
 */
int confine_seccomp_around(const char *const *allow);
/* The calls of both lists, and the NULL at the end, into out. */
void confine_calls_join(const char **out, const char *const *first, const char *const *second);

/*
 * Which of wanted may be missing: as a plain user UID, CHROOT and NETNS always may; others only
 * when the ini file's [sandbox] says so. True when layers in force are enough; else why names the
 * missing ones and what to write in the ini file.
 */
bool confine_enough(
    uint32_t wanted, uint32_t in_force, bool required, uint32_t allow_missing, char why[256]);

#endif
