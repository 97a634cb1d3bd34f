/*
 * evict.h - which connection gives way to a new one: the one that has been idle longest, of the
 * source that has most. So one source cannot keep another from being served.
 */
#ifndef KMSD_FRONT_EVICT_H
#define KMSD_FRONT_EVICT_H

#include <stdbool.h>
#include <stdint.h>

struct front;

/*
 * Closes the connection of a source that has been idle longest. address: one of that source; NULL:
 * of the source with most connections. False: none of it is idle.
 */
bool evict(struct front *f, const uint8_t *address);

#endif
