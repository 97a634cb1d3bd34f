/*
 * signals.h - SIGHUP, SIGTERM, SIGINT and SIGCHLD through one descriptor.
 */
#ifndef KMSD_SUPERVISOR_SIGNALS_H
#define KMSD_SUPERVISOR_SIGNALS_H

#include "kmsd/supervisor/supervisor.h"

int signals_open(struct supervisor *s);
void signals_read(struct supervisor *s);

#endif
