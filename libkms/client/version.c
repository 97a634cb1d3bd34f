/*
 * version.c - the version of the library as built.
 */

#include "libkms/kms.h"

const char *
kms_version(void)
{
	return PACKAGE_VERSION;
}
