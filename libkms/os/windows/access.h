/*
 * access.h - a mode of POSIX as the access list of a new file.
 */
#ifndef KMS_LIBKMS_OS_WINDOWS_ACCESS_H
#define KMS_LIBKMS_OS_WINDOWS_ACCESS_H

#include "libkms/os/windows/win.h"

struct access {
	SECURITY_ATTRIBUTES attributes;
};

/*
 * Its owner, administrators and the system may do everything; others may read if the mode says so,
 * and nothing is inherited from the folder. With a mode that is not one of 0600 and 0644 the folder
 * decides. NULL: it does, also without memory for the list; after that too, access_free.
 */
SECURITY_ATTRIBUTES *access_for(struct access *a, unsigned mode);
void access_free(struct access *a);

#endif
