/*
 * apply.h - what an entry does to the rows of its client. Pure; the one place where this is
 * decided, used by the live path and by replay alike, so that the index matches the journal by
 * construction.
 *
 * Every field is a maximum, a minimum, or the winner's, never a sum: entries give the same rows in
 * any order, and applied twice they change nothing. So a replay over rows that an unfinished
 * checkpoint wrote is harmless.
 *
 * The act   the highest of LEASE, SEEN, RELEASE, REVOKE, UNREVOKE, FORGET and RECLAIM by (sequence
 *           or through, stage, host, batch, leaf); stage is 0 for the first three and 1 for the
 *           others. It gives seat, flags, sequence, request id, place, counts until, expires and
 *           binding; those of stage 1 end the seat.
 * REFUSAL   never an act: after a refusal the client may send the same request again. A client that
 *           has only refusals has a row for the operator to see, with the seat of the one with the
 *           highest (time, status, product); a stranger must not fill the table of seats, so the
 *           seat of a product that no pack names is not recorded.
 * Registers revoked (REVOKE, UNREVOKE) and held (HOLD, FORGET): the highest (counter, host) wins.
 * Names     of the client kind with the highest time; none of a time up to an ERASE, or before a
 *           FORGET.
 * Stateless that any act said that the client keeps no state.
 * EXPIRE    a floor: rows that only refusals made, that are over, or of relayed sources, and that
 *           are last seen up to it, are absent (row_expired, observed_expired). Over are those that
 *           were forgotten, and those of clients without state whose seat and lease ended.
 * RELAYED   a row of its own by the commitment to its source address, observed.h.
 * WITNESS, RESTORED and what was installed: a row of their own, own_rows.h
 * CLOCK     the time of the last one
 * COUNTERS  nothing here; usage.h, whose sums are kept in another way
 * SHARE, HEARD, GIVE, ALONE, HELD: rows of right_rows.h, rights_state.h
 * BASE      restates rows where the journal does not begin with batch 1, base_load.c
 * others    nothing
 */
#ifndef KMSDB_APPLY_H
#define KMSDB_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsdb/merge.h"
#include "kmsdb/own_rows.h"
#include "kmsdb/row.h"
#include "libkms/core/entry.h"
#include "libkms/core/entry_about.h"

enum apply_effect {
	APPLY_NOTHING,
	APPLY_CLIENT,   /* a client kind: e.client */
	APPLY_ABOUT,    /* about one client: e.about */
	APPLY_FLOOR,    /* ERASE of all, EXPIRE: e.about.value is the floor of names, or rows */
	APPLY_OBSERVED, /* of the relay: e.key is its subject */
	APPLY_OWN,      /* e.own */
	APPLY_CLOCK,    /* e.time */
	APPLY_COUNTERS, /* e.blob */
	APPLY_BASE,     /* base_load.c */
	APPLY_SHARE,    /* rights_state.h */
};

/* Where an entry is. */
struct apply_place {
	const struct merge_chains *chains; /* NULL: there is the own chain alone */
	uint16_t chain;                    /* 0: the own one */
	uint64_t batch;
	uint32_t leaf;
	uint8_t header[8]; /* zeros: the batch is not closed yet */
};

/* An entry, decoded as far as the index needs. */
struct apply_entry {
	enum apply_effect effect;
	uint8_t kind;
	uint8_t key[16]; /* CMID, subject, or that of own_rows.h */
	uint64_t time;
	struct apply_place place;
	union {
		struct entry_client client;
		struct entry_about about;
		struct own_row own;
		const uint8_t *blob; /* of COUNTERS; the item's */
	};
	size_t blob_len;
	bool named;  /* aside is there */
	bool spoilt; /* there is one, and it is malformed: counts as erased */
	struct aside aside;
};
/* KMS_OK or the decoder's error: KMS_E_SCHEMA, KMS_E_FORMAT, ... */
int apply_decode(struct apply_entry *out, const struct item *item, const struct apply_place *place);

/* Does the entry need the cold row, given the hot one? floor: names up to this time are erased. */
bool apply_needs_cold(
    const struct client_row *row, bool exists, const struct apply_entry *e, uint64_t floor);
/*
 * The rows before become the rows after. Without a row before (exists false) both are made. cold is
 * NULL when apply_needs_cold says so. The caller finds row->seat again from row->c.
 */
void apply(
    struct client_row *row, struct kmsdb_cold *cold, bool exists, const struct apply_entry *e);
/* Its names are erased. */
void apply_blank(struct kmsdb_cold *cold);

#endif
