/*
 * secret_files.h - the files that open the host's keys, as descriptors.
 */
#ifndef KMSD_SUPERVISOR_SECRET_FILES_H
#define KMSD_SUPERVISOR_SECRET_FILES_H

#include "kmsd/supervisor/supervisor.h"

/* Logs what is wrong. */
int open_secrets(struct supervisor *s);

#endif
