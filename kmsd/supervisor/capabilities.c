/*
 * capabilities.c - what root keeps once everything is open: enough to start, confine and end a
 * child again, and no more. Children cannot regain what is removed from the bounding set here.
 */
#include "kmsd/supervisor/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kmsd/common/log.h"

static const struct {
	unsigned capability;
	const char *what_for;
} kept[] = {
	{ CAP_KILL, "ending children of another user" },
	{ CAP_SETUID, "a child's own user" },
	{ CAP_SETGID, "and group" },
	{ CAP_SYS_CHROOT, "a child's empty root" },
	{ CAP_SYS_ADMIN, "a child's network namespace" },
	{ CAP_SYS_RESOURCE, "raising a child's limit of descriptors or locked memory" },
	{ CAP_IPC_LOCK, "a child's locked memory until it drops root" },
	{ CAP_NET_ADMIN, "buffers of channels beyond net.core.wmem_max" },
	{ CAP_DAC_OVERRIDE, "reading an ini file that does not belong to root" },
};

static uint64_t
kept_mask(void)
{
	uint64_t mask = 0;
	size_t i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		mask |= UINT64_C(1) << kept[i].capability;
	return mask;
}

/* The bounding set first: changing it needs a capability that is dropped next. */
static int
shrink_bounding_set(uint64_t mask)
{
	unsigned c;

	for (c = 0; c < 64; c++) {
		if ((mask & UINT64_C(1) << c) != 0 || prctl(PR_CAPBSET_READ, c, 0, 0, 0) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == -1)
			return -1;
	}
	return 0;
}

static int
shrink_own_sets(uint64_t mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	unsigned i;

	if (syscall(SYS_capget, &header, sets) == -1)
		return -1;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t)(mask >> 32 * i);
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	return (int)syscall(SYS_capset, &header, sets);
}

void
drop_capabilities(void)
{
	uint64_t mask = kept_mask();

	if (geteuid() != 0)
		return;
	/* Not a layer of the children's sandbox: they drop all of it with their user. */
	if (shrink_bounding_set(mask) == -1 || shrink_own_sets(mask) == -1)
		log_event(LOG_NOTICE, "capabilities-kept",
		    "kmsd keeps all of root's capabilities: %s", strerror(errno));
}
