/*
 * publisher_keys.h - the keys of one publisher: the one that is trusted, and those that a chain of
 * rotations links to it. Whatever a publisher signed is verified here: with the trusted key, and
 * with another one of the chain when the signature names that.
 *
 * A chain is an ordered list of rotation statements: the new key of each is the old key of the
 * next, the times "from" do not fall, and no key occurs twice. It grows at both ends: forwards by
 * a statement whose old key is the newest key, backwards by one whose new key is the oldest. The
 * first statement that is taken for a key stays: somebody who steals an old key later cannot
 * announce another one.
 */
#ifndef KMS_LIBKMS_CORE_PUBLISHER_KEYS_H
#define KMS_LIBKMS_CORE_PUBLISHER_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/certificate.h"
#include "libkms/core/minisig.h"
#include "libkms/core/rotation.h"

struct publisher_keys {
	struct minisig_key key; /* the trusted one: kms.ini's, or the product's */
	unsigned count;         /* statements, the oldest first; key is in them if there are any */
	struct rotation statements[ROTATION_CHAIN_MAX];
	uint8_t octets[ROTATION_CHAIN_MAX][ROTATION_SIZE]; /* the same, as they are sent */
};

/*
 * Takes one statement. KMS_E_EXISTS: it is already there, or another one for the same key is.
 * KMS_E_PUBLISHER: it does not link a key of the chain's ends to another. KMS_E_FORMAT: a key
 * would occur twice, or "from" would fall. KMS_E_LIMIT, and what rotation_verify returns.
 */
int publisher_keys_rotate(struct publisher_keys *k, const uint8_t octets[ROTATION_SIZE]);
/*
 * Takes statements that lie in a row, the oldest first, whichever key of them is trusted. KMS_OK:
 * each is now in the chain; otherwise why the first that is not was left out.
 */
int publisher_keys_chain(struct publisher_keys *k, const uint8_t *octets, unsigned count);

/* Is this statement in the chain, byte for byte? */
bool publisher_keys_has(const struct publisher_keys *k, const uint8_t octets[ROTATION_SIZE]);

/* The keys in order, 0 is the oldest; there are count + 1. */
const struct minisig_key *publisher_keys_at(const struct publisher_keys *k, unsigned index);
/* Place of the key of that id; -1: none. */
int publisher_keys_index(const struct publisher_keys *k, const uint8_t id[8]);
/* The key of that id; NULL: none. */
const struct minisig_key *publisher_keys_find(const struct publisher_keys *k, const uint8_t id[8]);
/*
 * May something new that this key signed be taken at this time? From the key's own "from" until
 * its successor's "until".
 */
bool publisher_keys_accept(
    const struct publisher_keys *k, const struct minisig_key *signer, uint64_t now);

/*
 * Both store the key that signed in *signer, which may be NULL. Statuses are those of
 * certificate_verify and minisig_verify; KMS_E_PUBLISHER: none of the keys signed it.
 */
int publisher_keys_certificate(const struct publisher_keys *k, struct certificate *out,
    const uint8_t *octets, size_t len, const struct minisig_key **signer);
/*
 * plain: the signature of a typed code is accepted too (minisig_verify_plain). comment may be
 * NULL.
 */
int publisher_keys_file(const struct publisher_keys *k, bool plain, const void *file, size_t len,
    const char *signature, size_t signature_len, char *comment, size_t comment_size,
    const struct minisig_key **signer);

#endif
