/*
 * stop.h - the end of everything, in order.
 */
#ifndef KMSD_SUPERVISOR_STOP_H
#define KMSD_SUPERVISOR_STOP_H

#include "kmsd/supervisor/supervisor.h"

/* Another one, while it is stopping, changes at most the exit code: to that of a failure. */
void stop_begin(struct supervisor *s, const char *why, int exit_code);
/* SIGINT: somebody at a terminal, who may press the key again to wait no longer. */
void stop_at_terminal(struct supervisor *s);
bool stop_begun(const struct supervisor *s);
void stop_continue(struct supervisor *s);

#endif
