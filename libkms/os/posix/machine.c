/*
 * machine.c - virtual machine and container detection on Linux, from what the
 * firmware calls itself, the processor's hypervisor flag and the marks that
 * container managers leave; and the machine's id.
 */
#include "libkms/client/machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libkms/os/hypervisors.h"

static const char *const dmi_files[] = {
	"/sys/class/dmi/id/sys_vendor",
	"/sys/class/dmi/id/product_name",
	"/sys/class/dmi/id/board_vendor",
	"/sys/class/dmi/id/bios_vendor",
};

/* The existence of such a file is enough. */
static const char *const container_files[] = {
	"/run/.containerenv",
	"/.dockerenv",
	"/run/systemd/container",
	"/run/host/container-manager",
	"/dev/lxd/sock",
};

/* Text of a small file; "" when it cannot be read. */
static void
slurp(char *out, size_t size, const char *root, const char *path)
{
	char name[512];
	ssize_t n = 0;
	size_t len = 0;
	int fd;

	out[0] = '\0';
	if (snprintf(name, sizeof(name), "%s%s", root, path) >= (int)sizeof(name))
		return;
	if ((fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)
		return;
	while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fd);
}

static bool
dmi_says_so(const char *root)
{
	char text[256];

	for (size_t i = 0; i < sizeof(dmi_files) / sizeof(*dmi_files); i++) {
		slurp(text, sizeof(text), root, dmi_files[i]);
		if (hypervisor_named(text))
			return true;
	}
	return false;
}

/* The flag as a word of a "flags" line; the first processor's is within the first pages. */
static bool
processor_says_so(const char *root)
{
	char text[8192], *line, *word, *lines, *words;

	slurp(text, sizeof(text), root, "/proc/cpuinfo");
	for (line = strtok_r(text, "\n", &lines); line != NULL;
	     line = strtok_r(NULL, "\n", &lines)) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		for (word = strtok_r(line, " \t:", &words); word != NULL;
		     word = strtok_r(NULL, " \t:", &words))
			if (strcmp(word, "hypervisor") == 0)
				return true;
	}
	return false;
}

static bool
container_says_so(const char *root)
{
	char name[512];
	size_t i;

	for (i = 0; i < sizeof(container_files) / sizeof(*container_files); i++)
		if (snprintf(name, sizeof(name), "%s%s", root, container_files[i]) <
			(int)sizeof(name) &&
		    access(name, F_OK) == 0)
			return true;
	return false;
}

/* Xen's first domain is the physical machine although it runs above the hypervisor. */
static bool
is_control_domain(const char *root)
{
	char text[128];

	slurp(text, sizeof(text), root, "/proc/xen/capabilities");
	return strstr(text, "control_d") != NULL;
}

bool
machine_is_virtual(const char *root)
{
	if (container_says_so(root))
		return true;
	if (is_control_domain(root))
		return false;
	return dmi_says_so(root) || processor_says_so(root);
}

/* "uninitialized", which an image has until its first boot, is no id, and neither is all zeros. */
bool
machine_id(char out[MACHINE_ID + 1], const char *root)
{
	char text[MACHINE_ID + 3];
	size_t len;

	slurp(text, sizeof(text), root, "/etc/machine-id");
	len = strspn(text, "0123456789abcdef");
	if (len != MACHINE_ID || strspn(text, "0") == len)
		return false;
	if (strcmp(text + len, "") != 0 && strcmp(text + len, "\n") != 0)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}
