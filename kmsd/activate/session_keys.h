/*
 * session_keys.h - session keys of the clients seen last, so that a renewal
 * costs no X25519. Bounded, in locked memory, CLOCK replacement. It sizes itself: its memory grows
 * with the ledger's clients, a piece at a time, so that no request waits for it.
 *
 * Entries are found by the id of the host's exchange key and the client's whole public key, never
 * by its CMID: two keys with one CMID cannot share an entry.
 */
#ifndef KMSD_ACTIVATE_SESSION_KEYS_H
#define KMSD_ACTIVATE_SESSION_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/seal.h"

/* What a look-up compares comes first: it is in one line of the processor's cache. */
struct session {
	uint8_t client_pk[SEAL_PUBLIC];
	uint8_t key_id[SEAL_KEY_ID]; /* the host's exchange key */
	uint8_t cmid[SEAL_CMID];
	struct seal_keys keys;
};

#define SESSION_KEYS_LEAST 20000 /* entries that it may hold from the start */

struct session_keys_info {
	size_t entries, size; /* held now; at most, now */
	size_t octets;        /* memory of the cache */
	size_t unlocked;      /* of that: the limit of locked memory does not allow more */
	uint64_t hits, misses;
};

struct session_keys;
struct session_keys *session_keys_new(size_t most); /* NULL: memory */
void session_keys_free(struct session_keys *c);     /* wipes */
/*
 * The ledger has so many clients: the cache may hold them, and some more, up to its bound. It is
 * never made smaller.
 */
void session_keys_clients(struct session_keys *c, uint64_t clients);
/* Bytes of locked memory that a cache of this many entries needs. */
size_t session_keys_octets(size_t entries);

/* Borrowed until the next put; NULL: not here. */
const struct session *session_keys_get(struct session_keys *c, const uint8_t key_id[SEAL_KEY_ID],
    const uint8_t client_pk[SEAL_PUBLIC]);
/*
 * This key will be looked up soon: a large cache is slow memory, and the wait can be used for
 * other work. First announce it, then, when something else was done, expect it at the place that
 * announce returned: that needs what announce has fetched. Returns what will be found, unless two
 * keys share a place; NULL: nothing.
 */
uint32_t session_keys_announce(const struct session_keys *c, const uint8_t client_pk[SEAL_PUBLIC]);
const struct session *session_keys_expect(const struct session_keys *c, uint32_t place);
/* Copies s in, roughly over the least recently used entry. s must not be in the cache yet. */
const struct session *session_keys_put(struct session_keys *c, const struct session *s);
/* Wipes all that belong to this exchange key, whose secret was destroyed. */
void session_keys_forget(struct session_keys *c, const uint8_t key_id[SEAL_KEY_ID]);
void session_keys_info(const struct session_keys *c, struct session_keys_info *out);

#endif
