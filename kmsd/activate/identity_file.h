/*
 * identity_file.h - the bytes of keys/host.key: the host's two secrets, as they are or sealed.
 *
 *  0  8  "KMSHOSTK"
 *  8  1  version, 1
 *  9  1  kind: 0 plain, 1 sealed with a passphrase, 2 sealed with the machine file
 * 10  6  zero
 * 16  8  made, seconds since 1970 UTC
 *
 * plain, 120 bytes             sealed, 248 bytes
 * 24 32  Ed25519 seed            24 32  Ed25519 public key
 * 56 32  X25519 secret key       56 32  X25519 public key
 * 88 32  SHA-256 of 0..87        88 16  salt
 *                               104  4  Argon2id: passes, zero for kind 2
 *                               108  4  Argon2id: memory in KiB, zero for kind 2
 *                               112 24  nonce
 *                               136 80  seed and secret key, XChaCha20-Poly1305 with tag,
 * additional data: 0..135 216 32  SHA-256 of 0..215
 *
 * The key of the seal is Argon2id 1.3 of passphrase and salt, one lane; for kind 2 it is
 * BLAKE2b-256 of the salt, keyed with the 32 bytes of the machine file. The digest distinguishes
 * a damaged file from a wrong passphrase.
 */
#ifndef KMSD_ACTIVATE_IDENTITY_FILE_H
#define KMSD_ACTIVATE_IDENTITY_FILE_H

#include <stddef.h>
#include <stdint.h>

#define IDENTITY_PLAIN_SIZE 120
#define IDENTITY_SIZE 248  /* the larger */
#define IDENTITY_SECRET 64 /* seed, X25519 secret key */
#define IDENTITY_MACHINE_SECRET 32
#define IDENTITY_PASSPHRASE_MAX 1024

/*
 * Limits for what a file may ask of Argon2: we write 256 MiB; a damaged or hostile file gets no
 * more than this.
 */
#define IDENTITY_PASSES 3
#define IDENTITY_PASSES_MAX 8
#define IDENTITY_MEMORY (256 * 1024) /* KiB */
#define IDENTITY_MEMORY_MIN 1024
#define IDENTITY_MEMORY_MAX (1024 * 1024)

enum identity_kind { IDENTITY_PLAIN = 0, IDENTITY_PASSPHRASE = 1, IDENTITY_MACHINE = 2 };

/*
 * The public part. Public keys are zero in a plain file, where they follow from the secrets.
 */
struct identity_file {
	enum identity_kind kind;
	uint64_t made;
	uint8_t sign_pk[32], kx_pk[32];
	uint8_t salt[16];
	uint32_t passes, memory;
	uint8_t nonce[24];
};

/* A passphrase, or the IDENTITY_MACHINE_SECRET bytes of the machine file. */
struct identity_secret {
	const uint8_t *octets;
	size_t len;
};

/*
 * KMS_E_FORMAT: damaged, or it exceeds the limits; KMS_E_SCHEMA: version or kind of later kmsd.
 */
int identity_file_decode(struct identity_file *out, const uint8_t *file, size_t len);
/*
 * secret: IDENTITY_SECRET bytes of guarded memory. Also KMS_E_PASSPHRASE (wrong secret),
 * KMS_E_NO_MEMORY.
 */
int identity_file_open(
    uint8_t *secret, const uint8_t *file, size_t len, const struct identity_secret *s);
/*
 * f: kind, made, public keys, passes and memory are filled in; salt and nonce are made.
 * KMS_E_NO_MEMORY.
 */
int identity_file_encode(uint8_t file[IDENTITY_SIZE], size_t *len, struct identity_file *f,
    const uint8_t *secret, const struct identity_secret *s);
/* "no", "passphrase", "machine": as kmsctl status shows it. */
const char *identity_kind_name(enum identity_kind kind);

#endif
