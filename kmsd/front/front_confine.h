/*
 * front_confine.h - the front's own list of what it may do: nothing but its sockets.
 */
#ifndef KMSD_FRONT_FRONT_CONFINE_H
#define KMSD_FRONT_FRONT_CONFINE_H

#include <stdint.h>

#include "kmsd/common/confine.h"

struct config;

#define FRONT_CONFINE_WANTED                                                                       \
	(CONFINE_NO_NEW_PRIVS | CONFINE_UID | CONFINE_CHROOT | CONFINE_LANDLOCK |                  \
	    CONFINE_SECCOMP | CONFINE_RLIMITS | CONFINE_NO_CORE)

/*
 * Apply every layer that can be had, as the front with this index; files is RLIMIT_NOFILE. Returns
 * those in force.
 */
uint32_t front_confine(const struct config *c, unsigned index, uint64_t files);

#endif
