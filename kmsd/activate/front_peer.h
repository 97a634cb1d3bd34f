/*
 * front_peer.h - one front, as seen from activation: a hostile process that may
 * drop, delay and lie about addresses, and that loses its channel as soon as it
 * does what a front cannot do.
 */
#ifndef KMSD_ACTIVATE_FRONT_PEER_H
#define KMSD_ACTIVATE_FRONT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/ipc/ipc.h"

struct activate;
struct peer;

/* Takes fd over. An older channel of the same front is given up. KMS_E_NO_MEMORY. */
int peer_add(struct activate *a, int fd, unsigned index);
void peer_free_all(struct activate *a);

/*
 * A reply in place: room for a frame of at most size octets, then its length (0: give the
 * credit back with nothing to send). NULL: this peer is given up.
 */
uint8_t *peer_reserve(struct peer *p, size_t size);
void peer_commit(struct peer *p, uint64_t token, uint8_t flags, size_t len);

/* Write what is queued for p now, within a batch: p stays, also when it is given up. */
void peer_flush(struct peer *p);
/*
 * After each turn of the loop, with no batch under way: write what is queued, free who is given
 * up.
 */
void peer_flush_all(struct activate *a);
/* Something is queued still. */
bool peer_pending_any(const struct activate *a);
/* Ask every front for its figures; also renews what each may send unasked. */
void peer_ask_stats(struct activate *a);

struct peer_info {
	unsigned index;
	bool ready;
	uint32_t layers, credits, in_flight;
	uint64_t requests, replies; /* on this channel */
	bool have_stats;
	struct ipc_front_stats stats;
};
void peer_each(
    const struct activate *a, void (*fn)(const struct peer_info *i, void *arg), void *arg);

#endif
