/*
 * reap.h - what children say, how they end, and what follows from it.
 */
#ifndef KMSD_SUPERVISOR_REAP_H
#define KMSD_SUPERVISOR_REAP_H

#include "kmsd/supervisor/supervisor.h"

void child_message(struct supervisor *s, struct child *c);
void reap_children(struct supervisor *s);
void child_deadlines(struct supervisor *s);

#endif
