/*
 * signing_key.h - the host's own two secrets, made at first start and never
 * leaving this process: the Ed25519 key that signs batches and the X25519 key
 * that clients seal requests for. There is no call that signs what one likes.
 *
 * keys/host.key      0  8  "KMSHOSTK"
 *                    8  1  version, 1
 *                    9  1  kind: 0 plain (others: sealed, later)
 *                   10  6  zero
 *                   16  8  made, seconds since 1970 UTC
 *                   24 32  Ed25519 seed
 *                   56 32  X25519 secret key
 *                   88 32  SHA-256 of the octets before
 */
#ifndef KMS_ACTIVATE_SIGNING_KEY_H
#define KMS_ACTIVATE_SIGNING_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/batch.h"
#include "libkms/seal.h"
#include "policy/pack.h"

struct signing_key;

/*
 * Load keys/host.key beneath dirfd, or make it when there is none. KMS_E_FORMAT: damaged,
 * KMS_E_SCHEMA: a version or kind of later kmsd, KMS_E_IO, KMS_E_FULL, KMS_E_NO_MEMORY.
 */
int signing_key_open(struct signing_key **out, int dirfd, uint64_t now, bool *made);
void signing_key_free(struct signing_key *k);

const uint8_t *signing_key_sign_pk(const struct signing_key *k);    /* 32 */
const uint8_t *signing_key_kx_pk(const struct signing_key *k);      /* 32 */
const uint8_t *signing_key_host_id(const struct signing_key *k);    /* 16 */

/* kmsdb_sign_fn; arg: the key. Refuses (KMS_E_FORMAT) what is no batch header of this host. */
int signing_key_batch(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg);
/* Fills in the public keys and signs: proof of possession. */
int signing_key_confirm(struct signing_key *k, struct confirm_request *r);
/* Session keys with a client. KMS_E_FORMAT: a public key of small order. */
int signing_key_session(struct signing_key *k, struct seal_keys *out, const uint8_t client_pk[SEAL_PUBLIC]);

#endif
