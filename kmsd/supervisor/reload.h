/*
 * reload.h - read the ini file, at the start and on SIGHUP.
 */
#ifndef KMSD_SUPERVISOR_RELOAD_H
#define KMSD_SUPERVISOR_RELOAD_H

#include "kmsd/supervisor/supervisor.h"

/* False: it has faults, which were told. */
bool read_config(const char *path, struct config *c, bool to_stderr);
void reload(struct supervisor *s);

#endif
