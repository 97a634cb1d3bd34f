/*
 * supervisor_tries.c - does what a stranger's code in kmsd itself would do: gives up what kmsd
 * gives up once the activation process is ready, then tries one thing (tries.h).
 */
#include <stdio.h>

#include "kmsd/common/confine.h"
#include "kmsd/supervisor/capabilities.h"
#include "kmsd/supervisor/supervisor_confine.h"
#include "libkms/kms_error.h"
#include "t/security/tries.h"

static int
confine(const struct config *c)
{
	static struct supervisor s;

	s.config = *c;
	s.ini_path = s.libexec = "/";
	if (confine_no_new_privs() != KMS_OK)
		return -1;
	drop_capabilities();
	return supervisor_confine(&s) == KMS_OK ? 0 : -1;
}

int
main(int argc, char **argv)
{
	return tries_main(argc, argv, confine);
}
