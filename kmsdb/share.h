/*
 * share.h - what a host that counts together with others asks of its ledger: batches of the others
 * go in, its own come out, both as parcels (parcel.h), and how far each chain was heard.
 *
 * Who hands a parcel over is not trusted. Taking one is not on the way of a renewal, and waits for
 * the disk: between own batches (kmsdb_staged is 0), from the thread that all of kmsdb.h is called
 * from.
 */
#ifndef KMSDB_SHARE_H
#define KMSDB_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "kmsdb/kmsdb.h"
#include "kmsdb/parcel.h"

/*
 * From now on the chain of the host with that signing key is taken; one that is followed already is
 * fine. That the key is a host's, by a certificate of the same publisher and host key, is for the
 * caller to know. KMS_E_ARGUMENT: it is this host's own. KMS_E_LIMIT: too many. KMS_E_EXISTS: a
 * base is being written (kms.journal(5), RETENTION); try again when it is done. KMS_E_FULL,
 * KMS_E_IO. KMS_E_INDEX: rows of this index have expired, and must come back first, because another
 * chain may add to them: after this call, kmsctl ledger rebuild makes the index with which the
 * chain is followed.
 */
int kmsdb_share_follow(struct kmsdb *db, const uint8_t sign_pk[32], struct fault *fault);

/*
 * Takes the batches of a parcel that are not there yet, in order; each is on disk, and in the rows,
 * before the next is looked at. *taken: how many, also when it fails: those before the one that was
 * refused stay. KMS_OK: all of them are there now.
 * KMS_E_FORMAT, KMS_E_SCHEMA, KMS_E_TOO_LARGE
 *		no parcel, or one with batches of another version
 * KMS_E_UNKNOWN_HOST
 *		of a host that is not followed, or batches of several hosts
 * KMS_E_ARGUMENT
 *		entries of this host are staged
 * and all that foreign_take (foreign.h) says, of which KMS_E_MISSING tells from which batch on to
 * ask, and KMS_E_CHAIN means a fork.
 */
int kmsdb_share_take(
    struct kmsdb *db, const uint8_t *parcel, size_t len, unsigned *taken, struct fault *fault);

struct kmsdb_member {
	uint8_t host[16];
	uint64_t last; /* batch that is on disk here; 0: none */
	uint8_t hash[32];
	uint64_t heard; /* highest time of a batch, seconds */
	bool own;
};
/* The own chain first. A reader (kmsctl) has them as of the last checkpoint. */
int kmsdb_share_each(
    struct kmsdb *db, int (*fn)(const struct kmsdb_member *m, void *arg), void *arg);
/* KMS_E_NOT_FOUND: not followed. */
int kmsdb_share_member(struct kmsdb *db, const uint8_t host[16], struct kmsdb_member *out);
/* The host that gave a client's last act: kmsdb_client.chain. KMS_E_NOT_FOUND. */
int kmsdb_share_host(const struct kmsdb *db, uint16_t chain, uint8_t host[16]);

/*
 * Batches of a chain from that number on, as many as one parcel may have. host NULL: its own.
 * *count 0: there is none of that number yet. KMS_E_NOT_FOUND: not followed, or dropped by
 * retention.
 */
int kmsdb_share_parcel(struct kmsdb *db, const uint8_t host[16], uint64_t from,
    uint8_t out[PARCEL_ONE_MAX], size_t *len, unsigned *count, struct fault *fault);

#endif
