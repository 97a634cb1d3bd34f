/*
 * share_tries.c - stands where a stranger's code would stand: applies the real confinement of
 * kmsd-share to itself, then tries one thing (tries.h). KMS_TRY_PORT: the engine's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kmsd/common/config.h"
#include "kmsd/share/share_confine.h"
#include "t/security/tries.h"

/* The real list and order, and nothing of it left out but what INI allows. */
static int
confine(const struct config *c)
{
	const char *port = getenv("KMS_TRY_PORT");
	uint16_t ports[1] = { port != NULL ? (uint16_t)atoi(port) : 0 };
	char why[256];

	if (confine_enough(
		SHARE_CONFINE_WANTED, share_confine(c, ports, 1, 64), true, c->allow_missing, why))
		return 0;
	fprintf(stderr, "%s\n", why);
	return -1;
}

int
main(int argc, char **argv)
{
	return tries_main(argc, argv, confine);
}
