/*
 * folder.c - see t/lib/folder.h.
 */
#include "t/lib/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/os/windows/wide.h"
#include "libkms/os/windows/win.h"

bool
folder_make(char path[FOLDER_PATH])
{
	wchar_t place[MAX_PATH];
	LARGE_INTEGER now;
	char *text;

	if (GetTempPathW(MAX_PATH, place) == 0 || (text = wide_to(place)) == NULL)
		return false;
	QueryPerformanceCounter(&now);
	snprintf(path, FOLDER_PATH, "%skms-unit.%lu.%lld", text, GetCurrentProcessId(),
	    (long long)now.QuadPart);
	free(text);
	return folder_add(path);
}

bool
folder_add(const char *path)
{
	wchar_t *wide = wide_path(path);
	bool made = wide != NULL && CreateDirectoryW(wide, NULL);

	free(wide);
	return made;
}

/* All that is more than to read. Wine adds the right to execute to that to read. */
#define CHANGES                                                                                    \
	(FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES | DELETE |     \
	    WRITE_DAC | WRITE_OWNER)

/* What everybody may do by this list. */
static DWORD
rights_of_everybody(ACL *list)
{
	BYTE everybody[SECURITY_MAX_SID_SIZE];
	DWORD size = sizeof(everybody), rights = 0;
	ACCESS_ALLOWED_ACE *ace;

	if (!CreateWellKnownSid(WinWorldSid, NULL, everybody, &size))
		return 0;
	for (DWORD i = 0; i < list->AceCount; i++)
		if (GetAce(list, i, (void **)&ace) &&
		    ace->Header.AceType == ACCESS_ALLOWED_ACE_TYPE &&
		    EqualSid(&ace->SidStart, everybody))
			rights |= ace->Mask;
	return rights;
}

unsigned
folder_mode(const char *path)
{
	wchar_t *wide = wide_path(path);
	PSECURITY_DESCRIPTOR all = NULL;
	ACL *list = NULL;
	unsigned mode = 0;
	DWORD rights;

	if (wide != NULL &&
	    GetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL,
		&list, NULL, &all) == ERROR_SUCCESS &&
	    list != NULL) {
		rights = rights_of_everybody(list);
		if (rights == 0)
			mode = 0600;
		else if ((rights & FILE_READ_DATA) != 0 && (rights & CHANGES) == 0)
			mode = 0644;
	}
	LocalFree(all);
	free(wide);
	return mode;
}

/* Only some users may make links, and Wine makes none. */
bool
folder_link(const char *path)
{
	return false;
}

bool
folder_limit(size_t bytes)
{
	return false;
}
