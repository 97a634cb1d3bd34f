/*
 * throttle.h - the limits of one front: how many connections in all, and how
 * many from one source (an IPv4 address, or an IPv6 /64, which one host can fill at will).
 */
#ifndef KMSD_FRONT_THROTTLE_H
#define KMSD_FRONT_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct throttle_slot {
	uint64_t key;
	uint32_t count; /* 0: free */
};

struct throttle {
	unsigned connections; /* 0: no limit, for both */
	unsigned per_source;
	struct throttle_slot *slots; /* open addressing, a power of two */
	uint32_t size, used;
	uint64_t seed; /* so that nobody can choose addresses that collide */
	/* the source that had most, and how many, when all were looked at, or since */
	uint64_t largest;
	uint32_t largest_count;
};

/* KMS_OK or KMS_E_NO_MEMORY. */
int throttle_init(struct throttle *t, uint64_t seed);
void throttle_free(struct throttle *t);
/* Count one more connection of address: KMS_OK, KMS_E_LIMIT (not counted) or KMS_E_NO_MEMORY. */
int throttle_enter(struct throttle *t, const uint8_t address[16]);
void throttle_leave(struct throttle *t, const uint8_t address[16]);
/*
 * A source (address_source) with most connections; when thousands are counted, one with nearly as
 * many. False: none has any.
 */
bool throttle_largest(struct throttle *t, uint64_t *source);

#endif
