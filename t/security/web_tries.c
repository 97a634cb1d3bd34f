/*
 * web_tries.c - stands where a stranger's code would stand: applies the real confinement of
 * kmsd-web to itself, then tries one thing (tries.h).
 */
#include <stdio.h>

#include "kmsd/common/config.h"
#include "kmsd/web/web_confine.h"
#include "t/security/tries.h"

/* The real list and order, and nothing of it left out but what INI allows. */
static int
confine(const struct config *c)
{
	char why[256];

	if (confine_enough(WEB_CONFINE_WANTED, web_confine(c, 64), true, c->allow_missing, why))
		return 0;
	fprintf(stderr, "%s\n", why);
	return -1;
}

int
main(int argc, char **argv)
{
	return tries_main(argc, argv, confine);
}
