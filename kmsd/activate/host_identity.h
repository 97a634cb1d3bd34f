/*
 * host_identity.h - the host's own secret, made at first start and never leaving this process: the
 * Ed25519 key that signs batches, confirmation requests and statements of exchange keys. No call
 * signs arbitrary bytes. keys/host.key is identity_file.h's.
 */
#ifndef KMSD_ACTIVATE_HOST_IDENTITY_H
#define KMSD_ACTIVATE_HOST_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/activate/identity_file.h"
#include "kmsd/activate/secrets.h"
#include "libkms/core/batch.h"
#include "libkms/core/exchange_statement.h"
#include "policy/host_key.h"

struct host_identity;

/*
 * Loads keys/host.key beneath dirfd, or makes it when there is none (sealed when secrets holds
 * something to seal it with). A file sealed with a passphrase that is not given, or given wrong
 * (why says so), opens locked. KMS_E_NOT_FOUND: it is
 * missing where something of the host is left (why), KMS_E_FORMAT: damaged, KMS_E_SCHEMA: a version
 * or kind of later kmsd, KMS_E_PASSPHRASE: not this machine file (why), KMS_E_IO, KMS_E_FULL,
 * KMS_E_NO_MEMORY.
 */
int host_identity_open(struct host_identity **out, int dirfd, uint64_t now,
    const struct secrets *secrets, bool *made, char why[256]);
/*
 * Locked: public key and host id are known; nothing can be signed before the key is unlocked.
 */
bool host_identity_locked(const struct host_identity *k);
enum identity_kind host_identity_kind(const struct host_identity *k);
/*
 * Try a passphrase on a file sealed with one; unlocks a locked key, otherwise only checks.
 * KMS_E_PASSPHRASE, KMS_E_NO_MEMORY.
 */
int host_identity_unlock(struct host_identity *k, const uint8_t *passphrase, size_t len);
/*
 * Writes the file again, of that kind: at every moment the old or the new file exists. Only when
 * not locked. KMS_E_IO, KMS_E_FULL, KMS_E_NO_MEMORY.
 */
int host_identity_seal(struct host_identity *k, int dirfd, enum identity_kind kind,
    const uint8_t *passphrase, size_t len, const struct secrets *secrets);
void host_identity_free(struct host_identity *k);

const uint8_t *host_identity_sign_pk(const struct host_identity *k); /* 32 */
const uint8_t *host_identity_id(const struct host_identity *k);      /* 16 */

/* kmsdb_sign_fn; arg: the key. Refuses (KMS_E_FORMAT) anything but a batch header of this host. */
int host_identity_batch(
    uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg);
/* Fills in the public key and signs: proof of possession. */
int host_identity_confirm(struct host_identity *k, struct confirm_request *r);
/* Fills in host id and key id and signs; e has key, times and versions. KMS_E_LOCKED. */
int host_identity_exchange(
    struct host_identity *k, uint8_t statement[EXCHANGE_SIZE], const struct exchange *e);
/*
 * The signature of a beat (beat.h) of this host, whose bytes without a signature are these.
 * Refuses (KMS_E_FORMAT) anything else. KMS_E_LOCKED.
 */
int host_identity_beat(struct host_identity *k, uint8_t sig[64], const uint8_t *octets, size_t len);
/*
 * The key that seals keys/exchange.key: BLAKE2b-256, keyed with the seed, over "KMS exchange at
 * rest v1". out: guarded memory. KMS_E_LOCKED.
 */
int host_identity_at_rest(struct host_identity *k, uint8_t out[32]);
/*
 * Salt of what the relay records of an address: always the same, and nobody without the host's key
 * can try addresses. KMS_E_LOCKED.
 */
int host_identity_relay_salt(
    const struct host_identity *k, const uint8_t address[16], uint8_t salt[16]);

#endif
