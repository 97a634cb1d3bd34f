/*
 * identity_file.h - the bytes of keys/host.key: the seed of the host's signing key, as it is or
 * sealed.
 *
 *  0  8  "KMSHOSTK"
 *  8  1  version, 2
 *  9  1  kind: 0 plain, 1 sealed with a passphrase, 2 sealed with the machine file
 * 10  6  zero
 * 16  8  made, seconds since 1970 UTC
 *
 * plain, 88 bytes              sealed, 184 bytes
 * 24 32  Ed25519 seed            24 32  Ed25519 public key
 * 56 32  SHA-256 of 0..55        56 16  salt
 *                                72  4  Argon2id: passes, zero for kind 2
 *                                76  4  Argon2id: memory in KiB, zero for kind 2
 *                                80 24  nonce
 *                               104 48  seed, XChaCha20-Poly1305 with tag, additional data:
 *                                       0..103
 *                               152 32  SHA-256 of 0..151
 *
 * The key of the seal is Argon2id 1.3 of passphrase and salt, one lane; for kind 2 it is
 * BLAKE2b-256 of the salt, keyed with the 32 bytes of the machine file. The digest distinguishes
 * a damaged file from a wrong passphrase.
 */
#ifndef KMSD_ACTIVATE_IDENTITY_FILE_H
#define KMSD_ACTIVATE_IDENTITY_FILE_H

#include <stddef.h>
#include <stdint.h>

#define IDENTITY_PLAIN_SIZE 88
#define IDENTITY_PATH "keys/host.key" /* below the state directory */
#define IDENTITY_SIZE 184             /* the larger */
#define IDENTITY_SECRET 32            /* the seed */
#define IDENTITY_VERSION 2
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
 * The public part. The public key is zero in a plain file, where it follows from the seed.
 */
struct identity_file {
	enum identity_kind kind;
	uint64_t made;
	uint8_t sign_pk[32];
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
 * KMS_E_FORMAT: damaged, or it exceeds the limits; KMS_E_SCHEMA: another version, which is in
 * file[8], or a kind of later kmsd.
 */
int identity_file_decode(struct identity_file *out, const uint8_t *file, size_t len);
/*
 * The public key, whatever the kind is: of a plain file it is computed, in guarded memory. As
 * identity_file_decode, and KMS_E_NO_MEMORY.
 */
int identity_file_public(uint8_t sign_pk[32], const uint8_t *file, size_t len);
/*
 * secret: IDENTITY_SECRET bytes of guarded memory. Also KMS_E_PASSPHRASE (wrong secret),
 * KMS_E_NO_MEMORY.
 */
int identity_file_open(
    uint8_t *secret, const uint8_t *file, size_t len, const struct identity_secret *s);
/*
 * f: kind, made, public key, passes and memory are filled in; salt and nonce are made.
 * KMS_E_NO_MEMORY.
 */
int identity_file_encode(uint8_t file[IDENTITY_SIZE], size_t *len, struct identity_file *f,
    const uint8_t *secret, const struct identity_secret *s);
/*
 * What only a host that had its identity can have, below its state directory ("a journal"); NULL:
 * nothing. A new identity beside it would be a new host, for which the publishers' confirmations
 * and this journal say nothing.
 */
const char *identity_left_behind(int dirfd);
/* "no", "passphrase", "machine": as kmsctl status shows it. */
const char *identity_kind_name(enum identity_kind kind);

#endif
