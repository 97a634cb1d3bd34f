/*
 * resolve.h - the hosts that a relay connects to. A short-lived child (kmsd-resolve)
 * resolves their names at the start, on SIGHUP and now and then; fronts get addresses.
 */
#ifndef KMSD_SUPERVISOR_RESOLVE_H
#define KMSD_SUPERVISOR_RESOLVE_H

#include "kmsd/supervisor/supervisor.h"

void resolve_init(struct supervisor *s);
void resolve_now(struct supervisor *s);
void resolve_due(struct supervisor *s);
void resolve_message(struct supervisor *s);
void resolve_reap(struct supervisor *s);
void resolve_stop(struct supervisor *s);

#endif
