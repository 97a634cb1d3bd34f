/*
 * confine.c - the layers' names, lists of them, and whether those in force are enough.
 */
#include "kmsd/common/confine.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *const layer_names[CONFINE_LAYERS] = { "no-new-privs", "uid", "chroot", "netns",
	"landlock", "seccomp", "rlimits", "no-core" };

const char *
confine_layer_name(unsigned bit)
{
	return bit < CONFINE_LAYERS ? layer_names[bit] : "unknown";
}

void
confine_names(char *out, size_t size, uint32_t layers)
{
	size_t used = 0;
	unsigned i;
	int n;

	if (size > 0)
		out[0] = '\0';
	for (i = 0; i < CONFINE_LAYERS && used < size; i++) {
		if ((layers & 1u << i) == 0)
			continue;
		n = snprintf(out + used, size - used, "%s%s", used ? " " : "", layer_names[i]);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

bool
confine_parse(uint32_t *layers, const char *names)
{
	size_t len;
	unsigned i;

	*layers = 0;
	for (names += strspn(names, " \t"); *names != '\0'; names += strspn(names, " \t")) {
		len = strcspn(names, " \t");
		for (i = 0; i < CONFINE_LAYERS; i++)
			if (strlen(layer_names[i]) == len &&
			    memcmp(layer_names[i], names, len) == 0)
				break;
		if (i == CONFINE_LAYERS)
			return false;
		*layers |= 1u << i;
		names += len;
	}
	return true;
}

bool
confine_enough(
    uint32_t wanted, uint32_t in_force, bool required, uint32_t allow_missing, char why[256])
{
	uint32_t missing = wanted & ~in_force & ~allow_missing;
	char names[64];

	why[0] = '\0';
	/*
	 * Only a process that began as root can have the uid layer in force: a process with
	 * neither the layer nor root's uid was started by a plain user and cannot have these
	 * three.
	 */
	if (geteuid() != 0 && (in_force & CONFINE_UID) == 0)
		missing &= ~(uint32_t)(CONFINE_UID | CONFINE_CHROOT | CONFINE_NETNS);
	if (missing == 0)
		return true;
	confine_names(names, sizeof(names), missing);
	snprintf(why, 256,
	    "sandbox layers not in force: %s; to start without them, write \"allow_missing = %s\" under [sandbox] in the ini file",
	    names, names);
	return !required;
}

static const struct {
	enum confine_layer layer;
	int capability;
	const char *name;
} needed[] = {
	{ CONFINE_UID, CAP_SETUID, "CAP_SETUID" },
	{ CONFINE_UID, CAP_SETGID, "CAP_SETGID" },
	{ CONFINE_CHROOT, CAP_SYS_CHROOT, "CAP_SYS_CHROOT" },
	{ CONFINE_NETNS, CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
};
#define NEEDED (sizeof(needed) / sizeof(needed[0]))

uint32_t
confine_forbidden(void)
{
	uint32_t forbidden = 0;

	for (size_t i = 0; i < NEEDED; i++)
		if (prctl(PR_CAPBSET_READ, needed[i].capability, 0, 0, 0) == 0)
			forbidden |= UINT32_C(1) << i;
	return forbidden;
}

const char *
confine_lacks(uint32_t forbidden, uint32_t layers)
{
	for (size_t i = 0; i < NEEDED; i++)
		if ((forbidden & UINT32_C(1) << i) != 0 && (layers & needed[i].layer) != 0)
			return needed[i].name;
	return NULL;
}
