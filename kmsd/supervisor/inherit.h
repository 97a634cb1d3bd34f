/*
 * inherit.h - listening sockets that the service manager left open, from descriptor 3 on.
 */
#ifndef KMSD_SUPERVISOR_INHERIT_H
#define KMSD_SUPERVISOR_INHERIT_H

#include "kmsd/supervisor/supervisor.h"

/* How many. */
unsigned inherited_count(void);
int listen_inherited(struct supervisor *s);

#endif
