/*
 * exchange_file.c - see exchange_file.h.
 */
#include "kmsd/activate/exchange_file.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define MAGIC "KMSHOSTX"
#define HEAD 32 /* additional data */
#define SEALED_AT 56
#define PAIR (EXCHANGE_SECRET + EXCHANGE_SIZE)
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define DIGEST crypto_hash_sha256_BYTES

_Static_assert(SEALED_AT - HEAD == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "layout");
_Static_assert(EXCHANGE_FILE_MAX == SEALED_AT + EXCHANGE_KEYS * PAIR + TAG + DIGEST, "layout");
_Static_assert(sizeof(((struct exchange_pairs *)0)->at) == EXCHANGE_KEYS * PAIR, "no padding");

size_t
exchange_file_encode(uint8_t out[EXCHANGE_FILE_MAX], const struct exchange_pairs *pairs,
    const uint8_t host_id[16], const uint8_t key[32])
{
	size_t sealed = pairs->count * (size_t)PAIR + TAG, len = SEALED_AT + sealed;
	struct wire_writer w;

	wire_writer_init(&w, out, SEALED_AT);
	wire_put(&w, MAGIC, 8);
	wire_put_u8(&w, EXCHANGE_FILE_VERSION);
	wire_put_u8(&w, (uint8_t)pairs->count);
	wire_put_zero(&w, 6);
	wire_put(&w, host_id, 16);
	randombytes_buf(out + HEAD, SEALED_AT - HEAD);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEALED_AT, NULL,
	    (const uint8_t *)pairs->at, pairs->count * (size_t)PAIR, out, HEAD, NULL, out + HEAD,
	    key);
	crypto_hash_sha256(out + len, out, len);
	return len + DIGEST;
}

int
exchange_file_decode(struct exchange_pairs *pairs, const uint8_t *file, size_t len,
    const uint8_t host_id[16], const uint8_t key[32])
{
	static const uint8_t zero[6];
	uint8_t digest[DIGEST];
	size_t n;

	pairs->count = 0;
	if (len < SEALED_AT + DIGEST || memcmp(file, MAGIC, 8) != 0)
		return KMS_E_FORMAT;
	crypto_hash_sha256(digest, file, len - DIGEST);
	if (memcmp(digest, file + len - DIGEST, DIGEST) != 0)
		return KMS_E_FORMAT;
	if (file[8] != EXCHANGE_FILE_VERSION)
		return KMS_E_SCHEMA;
	n = file[9];
	if (n < 1 || n > EXCHANGE_KEYS || memcmp(file + 10, zero, sizeof(zero)) != 0 ||
	    len != SEALED_AT + n * PAIR + TAG + DIGEST)
		return KMS_E_FORMAT;
	if (memcmp(file + 16, host_id, 16) != 0)
		return KMS_E_UNKNOWN_HOST;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)pairs->at, NULL, NULL,
		file + SEALED_AT, n * PAIR + TAG, file, HEAD, file + HEAD, key) != 0)
		return KMS_E_BAD_SEAL;
	pairs->count = (unsigned)n;
	return KMS_OK;
}
