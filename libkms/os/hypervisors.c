/*
 * hypervisors.c - see hypervisors.h.
 */
#include "libkms/os/hypervisors.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* As systemd-detect-virt(1) knows them. */
static const char *const marks[] = {
	"KVM",
	"QEMU",
	"VMware",
	"VMW",
	"innotek GmbH",
	"VirtualBox",
	"Xen",
	"Bochs",
	"Parallels",
	"BHYVE",
	"Virtual Machine",
	"HVM domU",
	"Amazon EC2",
	"Google Compute Engine",
	"OpenStack",
	"DigitalOcean",
	"Hetzner",
	"Apple Virtualization",
	"Nutanix",
};

static bool
contains(const char *text, const char *mark)
{
	for (size_t len = strlen(mark); *text != '\0'; text++)
		if (strncasecmp(text, mark, len) == 0)
			return true;
	return false;
}

bool
hypervisor_named(const char *text)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (contains(text, marks[i]))
			return true;
	return false;
}
