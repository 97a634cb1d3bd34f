/*
 * listen.h - bind every address for every front; begin to listen once somebody can answer.
 */
#ifndef KMSD_SUPERVISOR_LISTEN_H
#define KMSD_SUPERVISOR_LISTEN_H

#include "kmsd/supervisor/supervisor.h"

int listen_bind(struct supervisor *s);
int listen_begin(struct supervisor *s);
/*
 * A process that has a listening socket can end it for all that come after it (shutdown(2)). What
 * no longer listens does so again, who has it is replaced, and the log says so; every front's
 * sockets are looked at.
 */
void listen_check(struct supervisor *s);

#endif
