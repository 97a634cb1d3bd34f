/*
 * child_user.h - the users that the children run as, when root starts kmsd.
 */
#ifndef KMSD_SUPERVISOR_CHILD_USER_H
#define KMSD_SUPERVISOR_CHILD_USER_H

#include "kmsd/supervisor/supervisor.h"

/* The ini file lets a process keep the user that started kmsd. */
bool user_may_be_missing(const struct supervisor *s);
/*
 * Is there a user for a process that clients are served without? It would refuse to start, again
 * and again. False: the log says so, as event.
 */
bool has_child_user(
    const struct supervisor *s, const char *user, const char *program, const char *event);

#endif
