/*
 * activate_confine.h - what kmsd-activate gives up, in two steps: before it opens keys
 * and ledger (so that its files are its own user's and its writer thread is born
 * confined), and once everything is open.
 */
#ifndef KMSD_ACTIVATE_ACTIVATE_CONFINE_H
#define KMSD_ACTIVATE_ACTIVATE_CONFINE_H

#include <stdint.h>

#include "kmsd/common/config.h"
#include "kmsd/common/confine.h"

#define ACTIVATE_LAYERS                                                                            \
	(CONFINE_NO_NEW_PRIVS | CONFINE_UID | CONFINE_NETNS | CONFINE_LANDLOCK | CONFINE_SECCOMP | \
	    CONFINE_RLIMITS | CONFINE_NO_CORE)

/*
 * Both return the layers now in force. memlock: the most bytes of locked memory that it may need;
 * least: those that any host needs, without which the administrator is told.
 */
uint32_t activate_confine_early(
    const struct config *c, int state_dir, uint64_t memlock, uint64_t least);
uint32_t activate_confine_late(uint64_t memlock);

#endif
