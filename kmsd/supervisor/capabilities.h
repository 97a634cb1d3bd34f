/*
 * capabilities.h - what root gives up, in two steps.
 */
#ifndef KMSD_SUPERVISOR_CAPABILITIES_H
#define KMSD_SUPERVISOR_CAPABILITIES_H

#include "kmsd/supervisor/supervisor.h"

/* Everything is open: what remains is enough to start the activation process. */
void drop_capabilities(void);
/*
 * The activation process is confined: what remains is enough to start, confine and end a front and
 * kmsd-resolve, and a plain user keeps nothing. Children cannot regain what is given up.
 */
void drop_more_capabilities(const struct supervisor *s);

#endif
