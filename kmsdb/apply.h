/*
 * apply.h - what an entry does to the rows of its client. Pure; the one place where this is
 * decided, used by the live path and by replay alike, so that the index matches the journal by
 * construction.
 *
 * Kind      row                                                     counts
 * LEASE     product (and with it pool), expires, sequence, ...      on its day
 * SEEN      the same, expires kept                                  on its day
 * RELEASE   the same, expires 0, RELEASED                           no longer
 * REFUSAL   status, last seen, VM, clones; nothing else             as before
 * REVOKE    REVOKED, for good; made when there is none              no longer
 * FORGET    the row and its host row go, REVOKED with them          no longer
 * RELAYED   a row of its own by source address, relayed.h          never
 * others    nothing
 *
 * Sequence, request id, batch and leaf are those of the highest sequence number that was not
 * refused: after a refusal the client may send the same request again, and a repeat is answered
 * from that leaf. A refusal of a client without a row makes one (for the operator to see), with
 * its product only when a pack names the product: a stranger must not be able to fill the table of
 * seats.
 */
#ifndef KMSDB_APPLY_H
#define KMSDB_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsdb/row.h"
#include "libkms/core/entry.h"

/* An entry, decoded as far as the index needs. */
struct apply_entry {
	uint8_t kind;
	bool about_client; /* else: no effect */
	uint8_t cmid[16];
	struct entry_client client; /* client kinds */
	uint64_t time;
	uint64_t batch; /* where it is */
	uint32_t leaf;
	uint32_t host_hash; /* client kinds */
};
/* KMS_OK or the decoder's error. */
int apply_decode(
    struct apply_entry *out, const uint8_t *entry, size_t len, uint64_t batch, uint32_t leaf);

/*
 * *row before (exists: is there one?) becomes *row after; true when there is one after. The caller
 * finds row->seat again from row->c.
 */
bool apply_client(struct client_row *row, bool exists, const struct apply_entry *e);
/* The same for the host row; call when row->host_hash changed or there was no row. */
void apply_host(struct kmsdb_host *host, bool exists, const struct apply_entry *e);

#endif
