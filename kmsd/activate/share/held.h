/*
 * held.h - sealed replies that wait until their batch is stored: in the order in which they were
 * made, and in bounded memory.
 */
#ifndef KMSD_ACTIVATE_SHARE_HELD_H
#define KMSD_ACTIVATE_SHARE_HELD_H

#include <stddef.h>
#include <stdint.h>

/* All of them. A front has no credit left long before. */
#define HELD_OCTETS (UINT64_C(32) << 20)

struct held_reply {
	struct held_reply *next;
	uint64_t batch;
	uint64_t peer, token; /* of the front: front_peer.serial, and its name of the connection */
	size_t len;
	uint8_t frame[];
};
struct held {
	struct held_reply *first, **end;
	uint64_t octets, count;
};

void held_init(struct held *h);
/* A copy. KMS_E_LIMIT, KMS_E_NO_MEMORY. */
int held_put(struct held *h, const struct held_reply *r, const uint8_t *frame);
/* The first, if its batch is that one or an earlier one: taken out, to be freed. NULL. */
struct held_reply *held_take(struct held *h, uint64_t through);

#endif
