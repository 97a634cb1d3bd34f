/*
 * identity_file.c - see identity_file.h. Nothing here keeps a secret: the caller's buffers are
 * guarded, and the key of the seal lives in guarded memory for as long as one call.
 */
#include "kmsd/activate/identity_file.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/file.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define MAGIC "KMSHOSTK"
#define SEALED_AT 104
#define SEALED (IDENTITY_SECRET + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define DIGEST 32

_Static_assert(SEALED_AT + SEALED + DIGEST == IDENTITY_SIZE, "layout");
_Static_assert(crypto_pwhash_SALTBYTES == 16, "layout");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == 24, "layout");

const char *
identity_kind_name(enum identity_kind kind)
{
	static const char *const names[] = { "no", "passphrase", "machine" };

	return names[kind];
}

/* Size of a file of this kind; 0: no such kind. */
static size_t
size_of(uint8_t kind)
{
	static const size_t sizes[] = { IDENTITY_PLAIN_SIZE, IDENTITY_SIZE, IDENTITY_SIZE };

	return kind < sizeof(sizes) / sizeof(sizes[0]) ? sizes[kind] : 0;
}

static int
check_parameters(const struct identity_file *f)
{
	if (f->kind == IDENTITY_MACHINE)
		return f->passes == 0 && f->memory == 0 ? KMS_OK : KMS_E_FORMAT;
	if (f->passes < 1 || f->passes > IDENTITY_PASSES_MAX || f->memory < IDENTITY_MEMORY_MIN ||
	    f->memory > IDENTITY_MEMORY_MAX)
		return KMS_E_FORMAT;
	return KMS_OK;
}

int
identity_file_decode(struct identity_file *out, const uint8_t *file, size_t len)
{
	static const uint8_t zero[6];
	uint8_t digest[DIGEST];
	struct wire_reader r;

	memset(out, 0, sizeof(*out));
	if (len < 10 + DIGEST || memcmp(file, MAGIC, 8) != 0)
		return KMS_E_FORMAT;
	crypto_hash_sha256(digest, file, len - DIGEST);
	if (sodium_memcmp(digest, file + len - DIGEST, DIGEST) != 0)
		return KMS_E_FORMAT;
	if (file[8] != IDENTITY_VERSION || size_of(file[9]) == 0)
		return KMS_E_SCHEMA;
	if (len != size_of(file[9]) || memcmp(file + 10, zero, sizeof(zero)) != 0)
		return KMS_E_FORMAT;
	out->kind = (enum identity_kind)file[9];
	wire_reader_init(&r, file + 16, len - 16);
	out->made = wire_get_u64(&r);
	if (out->kind == IDENTITY_PLAIN)
		return KMS_OK;
	wire_get(&r, out->sign_pk, 32);
	wire_get(&r, out->salt, sizeof(out->salt));
	out->passes = wire_get_u32(&r);
	out->memory = wire_get_u32(&r);
	wire_get(&r, out->nonce, sizeof(out->nonce));
	return check_parameters(out);
}

/* The key of the seal. */
static int
derive(uint8_t *key, const struct identity_file *f, const struct identity_secret *s)
{
	if (f->kind == IDENTITY_MACHINE) {
		if (s->len != IDENTITY_MACHINE_SECRET)
			return KMS_E_PASSPHRASE;
		crypto_generichash(key, 32, f->salt, sizeof(f->salt), s->octets, s->len);
		return KMS_OK;
	}
	if (s->len == 0 || s->len > IDENTITY_PASSPHRASE_MAX)
		return KMS_E_PASSPHRASE;
	if (crypto_pwhash(key, 32, (const char *)s->octets, s->len, f->salt, f->passes,
		(size_t)f->memory * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return KMS_E_NO_MEMORY;
	return KMS_OK;
}

int
identity_file_open(
    uint8_t *secret, const uint8_t *file, size_t len, const struct identity_secret *s)
{
	struct identity_file f;
	uint8_t *key = NULL;
	int rc = identity_file_decode(&f, file, len);

	if (rc != KMS_OK)
		return rc;
	if (f.kind == IDENTITY_PLAIN) {
		memcpy(secret, file + 24, IDENTITY_SECRET);
		return KMS_OK;
	}
	if ((key = sodium_malloc(32)) == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = derive(key, &f, s)) == KMS_OK &&
	    crypto_aead_xchacha20poly1305_ietf_decrypt(
		secret, NULL, NULL, file + SEALED_AT, SEALED, file, SEALED_AT, f.nonce, key) != 0)
		rc = KMS_E_PASSPHRASE;
	sodium_free(key);
	return rc;
}

int
identity_file_public(uint8_t sign_pk[32], const uint8_t *file, size_t len)
{
	struct identity_file f;
	uint8_t *sk;
	int rc = identity_file_decode(&f, file, len);

	if (rc != KMS_OK)
		return rc;
	memcpy(sign_pk, f.sign_pk, 32);
	if (f.kind != IDENTITY_PLAIN)
		return KMS_OK;
	if ((sk = sodium_malloc(crypto_sign_SECRETKEYBYTES)) == NULL)
		return KMS_E_NO_MEMORY;
	crypto_sign_seed_keypair(sign_pk, sk, file + 24);
	sodium_free(sk);
	return KMS_OK;
}

static void
head(struct wire_writer *w, const struct identity_file *f)
{
	wire_put(w, MAGIC, 8);
	wire_put_u8(w, IDENTITY_VERSION);
	wire_put_u8(w, (uint8_t)f->kind);
	wire_put_zero(w, 6);
	wire_put_u64(w, f->made);
}

static int
seal(uint8_t file[IDENTITY_SIZE], struct wire_writer *w, struct identity_file *f,
    const uint8_t *secret, const struct identity_secret *s)
{
	uint8_t *key = sodium_malloc(32);
	int rc;

	if (key == NULL)
		return KMS_E_NO_MEMORY;
	randombytes_buf(f->salt, sizeof(f->salt));
	randombytes_buf(f->nonce, sizeof(f->nonce));
	wire_put(w, f->sign_pk, 32);
	wire_put(w, f->salt, sizeof(f->salt));
	wire_put_u32(w, f->passes);
	wire_put_u32(w, f->memory);
	wire_put(w, f->nonce, sizeof(f->nonce));
	if ((rc = derive(key, f, s)) == KMS_OK)
		crypto_aead_xchacha20poly1305_ietf_encrypt(file + SEALED_AT, NULL, secret,
		    IDENTITY_SECRET, file, SEALED_AT, NULL, f->nonce, key);
	sodium_free(key);
	return rc;
}

int
identity_file_encode(uint8_t file[IDENTITY_SIZE], size_t *len, struct identity_file *f,
    const uint8_t *secret, const struct identity_secret *s)
{
	struct wire_writer w;
	int rc = KMS_OK;

	*len = size_of((uint8_t)f->kind);
	wire_writer_init(&w, file, IDENTITY_SIZE);
	head(&w, f);
	if (f->kind == IDENTITY_PLAIN)
		wire_put(&w, secret, IDENTITY_SECRET);
	else if ((rc = check_parameters(f)) == KMS_OK)
		rc = seal(file, &w, f, secret, s);
	if (rc == KMS_OK)
		crypto_hash_sha256(file + *len - DIGEST, file, *len - DIGEST);
	return rc;
}

static int
any_name(const char *name, void *arg)
{
	return 1;
}

const char *
identity_left_behind(int dirfd)
{
	static const struct {
		const char *dir, *suffix, *what;
	} traces[] = {
		{ "kmsdb/journal", ".seg", "a journal" },
		{ "certs", ".kmscert", "a confirmation" },
		{ "keys", ".kmskey", "a host key" },
		{ "keys", "exchange.key", "an exchange key" },
	};

	for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++)
		if (file_each(dirfd, traces[i].dir, traces[i].suffix, any_name, NULL) != 0)
			return traces[i].what;
	return NULL;
}
