/*
 * front_peer.h - one front, as the activation process sees it: a possibly hostile process that can
 * drop, delay and lie about addresses, and that loses its channel as soon as it breaks a rule.
 */
#ifndef KMSD_ACTIVATE_FRONT_PEER_H
#define KMSD_ACTIVATE_FRONT_PEER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/activate/relayed.h"
#include "kmsd/ipc/ipc.h"

struct activate;
struct ipc_channel;

struct front_peer {
	struct front_peer *next;
	struct activate *activate;
	struct ipc_channel *channel;
	struct event *readable, *writable;
	unsigned index;
	uint64_t serial; /* of all that there were */
	bool ready;
	bool dead; /* freed at the end of the turn: slots may still point here */
	uint32_t credits, in_flight;
	uint32_t layers;
	unsigned stats_left;
	struct relayed_bucket relayed;
	uint64_t requests, replies;
	bool have_stats;
	struct ipc_front_stats stats;
};

/* readable: called with the struct when frames have come. Otherwise as front_verbs_open. */
int front_peer_add(struct activate *a, int fd, unsigned index, event_callback_fn readable);
void front_peer_free_all(struct activate *a);
/* NULL: it is gone. */
struct front_peer *front_peer_find(const struct activate *a, uint64_t serial);
/* Its channel is used no longer, and is freed at the end of the turn. */
void front_peer_give_up(struct front_peer *p);
/* Logs what it did; returns KMS_E_PEER. */
int front_peer_broken(struct front_peer *p, const char *event, const char *what);
void front_peer_send(struct front_peer *p, uint8_t verb, const void *body, uint32_t len);

/*
 * A reply in place: room for a frame of at most size bytes, then its length (0: give the credit
 * back with nothing to send). NULL: this peer is being closed.
 */
uint8_t *front_peer_reserve(struct front_peer *p, size_t size);
void front_peer_commit(struct front_peer *p, uint64_t token, uint8_t flags, size_t len);

/*
 * Writes what is queued for p now, within a batch: p stays allocated, even when it is to be closed.
 */
void front_peer_flush(struct front_peer *p);
/*
 * After each turn of the loop, with no batch under way: writes what is queued, frees peers that
 * are to be closed.
 */
void front_peer_flush_all(struct activate *a);
/* Something is still queued. */
bool front_peer_pending_any(const struct activate *a);
/* Asks every front for its statistics; also renews what each may send unasked. */
void front_peer_ask_stats(struct activate *a);
/* It has answered since it was asked. */
bool front_peer_fresh(const struct front_peer *p);

/* Those that are not given up. */
void front_peer_each(
    const struct activate *a, void (*fn)(const struct front_peer *i, void *arg), void *arg);

#endif
