/*
 * share_confine.h - kmsd-share's own list of what it may do: its sockets, and connections to the
 * engine's ports.
 */
#ifndef KMSD_SHARE_SHARE_CONFINE_H
#define KMSD_SHARE_SHARE_CONFINE_H

#include <stdint.h>

#include "kmsd/common/confine.h"

struct config;

#define SHARE_CONFINE_WANTED                                                                       \
	(CONFINE_NO_NEW_PRIVS | CONFINE_UID | CONFINE_CHROOT | CONFINE_LANDLOCK |                  \
	    CONFINE_SECCOMP | CONFINE_RLIMITS | CONFINE_NO_CORE)

/*
 * Applies every layer that can be had. ports: of the engine; a kernel before Linux 6.7 restricts no
 * ports. files: RLIMIT_NOFILE. Returns the layers in force.
 */
uint32_t share_confine(
    const struct config *c, const uint16_t *ports, unsigned count, uint64_t files);

#endif
