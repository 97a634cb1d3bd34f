/*
 * secret_key.c - minisign's secret key file (minisign's site, "Secret key
 * format"), of 158 bytes in base64 below a comment:
 *
 *   0   2  "Ed"
 *   2   2  "Sc" scrypt, or zero: not encrypted
 *   4   2  "B2"
 *   6  32  salt of scrypt
 *  38   8  opslimit, little-endian
 *  46   8  memlimit, little-endian
 *  54   8  key id          \
 *  62  64  seed, public key > XORed with scrypt's stream
 * 126  32  checksum        /  BLAKE2b-256 of "Ed", key id, seed, public key
 */
#include "kmsctl/issue/secret_key.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/passphrase.h"
#include "libkms/base/file.h"
#include "libkms/kms_error.h"

#define OCTETS 158
#define KDF_AT 2
#define SALT_AT 6
#define OPS_AT 38
#define MEM_AT 46
#define SECRET_AT 54
#define SECRET_LEN 104 /* id, key, checksum */
#define SUM_AT 126
#define ID_LEN 8
#define FILE_ROOM 2048                /* comment and base64 */
#define OPS_LIMIT (UINT64_C(1) << 32) /* a damaged file must not cost hours */
#define MEM_LIMIT (UINT64_C(4) << 30)

static const char comment[] = "untrusted comment: minisign encrypted secret key\n";

struct secret_key {
	uint8_t id[ID_LEN];
	uint8_t sk[crypto_sign_SECRETKEYBYTES];
};

int
secret_key_new(struct secret_key **out)
{
	struct secret_key *k = sodium_malloc(sizeof(*k));
	uint8_t pk[crypto_sign_PUBLICKEYBYTES];

	*out = k;
	if (k == NULL)
		return KMS_E_NO_MEMORY;
	randombytes_buf(k->id, sizeof(k->id));
	crypto_sign_keypair(pk, k->sk);
	return KMS_OK;
}

void
secret_key_free(struct secret_key *k)
{
	sodium_free(k);
}

void
secret_key_public(const struct secret_key *k, struct minisig_key *out)
{
	memcpy(out->id, k->id, sizeof(out->id));
	crypto_sign_ed25519_sk_to_pk(out->pk, k->sk);
}

void
secret_key_sign(const struct secret_key *k, uint8_t sig[64], const void *octets, size_t len)
{
	crypto_sign_detached(sig, NULL, octets, len, k->sk);
}

static void
checksum(uint8_t out[32], const uint8_t *octets)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, 32);
	crypto_generichash_update(&st, octets, 2);
	crypto_generichash_update(&st, octets + SECRET_AT, ID_LEN + crypto_sign_SECRETKEYBYTES);
	crypto_generichash_final(&st, out, 32);
	sodium_memzero(&st, sizeof(st));
}

static uint64_t
little(const uint8_t *at)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | at[i];
	return v;
}

static void
put_little(uint8_t *at, uint64_t v)
{
	for (int i = 0; i < 8; i++, v >>= 8)
		at[i] = (uint8_t)v;
}

/* XOR with scrypt's stream: encrypts and decrypts. */
static int
apply_passphrase(uint8_t *octets, const char *passphrase)
{
	uint64_t ops = little(octets + OPS_AT), mem = little(octets + MEM_AT);
	uint8_t *stream;
	int rc = KMS_OK;

	if (ops > OPS_LIMIT || mem > MEM_LIMIT)
		return KMS_E_FORMAT;
	if ((stream = sodium_malloc(SECRET_LEN)) == NULL)
		return KMS_E_NO_MEMORY;
	if (crypto_pwhash_scryptsalsa208sha256(stream, SECRET_LEN, passphrase, strlen(passphrase),
		octets + SALT_AT, ops, (size_t)mem) != 0)
		rc = KMS_E_NO_MEMORY;
	for (size_t i = 0; rc == KMS_OK && i < SECRET_LEN; i++)
		octets[SECRET_AT + i] ^= stream[i];
	sodium_free(stream);
	return rc;
}

/* A damaged key must not sign: the public key is derived again and compared. */
static int
take_key(struct secret_key *k, const uint8_t *octets)
{
	uint8_t pk[crypto_sign_PUBLICKEYBYTES];

	memcpy(k->id, octets + SECRET_AT, ID_LEN);
	crypto_sign_seed_keypair(pk, k->sk, octets + SECRET_AT + ID_LEN);
	return sodium_memcmp(k->sk, octets + SECRET_AT + ID_LEN, sizeof(k->sk)) == 0 ? KMS_OK
										     : KMS_E_FORMAT;
}

static int
decrypt(uint8_t *octets, const char *passphrase_file)
{
	char *passphrase;
	uint8_t sum[32];
	int rc = passphrase_get(&passphrase, passphrase_file, false);

	if (rc != KMS_OK)
		return rc;
	rc = apply_passphrase(octets, passphrase);
	sodium_free(passphrase);
	if (rc != KMS_OK)
		return rc;
	checksum(sum, octets);
	return sodium_memcmp(sum, octets + SUM_AT, sizeof(sum)) == 0 ? KMS_OK : KMS_E_PASSPHRASE;
}

/* The second line of the file, from base64; text has len bytes. */
static int
decode(uint8_t *octets, const char *text, size_t len)
{
	const char *line = memchr(text, '\n', len), *end;
	size_t n, got;

	if (len < 18 || memcmp(text, "untrusted comment:", 18) != 0 || line == NULL)
		return KMS_E_FORMAT;
	line++;
	end = memchr(line, '\n', len - (size_t)(line - text));
	n = end != NULL ? (size_t)(end - line) : len - (size_t)(line - text);
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (sodium_base642bin(
		octets, OCTETS, line, n, NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    got != OCTETS || memcmp(octets, "Ed", 2) != 0 || memcmp(octets + 4, "B2", 2) != 0)
		return KMS_E_FORMAT;
	return KMS_OK;
}

int
secret_key_read(struct secret_key **out, const char *path, const char *passphrase_file)
{
	struct secret_key *k = sodium_malloc(sizeof(*k));
	char *text = sodium_malloc(FILE_ROOM);
	uint8_t *octets = sodium_malloc(OCTETS);
	size_t len;
	int rc = k == NULL || text == NULL || octets == NULL ? KMS_E_NO_MEMORY : KMS_OK;

	*out = NULL;
	if (rc == KMS_OK &&
	    (rc = file_read_into(AT_FDCWD, path, FILE_GIVEN, text, FILE_ROOM, &len)) == KMS_OK)
		rc = decode(octets, text, len);
	if (rc == KMS_OK && memcmp(octets + KDF_AT, "Sc", 2) == 0)
		rc = decrypt(octets, passphrase_file);
	else if (rc == KMS_OK && !sodium_is_zero(octets + KDF_AT, 2))
		rc = KMS_E_FORMAT;
	if (rc == KMS_OK && (rc = take_key(k, octets)) == KMS_OK) {
		*out = k;
		k = NULL;
	}
	sodium_free(octets);
	sodium_free(text);
	sodium_free(k);
	return rc;
}

/* minisign's cost; halved until it fits into the machine's memory. */
static int
encrypt(uint8_t *octets, const char *passphrase)
{
	uint64_t mem = crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE;
	int rc;

	memcpy(octets + KDF_AT, "Sc", 2);
	randombytes_buf(octets + SALT_AT, OPS_AT - SALT_AT);
	put_little(octets + OPS_AT, crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE);
	do {
		put_little(octets + MEM_AT, mem);
		rc = apply_passphrase(octets, passphrase);
		mem /= 2;
	} while (rc == KMS_E_NO_MEMORY &&
		 mem >= crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_INTERACTIVE);
	return rc;
}

int
secret_key_write(const struct secret_key *k, const char *path, const char *passphrase)
{
	uint8_t *octets = sodium_malloc(OCTETS);
	char *text = sodium_malloc(FILE_ROOM);
	size_t len = sizeof(comment) - 1;
	int rc = octets == NULL || text == NULL ? KMS_E_NO_MEMORY : KMS_OK;

	if (rc == KMS_OK) {
		memset(octets, 0, OCTETS);
		memcpy(octets, "Ed", 2);
		memcpy(octets + 4, "B2", 2);
		memcpy(octets + SECRET_AT, k->id, ID_LEN);
		memcpy(octets + SECRET_AT + ID_LEN, k->sk, sizeof(k->sk));
		if (passphrase != NULL) {
			checksum(octets + SUM_AT, octets);
			rc = encrypt(octets, passphrase);
		}
	}
	if (rc == KMS_OK) {
		memcpy(text, comment, len);
		sodium_bin2base64(
		    text + len, FILE_ROOM - len, octets, OCTETS, sodium_base64_VARIANT_ORIGINAL);
		len += strlen(text + len);
		text[len++] = '\n';
		rc = file_write(AT_FDCWD, path, text, len, 0600, false);
	}
	sodium_free(octets);
	sodium_free(text);
	return rc;
}
