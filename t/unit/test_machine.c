/*
 * test_machine.c - virtual machine detection and the machine's id, shown machines made of files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libkms/client/machine.h"

#define CPU_PLAIN "processor\t: 0\nflags\t\t: fpu vme hypervisor_not de\nbugs\t\t: hypervisor\n"
#define CPU_VIRTUAL "processor\t: 0\nflags\t\t: fpu vme hypervisor de\n"

static const struct {
	const char *what;
	const char *files[4]; /* path, text, path, text */
	bool virtual_machine;
} machines[] = {
	{ "nothing to read", { NULL }, false },
	{ "a desktop",
	    { "/sys/class/dmi/id/sys_vendor", "Dell Inc.\n", "/proc/cpuinfo", CPU_PLAIN }, false },
	{ "Surface, of the vendor of Hyper-V",
	    { "/sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n" }, false },
	{ "Hyper-V", { "/sys/class/dmi/id/product_name", "Virtual Machine\n" }, true },
	{ "QEMU", { "/sys/class/dmi/id/sys_vendor", "QEMU\n" }, true },
	{ "VMware", { "/sys/class/dmi/id/product_name", "VMware Virtual Platform\n" }, true },
	{ "VirtualBox", { "/sys/class/dmi/id/bios_vendor", "innotek GmbH\n" }, true },
	{ "a hypervisor without DMI", { "/proc/cpuinfo", CPU_VIRTUAL }, true },
	{ "Docker", { "/.dockerenv", "" }, true },
	{ "Podman on a desktop", { "/run/.containerenv", "", "/proc/cpuinfo", CPU_PLAIN }, true },
	{ "Xen's first domain",
	    { "/proc/xen/capabilities", "control_d\n", "/proc/cpuinfo", CPU_VIRTUAL }, false },
	{ "another Xen domain", { "/proc/xen/capabilities", "", "/proc/cpuinfo", CPU_VIRTUAL },
	    true },
};

static void
put(const char *root, const char *path, const char *text)
{
	char name[256], *slash;
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (slash = strchr(name + strlen(root) + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(name, 0700);
		*slash = '/';
	}
	f = fopen(name, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
take_away(const char *root, const char *path)
{
	char name[256], *slash;

	snprintf(name, sizeof(name), "%s%s", root, path);
	unlink(name);
	while ((slash = strrchr(name, '/')) != NULL && slash > name + strlen(root)) {
		*slash = '\0';
		rmdir(name);
	}
}

static void
test_machines(void **arg)
{
	char root[] = "/tmp/test_machine.XXXXXX";
	size_t i, j;

	assert_non_null(mkdtemp(root));
	for (i = 0; i < sizeof(machines) / sizeof(*machines); i++) {
		bool is;

		for (j = 0; j < 4 && machines[i].files[j] != NULL; j += 2)
			put(root, machines[i].files[j], machines[i].files[j + 1]);
		is = machine_is_virtual(root);
		for (j = 0; j < 4 && machines[i].files[j] != NULL; j += 2)
			take_away(root, machines[i].files[j]);
		if (is != machines[i].virtual_machine)
			fail_msg("%s: %d", machines[i].what, is);
	}
	assert_int_equal(rmdir(root), 0);
}

#define ID "0123456789abcdef0123456789abcdef"

static const struct {
	const char *what;
	const char *text; /* NULL: no file */
	bool has;
} ids[] = {
	{ "an id", ID "\n", true },
	{ "without an end of line", ID, true },
	{ "no file", NULL, false },
	{ "an empty file", "", false },
	{ "an image before its first boot", "uninitialized\n", false },
	{ "zeros", "00000000000000000000000000000000\n", false },
	{ "too short", "0123456789abcdef0123456789abcde\n", false },
	{ "too long", ID "0\n", false },
	{ "capital letters", "0123456789ABCDEF0123456789ABCDEF\n", false },
	{ "a UUID with hyphens", "01234567-89ab-cdef-0123-456789abcdef\n", false },
	{ "a second line", ID "\n\n", false },
	{ "a space behind", ID " \n", false },
	{ "a space before", " " ID "\n", false },
};

static void
test_ids(void **arg)
{
	char root[] = "/tmp/test_machine.XXXXXX", id[MACHINE_ID + 1];
	size_t i;

	assert_non_null(mkdtemp(root));
	for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		bool has;

		if (ids[i].text != NULL)
			put(root, "/etc/machine-id", ids[i].text);
		has = machine_id(id, root);
		if (ids[i].text != NULL)
			take_away(root, "/etc/machine-id");
		if (has != ids[i].has)
			fail_msg("%s: %d", ids[i].what, has);
		if (has)
			assert_string_equal(id, ID);
	}
	assert_int_equal(rmdir(root), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines),
		cmocka_unit_test(test_ids),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
