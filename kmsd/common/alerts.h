/*
 * alerts.h - the thresholds of [alerts], as kmsctl doctor and the page of kmsd-web both ask for
 * them.
 */
#ifndef KMSD_COMMON_ALERTS_H
#define KMSD_COMMON_ALERTS_H

#include "kmsd/common/config.h"

/* From that count on a pool is nearly full; capacity is not 0. */
static inline uint64_t
alerts_pool_at(const struct config *c, uint64_t capacity)
{
	return capacity / 100 * c->alerts_pool_used +
	       (capacity % 100 * c->alerts_pool_used + 99) / 100;
}

/* Seconds that a key or a confirmation has left when it is a warning. */
static inline uint64_t
alerts_key_left(const struct config *c)
{
	return (uint64_t)c->alerts_key_left * 86400;
}

#endif
