/*
 * share_name.c - see share_name.h.
 */
#include "libkms/base/share_name.h"

#include <string.h>

bool
share_name_ok(const char *name, size_t len)
{
	static const char may[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (len == 0 || len > SHARE_NAME || name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] == '\0' || strchr(may, name[i]) == NULL)
			return false;
	return true;
}
