/*
 * share_rights.h - what this host may give of a pool that it shares, by policy/rights.h; and what
 * the chains say about their share.
 *
 * For each client and pool, the right that counts is that of the highest act with ENTRY_RIGHT, at
 * whatever host: a maximum, so all who heard the same say the same. It is bound at that host as
 * long as some member may see the client as counted there. A client without any such act was
 * counted before there was a share: it binds a right of the host that has the first ones.
 */
#ifndef KMSDB_SHARE_RIGHTS_H
#define KMSDB_SHARE_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsdb/kmsdb.h"
#include "libkms/base/share_name.h"
#include "libkms/core/entry_share.h"
#include "policy/rights.h"

/* All members, this host too, have told that they have that host's chain up to this batch. */
struct kmsdb_heard {
	uint8_t host[16];
	uint64_t number;
};
/* What heartbeats told. */
struct kmsdb_beats {
	uint32_t since;                  /* minute, as rights_since says of all members */
	uint64_t now;                    /* seconds, of this host's clock */
	const struct kmsdb_heard *heard; /* a host that is not in it: nothing of its chain */
	unsigned count;
};
/*
 * The purse of a pool; rights_left says what is left of it. With staged entries: one that used a
 * right has bound it. capacity: of this host's certificates for the pool, with its overdraft.
 * Cheap enough for each new client, while all members are heard. beats must not go back: what all
 * have heard once is not asked for again.
 *
 * KMS_OK; KMS_E_ARGUMENT: the ledger is open to read.
 */
int kmsdb_rights(struct kmsdb *db, const uint8_t publisher[8], uint16_t pool,
    const struct kmsdb_beats *beats, uint64_t capacity, struct rights_purse *out);

struct kmsdb_share_told {
	char name[SHARE_NAME + 1]; /* of the last SHARE; empty: there is none */
	bool first;                /* it has the first rights */
	uint64_t share_batch;      /* of that entry */
	bool alone;                /* as the last ALONE says */
	uint64_t alone_time;       /* of that entry, seconds; 0: there is none */
};
/* What a chain says of its host. KMS_E_NOT_FOUND: not followed. */
int kmsdb_share_told(struct kmsdb *db, const uint8_t host[16], struct kmsdb_share_told *out);
/*
 * The highest batch of a chain that another host said to have heard (HEARD). KMS_E_NOT_FOUND: it
 * said nothing about that one, or one of them is not followed. What this host has heard itself:
 * kmsdb_share_member.
 */
int kmsdb_share_heard(
    struct kmsdb *db, const uint8_t teller[16], const uint8_t host[16], struct entry_heard *out);

#endif
