/*
 * minisig.h - minisign's public keys and signatures (jedisct1's minisign,
 * "Signature format"). Reading and verifying; signing is kmsctl/issue/.
 *
 * Public key line: base64("Ed" || key id 8 || Ed25519 key 32).
 * Signature file: untrusted comment, base64(alg 2 || key id 8 || signature 64),
 * trusted comment, base64(signature over signature || trusted comment).
 * alg "ED": over BLAKE2b-512 of the file; "Ed": over the file itself.
 */
#ifndef KMS_LIBKMS_CORE_MINISIG_H
#define KMS_LIBKMS_CORE_MINISIG_H

#include <stddef.h>
#include <stdint.h>

#define MINISIG_KEY_LINE 56 /* base64 characters of a public key */

struct minisig_key {
	uint8_t id[8];
	uint8_t pk[32];
};

/* From "RW..." alone or from a whole .pub file. KMS_E_FORMAT. */
int minisig_key_parse(struct minisig_key *out, const char *text);
void minisig_key_format(char out[MINISIG_KEY_LINE + 1], const struct minisig_key *key);

/*
 * KMS_OK; KMS_E_FORMAT (not a signature file), KMS_E_PUBLISHER (another key
 * id), KMS_E_SIGNATURE. comment, when not NULL, receives the trusted comment,
 * cut to comment_size - 1 characters.
 */
int minisig_verify(const struct minisig_key *key, const void *file, size_t len,
    const char *signature, size_t signature_len, char *comment, size_t comment_size);

/*
 * The first two lines alone, without a trusted comment: what is made of a code that was typed
 * (kms.key(5)). Statuses as above.
 */
int minisig_verify_plain(const struct minisig_key *key, const void *file, size_t len,
    const char *signature, size_t signature_len);
/* Those two lines, of a prehashed signature. Returns their length. */
#define MINISIG_PLAIN 160
size_t minisig_format_plain(
    char out[MINISIG_PLAIN], const uint8_t id[8], const uint8_t signature[64]);

#endif
