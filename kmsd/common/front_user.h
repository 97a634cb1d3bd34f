/*
 * front_user.h - which user a front runs as, for the front itself and for the firewall's rules.
 */
#ifndef KMSD_COMMON_FRONT_USER_H
#define KMSD_COMMON_FRONT_USER_H

#include <stdbool.h>

#include "kmsd/common/config.h"

/* False: there is no such user. */
bool user_find(const char *name, unsigned *uid, unsigned *gid);
/*
 * The first front is front_user. Another one is front_user with its number behind it ("_kmsnet1"),
 * so that it can neither signal nor trace the others whatever else holds it; when there is no such
 * user, it is front_user too. False: there is neither.
 */
bool front_user(const struct config *c, unsigned index, unsigned *uid, unsigned *gid);

#endif
