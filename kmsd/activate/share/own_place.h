/*
 * own_place.h - what the engine has in the place of this host's batches, compared with its journal.
 */
#ifndef KMSD_ACTIVATE_SHARE_OWN_PLACE_H
#define KMSD_ACTIVATE_SHARE_OWN_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "kmsd/activate/share/share_state.h"

struct kmsdb;

struct place_host {
	struct kmsdb *db;
	const uint8_t *host_id; /* 16 */
	const uint8_t *sign_pk; /* 32 */
	uint64_t last;          /* batch on disk */
};
/*
 * A parcel that was in this host's place. SAME: *through is its last batch. AHEAD and OTHER are
 * proved by this host's signature, so that who owns the engine cannot stop a host with them:
 * without it, a parcel is JUNK.
 */
enum share_place place_compare(
    const struct place_host *h, const uint8_t *parcel, size_t len, uint64_t *through);

#endif
