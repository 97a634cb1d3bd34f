/*
 * supervisor_confine.h - what kmsd itself gives up once the activation process is ready: rights of
 * root, and system calls.
 */
#ifndef KMSD_SUPERVISOR_SUPERVISOR_CONFINE_H
#define KMSD_SUPERVISOR_SUPERVISOR_CONFINE_H

#include "kmsd/supervisor/supervisor.h"

/* KMS_E_SANDBOX, with a line in the log: the list cannot be had, and the ini file asks for it. */
int supervisor_confine(const struct supervisor *s);

#endif
