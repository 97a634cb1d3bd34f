/*
 * capabilities.c - see capabilities.h.
 */
#include "kmsd/supervisor/capabilities.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kmsd/common/log.h"

#define BIT(capability) (UINT64_C(1) << (capability))

static const struct {
	unsigned capability;
	bool serving; /* also once clients are served */
	const char *what_for;
} kept[] = {
	{ CAP_KILL, true, "ending children of another user" },
	{ CAP_SETUID, true, "a child's own user" },
	{ CAP_SETGID, true, "and group" },
	{ CAP_SYS_CHROOT, true, "a front's empty root" },
	{ CAP_SYS_ADMIN, false, "the activation process's network namespace" },
	{ CAP_SYS_RESOURCE, false, "its limit of locked memory" },
	{ CAP_IPC_LOCK, false, "and locking it, until it has another user" },
	{ CAP_DAC_OVERRIDE, false, "directories of another user's on the way to what kmsd opens" },
	{ CAP_DAC_READ_SEARCH, false, "the same, to read only: drop_more_capabilities" },
	{ CAP_SETPCAP, false, "giving up the rest of these" },
};

static uint64_t
kept_mask(bool serving)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (kept[i].serving || !serving)
			mask |= BIT(kept[i].capability);
	return mask;
}

/* The bounding set first: changing it needs a capability that is dropped next. */
static int
shrink_bounding_set(uint64_t mask)
{
	unsigned c;

	for (c = 0; c < 64; c++) {
		if ((mask & BIT(c)) != 0 || prctl(PR_CAPBSET_READ, c, 0, 0, 0) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == -1)
			return -1;
	}
	return 0;
}

/* An empty inheritable set empties the ambient one. */
static int
shrink_own_sets(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	unsigned i;

	if (syscall(SYS_capget, &header, sets) == -1)
		return -1;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t)(permitted >> 32 * i);
		sets[i].effective = sets[i].permitted & (uint32_t)(effective >> 32 * i);
		sets[i].inheritable = 0;
	}
	return (int)syscall(SYS_capset, &header, sets);
}

static void
shrink(uint64_t mask)
{
	/* Not a layer of the children's sandbox: they drop all of it with their user. */
	if ((geteuid() == 0 && shrink_bounding_set(mask) == -1) ||
	    shrink_own_sets(mask, mask) == -1)
		log_event(LOG_NOTICE, "capabilities-kept", "kmsd keeps rights of root: %s",
		    strerror(errno));
}

void
drop_capabilities(void)
{
	if (geteuid() == 0)
		shrink(kept_mask(false));
}

/*
 * What root cannot reach without rights beyond a file's owner: the ini file, the programs or the
 * runtime directory, when they are in a directory of somebody else. False: nothing.
 */
static bool
out_of_reach(const struct supervisor *s, char path[512])
{
	const struct {
		const char *directory, *name;
		int how;
	} needed[] = {
		{ s->ini_path, "", R_OK },
		{ s->libexec, "/kmsd-front", X_OK },
		{ s->config.runtime_directory, "/empty", X_OK },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		snprintf(path, 512, "%s%s", needed[i].directory, needed[i].name);
		if (faccessat(AT_FDCWD, path, needed[i].how, AT_EACCESS) == -1 && errno == EACCES)
			return true;
	}
	return false;
}

/* The least of the rights to pass over modes of files with which everything can be reached. */
static uint64_t
reach(const struct supervisor *s, uint64_t mask)
{
	static const struct {
		uint64_t right;
		const char *name;
	} rights[] = {
		{ BIT(CAP_DAC_READ_SEARCH), "CAP_DAC_READ_SEARCH" },
		{ BIT(CAP_DAC_OVERRIDE), "CAP_DAC_OVERRIDE" },
	};
	char path[512], now[512];

	if (shrink_own_sets(UINT64_MAX, mask) == -1 || !out_of_reach(s, path))
		return 0;
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		if (shrink_own_sets(UINT64_MAX, mask | rights[i].right) == -1 ||
		    out_of_reach(s, now))
			continue;
		log_event(LOG_NOTICE, "capabilities-kept",
		    "kmsd keeps %s, since root cannot reach %s without it: give the file and its directories to root, or let others read them",
		    rights[i].name, path);
		return rights[i].right;
	}
	return 0;
}

void
drop_more_capabilities(const struct supervisor *s)
{
	uint64_t mask = 0;

	if (geteuid() == 0) {
		mask = kept_mask(true);
		mask |= reach(s, mask);
		/* Back, to change the bounding set. */
		shrink_own_sets(UINT64_MAX, UINT64_MAX);
	}
	shrink(mask);
}
