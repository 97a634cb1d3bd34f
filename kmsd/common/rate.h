/*
 * rate.h - how often something may happen: burst times at once, and from then on refill times a
 * second. burst 0: no limit.
 */
#ifndef KMSD_COMMON_RATE_H
#define KMSD_COMMON_RATE_H

#include <stdint.h>

struct rate {
	uint32_t burst, refill;
};

#endif
