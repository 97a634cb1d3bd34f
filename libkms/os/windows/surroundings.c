/*
 * surroundings.c - see surroundings.h.
 */
#include "libkms/os/surroundings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

/*
 * Windows has no program with the rights of another user than the one that started it. The
 * process's own environment: getenv has a copy for each C library, and the product has another one.
 */
char *
os_environment(const char *name)
{
	wchar_t *wide = wide_from(name), *value = NULL;
	DWORD size = wide == NULL ? 0 : GetEnvironmentVariableW(wide, NULL, 0);
	char *text = NULL;

	if (size > 0 && (value = calloc(size, sizeof(*value))) != NULL &&
	    GetEnvironmentVariableW(wide, value, size) < size)
		text = wide_to(value);
	free(value);
	free(wide);
	return text;
}

bool
os_host_name(char *out, size_t size)
{
	wchar_t wide[256];
	DWORD n = sizeof(wide) / sizeof(*wide);
	char *name;

	if (!GetComputerNameExW(ComputerNameDnsHostname, wide, &n) ||
	    (name = wide_to(wide)) == NULL)
		return false;
	snprintf(out, size, "%s", name);
	free(name);
	return true;
}

/* The user's, from the first of those that the desktop is shown in. */
const char *
os_language(void)
{
	switch (PRIMARYLANGID(GetUserDefaultUILanguage())) {
	case LANG_GERMAN:
		return "de";
	default:
		return "en";
	}
}

void
os_sleep(int ms)
{
	Sleep((DWORD)ms);
}
