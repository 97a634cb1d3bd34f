/*
 * secret_key.h - the publisher's secret key, in minisign's own file format, encrypted by scrypt or
 * plain as minisign -W writes it. In memory it lives in sodium_malloc pages and is wiped when
 * freed; no other file sees its bytes.
 */
#ifndef KMSCTL_ISSUE_SECRET_KEY_H
#define KMSCTL_ISSUE_SECRET_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/minisig.h"

struct secret_key;

int secret_key_new(struct secret_key **out); /* random. KMS_E_NO_MEMORY */
void secret_key_free(struct secret_key *k);  /* wipes; NULL is fine */
void secret_key_public(const struct secret_key *k, struct minisig_key *out);
void secret_key_sign(const struct secret_key *k, uint8_t sig[64], const void *octets, size_t len);

/*
 * passphrase_file NULL: the terminal is asked when the key needs it. KMS_E_PASSPHRASE,
 * KMS_E_FORMAT, and passphrase.h's.
 */
int secret_key_read(struct secret_key **out, const char *path, const char *passphrase_file);
/*
 * New file, mode 0600. passphrase NULL: not encrypted. KMS_E_EXISTS, KMS_E_NO_MEMORY (scrypt
 * needs up to 1 GiB), ...
 */
int secret_key_write(const struct secret_key *k, const char *path, const char *passphrase);

#endif
