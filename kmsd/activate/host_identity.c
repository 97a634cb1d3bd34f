/*
 * host_identity.c - guarded memory for the host's signing key, whose page is inaccessible except
 * during a signature.
 */
#include "kmsd/activate/host_identity.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/scrub.h"
#include "kmsd/activate/secrets.h"
#include "kmsd/activate/share/beat.h"
#include "libkms/base/file.h"
#include "libkms/core/certificate.h"
#include "libkms/core/hash16.h"
#include "libkms/kms_error.h"

struct host_identity {
	uint8_t *sign_sk; /* 64, no access between signatures */
	uint8_t *file;    /* IDENTITY_SIZE, as on disk: what a passphrase is tried on */
	size_t file_len;
	bool locked;
	struct identity_file head;
	uint8_t sign_pk[32];
	uint8_t host_id[16];
};

static void
set_public(struct host_identity *k, const uint8_t sign_pk[32])
{
	memcpy(k->sign_pk, sign_pk, 32);
	certificate_host_id(k->host_id, k->sign_pk);
}

/*
 * Copies the opened seed to its place. The page is writable until it is protected here.
 */
static int
take_secret(struct host_identity *k, const uint8_t *secret)
{
	uint8_t sign_pk[32];

	crypto_sign_seed_keypair(sign_pk, k->sign_sk, secret);
	/* The seal covers it: this catches a file that was made wrongly. */
	if (k->head.kind != IDENTITY_PLAIN && memcmp(sign_pk, k->head.sign_pk, 32) != 0)
		return KMS_E_FORMAT;
	set_public(k, sign_pk);
	k->locked = false;
	return sodium_mprotect_noaccess(k->sign_sk) == 0 ? KMS_OK : KMS_E_NO_MEMORY;
}

/* Opens the file's seed into guarded memory of IDENTITY_SECRET bytes. */
static int
unseal(uint8_t *secret, const struct host_identity *k, const uint8_t *passphrase, size_t len,
    const struct secrets *s)
{
	struct identity_secret with = { passphrase, len };
	bool machine = k->head.kind == IDENTITY_MACHINE;
	int rc;

	if (!machine)
		return identity_file_open(secret, k->file, k->file_len, &with);
	with = (struct identity_secret){ s->machine, IDENTITY_MACHINE_SECRET };
	sodium_mprotect_readonly(s->machine);
	rc = identity_file_open(secret, k->file, k->file_len, &with);
	sodium_mprotect_noaccess(s->machine);
	return rc;
}

/* head: kind, made and public key are filled in. */
static int
encode(struct identity_file *head, const uint8_t *secret, const uint8_t *passphrase,
    size_t passphrase_len, const struct secrets *s, uint8_t *file, size_t *len)
{
	struct identity_secret with = { passphrase, passphrase_len };
	int rc;

	head->passes = head->kind == IDENTITY_PASSPHRASE ? IDENTITY_PASSES : 0;
	head->memory = head->kind == IDENTITY_PASSPHRASE ? IDENTITY_MEMORY : 0;
	if (head->kind == IDENTITY_MACHINE) {
		with = (struct identity_secret){ s->machine, IDENTITY_MACHINE_SECRET };
		sodium_mprotect_readonly(s->machine);
	}
	rc = identity_file_encode(file, len, head, secret, &with);
	if (head->kind == IDENTITY_MACHINE)
		sodium_mprotect_noaccess(s->machine);
	return rc;
}

/* At the first start: sealed from the beginning when kms.ini has a passphrase or machine file. */
static int
make(struct host_identity *k, int dirfd, uint64_t now, const struct secrets *s)
{
	struct identity_file head = { .made = now };
	uint8_t *secret = sodium_malloc(IDENTITY_SECRET), *sk = sodium_malloc(64);
	int rc = KMS_E_NO_MEMORY;

	if (secret == NULL || sk == NULL)
		goto done;
	head.kind = s->passphrase != NULL ? IDENTITY_PASSPHRASE
		    : s->machine != NULL  ? IDENTITY_MACHINE
					  : IDENTITY_PLAIN;
	randombytes_buf(secret, IDENTITY_SECRET);
	crypto_sign_seed_keypair(head.sign_pk, sk, secret);
	rc = encode(&head, secret, s->passphrase, s->passphrase_len, s, k->file, &k->file_len);
	if (rc == KMS_OK && (rc = file_make_dir(dirfd, "keys", 0700)) == KMS_OK)
		rc = file_write(dirfd, IDENTITY_PATH, k->file, k->file_len, 0600, true);
done:
	sodium_free(sk);
	sodium_free(secret);
	return rc;
}

/* -- lost -- */

/* KMS_E_NOT_FOUND: the file is lost, and why says what to do. */
static int
first_start(
    struct host_identity *k, int dirfd, uint64_t now, const struct secrets *s, char why[256])
{
	const char *trace = identity_left_behind(dirfd);

	if (trace == NULL)
		return make(k, dirfd, now, s);
	snprintf(why, 256,
	    "it is missing, and %s of this host is still there: restore keys/ from a backup. Or, for a NEW host that each publisher must confirm: move everything out of the state directory, then start kmsd",
	    trace);
	return KMS_E_NOT_FOUND;
}

static int
open_machine(struct host_identity *k, uint8_t *secret, const struct secrets *s, char why[256])
{
	int rc;

	if (s->machine == NULL) {
		snprintf(why, 256,
		    "it is bound to a machine file: set [keys] machine_file in kms.ini to that file");
		return KMS_E_PASSPHRASE;
	}
	if ((rc = unseal(secret, k, NULL, 0, s)) == KMS_E_PASSPHRASE)
		snprintf(why, 256,
		    "it is bound to another machine file than the one in kms.ini: restore that file, or a host.key that was saved before it was bound");
	return rc;
}

/* A missing or wrong passphrase is not a failure: the administrator can type it later. */
static int
open_passphrase(struct host_identity *k, uint8_t *secret, const struct secrets *s, char why[256])
{
	int rc = KMS_E_PASSPHRASE;

	if (s->passphrase != NULL)
		rc = unseal(secret, k, s->passphrase, s->passphrase_len, s);
	if (rc != KMS_E_PASSPHRASE)
		return rc;
	snprintf(why, 256, "%s",
	    s->passphrase != NULL ? "the passphrase from kms.ini ([keys]) is wrong" : "");
	k->locked = true;
	set_public(k, k->head.sign_pk);
	return KMS_OK;
}

static int
open_file(struct host_identity *k, const struct secrets *s, char why[256])
{
	uint8_t *secret = sodium_malloc(IDENTITY_SECRET);
	int rc;

	if (secret == NULL)
		return KMS_E_NO_MEMORY;
	rc = identity_file_decode(&k->head, k->file, k->file_len);
	if (rc == KMS_E_SCHEMA)
		snprintf(why, 256,
		    "host.key version %u; this is kmsd %s, which reads host.key version %d. Install the kmsd that wrote it again, or restore the backup made before the upgrade",
		    k->file[8], PACKAGE_VERSION, IDENTITY_VERSION);
	if (rc == KMS_OK && k->head.kind == IDENTITY_MACHINE)
		rc = open_machine(k, secret, s, why);
	else if (rc == KMS_OK && k->head.kind == IDENTITY_PASSPHRASE)
		rc = open_passphrase(k, secret, s, why);
	else if (rc == KMS_OK)
		rc = unseal(secret, k, NULL, 0, s);
	if (rc == KMS_OK && !k->locked)
		rc = take_secret(k, secret);
	sodium_free(secret);
	return rc;
}

int
host_identity_open(struct host_identity **out, int dirfd, uint64_t now, const struct secrets *s,
    bool *made, char why[256])
{
	struct host_identity *k = calloc(1, sizeof(*k));
	int rc = KMS_E_NO_MEMORY;

	*made = false;
	if (k == NULL)
		return rc;
	k->sign_sk = sodium_malloc(64);
	k->file = sodium_malloc(IDENTITY_SIZE);
	if (k->sign_sk == NULL || k->file == NULL)
		goto done;
	scrub_unfinished(dirfd, IDENTITY_PATH);
	rc = file_read_into(dirfd, IDENTITY_PATH, FILE_OURS, k->file, IDENTITY_SIZE, &k->file_len);
	if (rc == KMS_E_NOT_FOUND) {
		rc = first_start(k, dirfd, now, s, why);
		*made = rc == KMS_OK;
	}
	if (rc == KMS_E_TOO_LARGE)
		rc = KMS_E_FORMAT;
	if (rc == KMS_OK)
		rc = open_file(k, s, why);
	if (rc == KMS_OK && sodium_mprotect_noaccess(k->file) != 0)
		rc = KMS_E_NO_MEMORY;
done:
	if (rc != KMS_OK) {
		host_identity_free(k);
		return rc;
	}
	*out = k;
	return KMS_OK;
}

bool
host_identity_locked(const struct host_identity *k)
{
	return k->locked;
}

enum identity_kind
host_identity_kind(const struct host_identity *k)
{
	return k->head.kind;
}

int
host_identity_unlock(struct host_identity *k, const uint8_t *passphrase, size_t len)
{
	uint8_t *secret = sodium_malloc(IDENTITY_SECRET);
	int rc = KMS_E_NO_MEMORY;

	if (secret != NULL && sodium_mprotect_readonly(k->file) == 0) {
		rc = unseal(secret, k, passphrase, len, NULL);
		sodium_mprotect_noaccess(k->file);
	}
	if (rc == KMS_OK && k->locked)
		rc = take_secret(k, secret);
	sodium_free(secret);
	return rc;
}

int
host_identity_seal(struct host_identity *k, int dirfd, enum identity_kind kind,
    const uint8_t *passphrase, size_t passphrase_len, const struct secrets *s)
{
	struct identity_file head = { .kind = kind, .made = k->head.made };
	uint8_t *secret = sodium_malloc(IDENTITY_SECRET), *file = sodium_malloc(IDENTITY_SIZE);
	int rc = KMS_E_NO_MEMORY;
	size_t len = 0;

	if (secret == NULL || file == NULL || sodium_mprotect_readonly(k->sign_sk) != 0)
		goto done;
	memcpy(secret, k->sign_sk, 32);
	memcpy(head.sign_pk, k->sign_pk, 32);
	sodium_mprotect_noaccess(k->sign_sk);
	rc = encode(&head, secret, passphrase, passphrase_len, s, file, &len);
	if (rc == KMS_OK && (rc = scrub_replace(dirfd, IDENTITY_PATH, file, len)) == KMS_OK &&
	    (rc = identity_file_decode(&k->head, file, len)) == KMS_OK) {
		sodium_mprotect_readwrite(k->file);
		memcpy(k->file, file, len);
		k->file_len = len;
		sodium_mprotect_noaccess(k->file);
	}
done:
	sodium_free(file);
	sodium_free(secret);
	return rc;
}

void
host_identity_free(struct host_identity *k)
{
	if (k == NULL)
		return;
	sodium_free(k->sign_sk);
	sodium_free(k->file);
	free(k);
}

const uint8_t *
host_identity_sign_pk(const struct host_identity *k)
{
	return k->sign_pk;
}

const uint8_t *
host_identity_id(const struct host_identity *k)
{
	return k->host_id;
}

static int
sign(struct host_identity *k, uint8_t sig[64], const uint8_t *octets, size_t len)
{
	int rc;

	if (k->locked)
		return KMS_E_LOCKED;
	if (sodium_mprotect_readonly(k->sign_sk) != 0)
		return KMS_E_NO_MEMORY;
	rc = crypto_sign_detached(sig, NULL, octets, len, k->sign_sk);
	if (sodium_mprotect_noaccess(k->sign_sk) != 0)
		return KMS_E_NO_MEMORY;
	return rc == 0 ? KMS_OK : KMS_E_SIGNATURE;
}

int
host_identity_batch(uint8_t sig[BATCH_SIGNATURE], const uint8_t header[BATCH_HEADER], void *arg)
{
	struct host_identity *k = arg;
	struct batch_header h;

	if (batch_header_decode(&h, header) != KMS_OK || memcmp(h.host_id, k->host_id, 16) != 0)
		return KMS_E_FORMAT;
	return sign(k, sig, header, BATCH_HEADER);
}

int
host_identity_confirm(struct host_identity *k, struct confirm_request *r)
{
	uint8_t octets[CONFIRM_REQUEST_SIGNED];

	memcpy(r->sign_pk, k->sign_pk, 32);
	confirm_request_octets(octets, r);
	return sign(k, r->signature, octets, sizeof(octets));
}

int
host_identity_exchange(
    struct host_identity *k, uint8_t statement[EXCHANGE_SIZE], const struct exchange *e)
{
	struct exchange own = *e;

	memcpy(own.host_id, k->host_id, 16);
	exchange_key_id(own.key_id, own.pk);
	exchange_encode(statement, &own);
	return sign(k, statement + EXCHANGE_SIGNED, statement, EXCHANGE_SIGNED);
}

int
host_identity_beat(struct host_identity *k, uint8_t sig[64], const uint8_t *octets, size_t len)
{
	if (!beat_of(octets, len, k->sign_pk))
		return KMS_E_FORMAT;
	return sign(k, sig, octets, len);
}

/* BLAKE2b-256 of the label, keyed with the seed, which is the first half of the signing key. */
static int
derive(const struct host_identity *k, uint8_t key[32], const char *label)
{
	if (k->locked)
		return KMS_E_LOCKED;
	if (sodium_mprotect_readonly(k->sign_sk) != 0)
		return KMS_E_NO_MEMORY;
	crypto_generichash(
	    key, 32, (const uint8_t *)label, strlen(label), k->sign_sk, crypto_sign_SEEDBYTES);
	return sodium_mprotect_noaccess(k->sign_sk) == 0 ? KMS_OK : KMS_E_NO_MEMORY;
}

int
host_identity_at_rest(struct host_identity *k, uint8_t out[32])
{
	return derive(k, out, "KMS exchange at rest v1");
}

int
host_identity_relay_salt(const struct host_identity *k, const uint8_t address[16], uint8_t salt[16])
{
	uint8_t key[32];
	int rc = derive(k, key, "KMS relay salt key v1");

	if (rc == KMS_OK)
		hash16(salt, "KMS relay salt v1",
		    (const struct hash16_part[]){ { key, sizeof(key) }, { address, 16 } }, 2);
	sodium_memzero(key, sizeof(key));
	return rc;
}
