/*
 * problems.h - what the person on duty should look at, worst first, with what to do.
 */
#ifndef KMSD_WEB_PROBLEMS_H
#define KMSD_WEB_PROBLEMS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/web/known.h"

struct problem {
	bool bad; /* clients are not served as they should; else it is a warning */
	char text[256];
	const char *remedy;
};
#define PROBLEMS_MAX 64

unsigned problems_find(const struct known *k, uint64_t now, struct problem out[PROBLEMS_MAX]);

#endif
