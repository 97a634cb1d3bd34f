/*
 * relayed_limit.h - how many observed exchanges of a source, and of all together, are written to
 * the ledger. Anybody who reaches the port can cause thousands of them a second, and a full disk
 * would stop activation for all clients. Pure.
 *
 * A source is an IPv4 address or an IPv6 /64. KMS clients ask at most twelve times a day, so there
 * may be seven thousand clients behind one address.
 */
#ifndef KMSD_ACTIVATE_RELAYED_LIMIT_H
#define KMSD_ACTIVATE_RELAYED_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define RELAYED_SOURCE_BURST 10000 /* entries at once, */
#define RELAYED_SOURCE_RATE 1      /* and a second from then on */
#define RELAYED_ALL_BURST 500000   /* the same for all sources: about 100 MB, */
#define RELAYED_ALL_RATE 20        /* and 350 MB a day */
#define RELAYED_SETS 512
#define RELAYED_WAYS 8

struct relayed_left {
	uint64_t key;
	uint64_t since; /* second of the last look; 0: never used */
	uint32_t left;
};

struct relayed_limit {
	uint64_t seed; /* so that nobody can choose addresses that share a set */
	struct relayed_left all;
	struct relayed_left sources[RELAYED_SETS][RELAYED_WAYS];
};

void relayed_limit_init(struct relayed_limit *l, uint64_t seed);
/* May one more exchange of source be written, at now (seconds)? */
bool relayed_limit_take(struct relayed_limit *l, const uint8_t source[16], uint64_t now);

#endif
