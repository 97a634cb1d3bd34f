/*
 * signing_key.c - guarded memory for the host's secrets. The signing key's
 * page is without access but for the moment of a signature; the exchange key's
 * is read-only, since a flood of new clients would pay two system calls each.
 */
#include "kmsd/activate/signing_key.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "kmsd/activate/store.h"
#include "libkms/certificate.h"
#include "libkms/kms_error.h"
#include "libkms/wire.h"

#define KEY_FILE "keys/host.key"
#define KEY_SIZE 120
#define KEY_MAGIC "KMSHOSTK"
#define KEY_VERSION 1
#define KEY_PLAIN 0

struct signing_key {
	uint8_t *sign_sk; /* 64, no access between signatures */
	uint8_t *kx_sk; /* 32, read-only */
	uint8_t sign_pk[32];
	uint8_t kx_pk[32];
	uint8_t host_id[16];
};

static void
encode(uint8_t file[KEY_SIZE], const uint8_t seed[32], const uint8_t kx_sk[32], uint64_t now)
{
	struct wire_writer w;

	wire_writer_init(&w, file, KEY_SIZE);
	wire_put(&w, KEY_MAGIC, 8);
	wire_put_u8(&w, KEY_VERSION);
	wire_put_u8(&w, KEY_PLAIN);
	wire_put_zero(&w, 6);
	wire_put_u64(&w, now);
	wire_put(&w, seed, 32);
	wire_put(&w, kx_sk, 32);
	crypto_hash_sha256(file + 88, file, 88);
}

static int
make(uint8_t *file, int dirfd, uint64_t now)
{
	uint8_t *secret = sodium_malloc(64);
	int r;

	if (secret == NULL)
		return KMS_E_NO_MEMORY;
	randombytes_buf(secret, 64);
	encode(file, secret, secret + 32, now);
	sodium_free(secret);
	if ((r = store_mkdir(dirfd, "keys")) != KMS_OK)
		return r;
	return store_write(dirfd, KEY_FILE, file, KEY_SIZE);
}

static int
decode(struct signing_key *k, const uint8_t *file, size_t len)
{
	static const uint8_t zero[6];
	uint8_t digest[32];

	if (len != KEY_SIZE || memcmp(file, KEY_MAGIC, 8) != 0)
		return KMS_E_FORMAT;
	if (file[8] != KEY_VERSION || file[9] != KEY_PLAIN)
		return KMS_E_SCHEMA;
	crypto_hash_sha256(digest, file, 88);
	if (sodium_memcmp(digest, file + 88, 32) != 0 || memcmp(file + 10, zero, 6) != 0)
		return KMS_E_FORMAT;
	crypto_sign_seed_keypair(k->sign_pk, k->sign_sk, file + 24);
	memcpy(k->kx_sk, file + 56, 32);
	if (crypto_scalarmult_base(k->kx_pk, k->kx_sk) != 0)
		return KMS_E_FORMAT;
	certificate_host_id(k->host_id, k->sign_pk, k->kx_pk);
	return KMS_OK;
}

int
signing_key_open(struct signing_key **out, int dirfd, uint64_t now, bool *made)
{
	struct signing_key *k = calloc(1, sizeof *k);
	uint8_t *file = sodium_malloc(KEY_SIZE);
	size_t len = 0;
	int r = KMS_E_NO_MEMORY;

	if (k == NULL || file == NULL)
		goto done;
	k->sign_sk = sodium_malloc(64);
	k->kx_sk = sodium_malloc(32);
	if (k->sign_sk == NULL || k->kx_sk == NULL)
		goto done;
	*made = false;
	r = store_read_into(dirfd, KEY_FILE, file, KEY_SIZE, &len);
	if (r == KMS_E_NOT_FOUND) {
		*made = true;
		len = KEY_SIZE;
		r = make(file, dirfd, now);
	}
	if (r == KMS_E_TOO_LARGE)
		r = KMS_E_FORMAT;
	if (r == KMS_OK)
		r = decode(k, file, len);
	if (r == KMS_OK &&
	    (sodium_mprotect_noaccess(k->sign_sk) != 0 || sodium_mprotect_readonly(k->kx_sk) != 0))
		r = KMS_E_NO_MEMORY;
done:
	sodium_free(file);
	if (r != KMS_OK) {
		signing_key_free(k);
		return r;
	}
	*out = k;
	return KMS_OK;
}

void
signing_key_free(struct signing_key *k)
{
	if (k == NULL)
		return;
	sodium_free(k->sign_sk);
	sodium_free(k->kx_sk);
	free(k);
}

const uint8_t *
signing_key_sign_pk(const struct signing_key *k)
{
	return k->sign_pk;
}

const uint8_t *
signing_key_kx_pk(const struct signing_key *k)
{
	return k->kx_pk;
}

const uint8_t *
signing_key_host_id(const struct signing_key *k)
{
	return k->host_id;
}

static int
sign(struct signing_key *k, uint8_t sig[64], const uint8_t *octets, size_t len)
{
	int r;

	if (sodium_mprotect_readonly(k->sign_sk) != 0)
		return KMS_E_NO_MEMORY;
	r = crypto_sign_detached(sig, NULL, octets, len, k->sign_sk);
	if (sodium_mprotect_noaccess(k->sign_sk) != 0)
		return KMS_E_NO_MEMORY;
	return r == 0 ? KMS_OK : KMS_E_SIGNATURE;
}

int
signing_key_batch(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg)
{
	struct signing_key *k = arg;
	struct batch_header h;

	if (batch_header_decode(&h, header) != KMS_OK || memcmp(h.host_id, k->host_id, 16) != 0)
		return KMS_E_FORMAT;
	return sign(k, sig, header, BATCH_HEADER);
}

int
signing_key_confirm(struct signing_key *k, struct confirm_request *r)
{
	uint8_t octets[CONFIRM_REQUEST_SIGNED];

	memcpy(r->sign_pk, k->sign_pk, 32);
	memcpy(r->kx_pk, k->kx_pk, 32);
	confirm_request_octets(octets, r);
	return sign(k, r->signature, octets, sizeof octets);
}

int
signing_key_session(
    struct signing_key *k, struct seal_keys *out, const uint8_t client_pk[SEAL_PUBLIC])
{
	return seal_host_keys(out, k->kx_pk, k->kx_sk, client_pk);
}
