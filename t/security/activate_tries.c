/*
 * activate_tries.c - does what a stranger's code would do: applies the real confinement of
 * kmsd-activate to itself, then tries one thing (tries.h).
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "kmsd/activate/activate_confine.h"
#include "kmsd/common/config.h"
#include "t/security/tries.h"

#define MEMLOCK (1024 * 1024)

/* The real lists and order, and nothing of it left out but what INI allows. */
static int
confine(const struct config *c)
{
	int state = open(c->state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t layers = activate_confine_early(c, state, MEMLOCK, MEMLOCK);
	char why[256];

	layers |= activate_confine_late(MEMLOCK);
	if (state != -1 && confine_enough(ACTIVATE_LAYERS, layers, true, c->allow_missing, why))
		return 0;
	fprintf(stderr, "%s\n", why);
	return -1;
}

int
main(int argc, char **argv)
{
	return tries_main(argc, argv, confine);
}
