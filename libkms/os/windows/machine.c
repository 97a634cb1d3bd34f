/*
 * machine.c - see machine.h: what the firmware calls itself, as Windows keeps it, the processor's
 * hypervisor, and the id that the installation of Windows made for this machine.
 */
#include "libkms/client/machine.h"

#include <cpuid.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/os/hypervisors.h"
#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

/* malloc'd; NULL: there is no such text. */
static char *
registry(const wchar_t *key, const wchar_t *name)
{
	wchar_t text[256];
	DWORD size = sizeof(text);

	/* The 64-bit view for a 32-bit program too: the other has no MachineGuid. */
	if (RegGetValueW(HKEY_LOCAL_MACHINE, key, name, RRF_RT_REG_SZ | RRF_SUBKEY_WOW6464KEY, NULL,
		text, &size) != ERROR_SUCCESS)
		return NULL;
	return wide_to(text);
}

static bool
firmware_says_so(void)
{
	static const wchar_t *const names[] = { L"SystemManufacturer", L"SystemProductName",
		L"BaseBoardManufacturer", L"BIOSVendor" };
	bool is = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !is; i++) {
		char *text = registry(L"HARDWARE\\DESCRIPTION\\System\\BIOS", names[i]);

		is = text != NULL && hypervisor_named(text);
		free(text);
	}
	return is;
}

/*
 * Windows itself may run above Hyper-V on the physical machine, for its own protection: then it may
 * make partitions, and that is no virtual machine.
 */
static bool
processor_says_so(void)
{
	const unsigned hypervisor_bit = 1u << 31, leaf = 0x40000000u, may_create = 1u;
	unsigned a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & hypervisor_bit) == 0)
		return false;
	__cpuid(leaf, a, b, c, d);
	if (b != 0x7263694du || c != 0x666f736fu || d != 0x76482074u) /* "Microsoft Hv" */
		return true;
	__cpuid(leaf + 3, a, b, c, d);
	return (b & may_create) == 0;
}

/* root is for machines that are made of files, which Windows is not. */
bool
machine_is_virtual(const char *root)
{
	return root[0] == '\0' && (firmware_says_so() || processor_says_so());
}

bool
machine_id(char out[MACHINE_ID + 1], const char *root)
{
	char *text =
	    root[0] != '\0' ? NULL : registry(L"SOFTWARE\\Microsoft\\Cryptography", L"MachineGuid");
	size_t n = 0;

	if (text == NULL)
		return false;
	for (const char *at = text; *at != '\0' && n <= MACHINE_ID; at++)
		if (isxdigit((unsigned char)*at) && n < MACHINE_ID)
			out[n++] = (char)tolower((unsigned char)*at);
		else if (*at != '-')
			n = MACHINE_ID + 1;
	free(text);
	if (n != MACHINE_ID)
		return false;
	out[n] = '\0';
	return strspn(out, "0") != n;
}
