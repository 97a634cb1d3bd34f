/*
 * access.c - see access.h.
 */
#include "libkms/os/windows/access.h"

SECURITY_ATTRIBUTES *
access_for(struct access *a, unsigned mode)
{
	/* P: no inheritance. SY: the system, BA: administrators, OW: the owner, WD: everybody. */
	const wchar_t *list = mode == 0600 ? L"D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)"
			      : mode == 0644
				  ? L"D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)(A;;FR;;;WD)"
				  : NULL;

	a->attributes = (SECURITY_ATTRIBUTES){ .nLength = sizeof(a->attributes) };
	if (list == NULL || !ConvertStringSecurityDescriptorToSecurityDescriptorW(
				list, SDDL_REVISION_1, &a->attributes.lpSecurityDescriptor, NULL))
		return NULL;
	return &a->attributes;
}

void
access_free(struct access *a)
{
	LocalFree(a->attributes.lpSecurityDescriptor);
	a->attributes.lpSecurityDescriptor = NULL;
}
