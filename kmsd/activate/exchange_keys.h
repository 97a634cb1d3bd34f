/*
 * exchange_keys.h - the keys that clients seal requests for: the one that HELLO_REPLY states, and
 * for a day the one before it. A key lives from made to until (the rotation of kms.ini) and is
 * opened with until ends, a day later; then its secret is destroyed, here and in
 * keys/exchange.key. What was recorded before cannot be read afterwards.
 *
 * A host is never without a key: one that cannot be written is served from memory, and written
 * again once a minute. A file that cannot be read is destroyed: it may hold secrets whose end is
 * unknown.
 */
#ifndef KMSD_ACTIVATE_EXCHANGE_KEYS_H
#define KMSD_ACTIVATE_EXCHANGE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/activate/host_identity.h"
#include "libkms/core/exchange_statement.h"
#include "libkms/core/seal.h"

#define EXCHANGE_OVERLAP                                                                           \
	86400 /* seconds from until to ends: retries last an hour, clocks differ                   \
	       */

struct exchange_keys;

/*
 * Reads the file, or makes the first key; identity, which must not be locked, is borrowed. days: of
 * the rotation. Only KMS_E_NO_MEMORY and KMS_E_FORMAT (random bytes that are no key) fail.
 */
int exchange_keys_open(struct exchange_keys **out, struct host_identity *identity, int dirfd,
    uint64_t now, unsigned days);
void exchange_keys_free(struct exchange_keys *k);

/*
 * Once in a while: a new key when the newest was made too long ago or more than 4 hours ahead;
 * secrets that have ended are destroyed; what could not be written is. gone: called with the id of
 * each key that was destroyed.
 */
void exchange_keys_tick(struct exchange_keys *k, uint64_t now, unsigned days,
    void (*gone)(const uint8_t key_id[EXCHANGE_KEY_ID], void *arg), void *arg);

/* EXCHANGE_SIZE bytes: the newest. */
const uint8_t *exchange_keys_statement(const struct exchange_keys *k);
/* Is the key there, and has it not ended? */
bool exchange_keys_has(
    const struct exchange_keys *k, const uint8_t key_id[SEAL_KEY_ID], uint64_t now);
/*
 * Session keys of a client under that key. KMS_E_UNKNOWN_KEY: not there, or ended; KMS_E_FORMAT: a
 * public key of small order.
 */
int exchange_keys_session(const struct exchange_keys *k, struct seal_keys *out,
    const uint8_t key_id[SEAL_KEY_ID], const uint8_t client_pk[SEAL_PUBLIC], uint64_t now);
/* Of the newest key, for kmsctl status. */
const struct exchange *exchange_keys_newest(const struct exchange_keys *k);

#endif
