/*
 * stop.h - the end of everything, in order.
 */
#ifndef KMSD_SUPERVISOR_STOP_H
#define KMSD_SUPERVISOR_STOP_H

#include "kmsd/supervisor/supervisor.h"

void stop_begin(struct supervisor *s, const char *why, int exit_code);
void stop_continue(struct supervisor *s);

#endif
