/*
 * front_tries.c - does what a stranger's code would do: applies the real confinement of
 * kmsd-front to itself, then tries one thing (tries.h).
 */
#include <stdio.h>

#include "kmsd/common/config.h"
#include "kmsd/front/front_confine.h"
#include "t/security/tries.h"

/* The real list and order, and nothing of it left out but what INI allows. */
static int
confine(const struct config *c)
{
	char why[256];

	if (confine_enough(
		FRONT_CONFINE_WANTED, front_confine(c, 0, 64), true, c->allow_missing, why))
		return 0;
	fprintf(stderr, "%s\n", why);
	return -1;
}

int
main(int argc, char **argv)
{
	return tries_main(argc, argv, confine);
}
