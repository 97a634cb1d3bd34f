/*
 * resolve_confine.h - kmsd-resolve's own list of what it may do: read the resolver's settings, ask
 * name servers, send one message.
 */
#ifndef KMSD_RESOLVE_RESOLVE_CONFINE_H
#define KMSD_RESOLVE_RESOLVE_CONFINE_H

#include <stdint.h>

#include "kmsd/common/confine.h"

struct config;

#define RESOLVE_CONFINE_WANTED                                                                     \
	(CONFINE_NO_NEW_PRIVS | CONFINE_UID | CONFINE_LANDLOCK | CONFINE_SECCOMP |                 \
	    CONFINE_RLIMITS | CONFINE_NO_CORE)

/* Apply every layer that can be had. Returns those in force. */
uint32_t resolve_confine(const struct config *c);

#endif
