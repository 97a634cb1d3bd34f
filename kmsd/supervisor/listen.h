/*
 * listen.h - bind every address for every front; begin to listen once somebody can answer.
 */
#ifndef KMSD_SUPERVISOR_LISTEN_H
#define KMSD_SUPERVISOR_LISTEN_H

#include "kmsd/supervisor/supervisor.h"

int listen_bind(struct supervisor *s);
int listen_begin(struct supervisor *s);

#endif
