/*
 * publisher_keys.h - the keys of one publisher: the one that is trusted, and the other one of a
 * key rotation. Whatever a publisher signed is verified here: with the trusted key, and with the
 * other one when the signature names another key.
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
	struct minisig_key key; /* the trusted one */
	bool rotated;           /* rotation holds the other one */
	struct rotation rotation;
};

/* Takes a rotation that verified; false: the trusted key has no part in it. */
bool publisher_keys_rotate(struct publisher_keys *k, const struct rotation *r);
/* NULL: there is one key only. */
const struct minisig_key *publisher_keys_other(const struct publisher_keys *k);
/* The key of that id; NULL: neither. */
const struct minisig_key *publisher_keys_find(const struct publisher_keys *k, const uint8_t id[8]);
/* May something that this key signed be accepted at this time? */
bool publisher_keys_accept(
    const struct publisher_keys *k, const struct minisig_key *signer, uint64_t now);

/*
 * Both store the key that signed in *signer, which may be NULL. Statuses are those of
 * certificate_verify and minisig_verify; KMS_E_PUBLISHER: neither key signed it.
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
