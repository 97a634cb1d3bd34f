/*
 * client_names.h - which observed source has the name of a client: many names at once, within a
 * time.
 */
#ifndef KMSCTL_RELAY_CLIENT_NAMES_H
#define KMSCTL_RELAY_CLIENT_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum client_name_state {
	CLIENT_NAME_LATE,   /* not looked up: the time was over, or DNS answers nothing at all */
	CLIENT_NAME_SILENT, /* looked up, and DNS did not answer */
	CLIENT_NAME_NONE,   /* no address */
	CLIENT_NAME_FOUND,  /* it has addresses */
};

struct client_name {
	const char *name;
	enum client_name_state state; /* out */
	const void *source;           /* out: of `sources`, with one of its addresses; NULL: none */
};

struct client_names {
	struct client_name *names;
	size_t count;
	/* each begins with its address, 16 bytes; ascending, as memcmp(3) compares */
	const void *sources;
	size_t source_count, source_size;
	int64_t patience; /* ms, for all names together */
	FILE *progress;   /* NULL: none */
};

/* Looks up every name once. */
void client_names_look_up(struct client_names *n);

#endif
