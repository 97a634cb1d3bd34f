/*
 * testimony.h - clients as witnesses of this host's history: each says which batch of this host it
 * knows. One that the journal lacks is asked for, and when its header is signed by this host's key,
 * the journal gets an entry of it (ENTRY_WITNESS). Whatever else a client claims changes nothing.
 */
#ifndef KMSD_ACTIVATE_TESTIMONY_H
#define KMSD_ACTIVATE_TESTIMONY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kmsdb/kmsdb.h"
#include "libkms/base/wire.h"

struct activate;

/* What a client says, and where it comes from. */
struct testimony {
	const uint8_t *cmid;    /* 16 */
	const uint8_t *address; /* 16 */
	const char *name;
	const uint8_t *claim;  /* MESSAGE_WITNESS_SIZE */
	const uint8_t *header; /* MESSAGE_HEADER_SIZE; NULL: it did not show it */
};

/* The number of the batch that a client says it knows. */
static inline uint64_t
testimony_batch(const uint8_t *claim)
{
	struct wire_reader r;

	wire_reader_init(&r, claim, 8);
	return wire_get_u64(&r);
}
/* Nearly always: the batch of the lease that the client got last. */
static inline bool
testimony_is_last(const uint8_t *claim, const struct kmsdb_client *row)
{
	return testimony_batch(claim) == row->batch &&
	       memcmp(claim + 8, row->header, sizeof(row->header)) == 0;
}
/*
 * Of a client that is counted. Returns the number of the batch whose header the host wants to see,
 * for the reply; 0: none.
 */
uint64_t testimony_take(struct activate *a, const struct testimony *w);

#endif
