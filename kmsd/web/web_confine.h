/*
 * web_confine.h - kmsd-web's own list of what it may do: nothing but its sockets.
 */
#ifndef KMSD_WEB_WEB_CONFINE_H
#define KMSD_WEB_WEB_CONFINE_H

#include <stdint.h>

#include "kmsd/common/confine.h"

struct config;

#define WEB_CONFINE_WANTED                                                                         \
	(CONFINE_NO_NEW_PRIVS | CONFINE_UID | CONFINE_CHROOT | CONFINE_LANDLOCK |                  \
	    CONFINE_SECCOMP | CONFINE_RLIMITS | CONFINE_NO_CORE)

/* Applies every layer that can be had; files is RLIMIT_NOFILE. Returns those in force. */
uint32_t web_confine(const struct config *c, uint64_t files);

#endif
