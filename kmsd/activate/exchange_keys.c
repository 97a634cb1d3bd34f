/*
 * exchange_keys.c - see exchange_keys.h. The secrets lie in one guarded page, which is read-only
 * between rotations: otherwise every new client would cost two system calls.
 */
#include "kmsd/activate/exchange_keys.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/exchange_file.h"
#include "kmsd/activate/scrub.h"
#include "kmsd/common/log.h"
#include "libkms/base/file.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

#define FILE_NAME "keys/exchange.key"
#define WRITE_AGAIN 60 /* seconds */
#define DAY UINT64_C(86400)

struct exchange_keys {
	struct host_identity *identity; /* borrowed */
	int dirfd;
	struct exchange_pairs *pairs; /* read-only between changes */
	struct exchange at[EXCHANGE_KEYS];
	bool unwritten;
	uint64_t written; /* when it was last tried */
};

/* -- the file -- */

static int
write_pairs(const struct exchange_keys *k)
{
	uint8_t file[EXCHANGE_FILE_MAX], *key = sodium_malloc(32);
	int rc = KMS_E_NO_MEMORY;
	size_t len;

	if (key != NULL && (rc = host_identity_at_rest(k->identity, key)) == KMS_OK) {
		len = exchange_file_encode(file, k->pairs, host_identity_id(k->identity), key);
		rc = file_make_dir(k->dirfd, "keys", 0700);
		if (rc == KMS_OK)
			rc = scrub_replace(k->dirfd, FILE_NAME, file, len);
	}
	sodium_free(key);
	return rc;
}

static void
save(struct exchange_keys *k, uint64_t now)
{
	int rc = write_pairs(k);

	if (rc != KMS_OK && !k->unwritten)
		log_event(LOG_WARNING, "exchange-key-unwritten",
		    FILE_NAME
		    ": %s; kmsd serves clients with a key in memory, and tries to write the key again each minute",
		    kms_strerror((uint32_t)rc));
	else if (rc == KMS_OK && k->unwritten)
		log_event(LOG_NOTICE, "exchange-key-written", FILE_NAME);
	k->unwritten = rc != KMS_OK;
	k->written = now;
}

/* Also that each statement is this host's and fits its secret. */
static int
check_pairs(struct exchange_keys *k)
{
	uint8_t pk[32];

	for (unsigned i = 0; i < k->pairs->count; i++) {
		int rc = exchange_verify(&k->at[i], k->pairs->at[i].statement, EXCHANGE_SIZE,
		    host_identity_sign_pk(k->identity));

		if (rc != KMS_OK)
			return rc;
		if (crypto_scalarmult_base(pk, k->pairs->at[i].secret) != 0 ||
		    memcmp(pk, k->at[i].pk, 32) != 0)
			return KMS_E_FORMAT;
	}
	return KMS_OK;
}

static int
read_pairs(struct exchange_keys *k)
{
	uint8_t file[EXCHANGE_FILE_MAX], *key = sodium_malloc(32);
	size_t len;
	int rc = KMS_E_NO_MEMORY;

	if (key != NULL && (rc = host_identity_at_rest(k->identity, key)) == KMS_OK &&
	    (rc = file_read_into(k->dirfd, FILE_NAME, FILE_OURS, file, sizeof(file), &len)) ==
		KMS_OK &&
	    (rc = exchange_file_decode(k->pairs, file, len, host_identity_id(k->identity), key)) ==
		KMS_OK)
		rc = check_pairs(k);
	sodium_free(key);
	if (rc != KMS_OK)
		k->pairs->count = 0;
	return rc;
}

/* -- the keys -- */

/* Puts a pair before the others; nothing is changed when it fails. */
static int
make(struct exchange_keys *k, uint64_t now, unsigned days)
{
	struct exchange_pairs *p = k->pairs;
	struct exchange e = { .made = now,
		.until = now + days * DAY,
		.ends = now + days * DAY + EXCHANGE_OVERLAP,
		.lowest = FRAME_VERSION,
		.highest = FRAME_VERSION };
	uint8_t statement[EXCHANGE_SIZE], *secret = sodium_malloc(EXCHANGE_SECRET);
	int rc = KMS_E_NO_MEMORY;

	if (secret == NULL)
		return rc;
	randombytes_buf(secret, EXCHANGE_SECRET);
	crypto_scalarmult_base(e.pk, secret);
	if ((rc = host_identity_exchange(k->identity, statement, &e)) == KMS_OK) {
		memmove(&p->at[1], &p->at[0], sizeof(p->at[0]));
		k->at[1] = k->at[0];
		memcpy(p->at[0].secret, secret, EXCHANGE_SECRET);
		memcpy(p->at[0].statement, statement, EXCHANGE_SIZE);
		p->count = p->count > 0 ? EXCHANGE_KEYS : 1;
		rc = exchange_verify(
		    &k->at[0], statement, EXCHANGE_SIZE, host_identity_sign_pk(k->identity));
	}
	sodium_free(secret);
	return rc;
}

static void
destroy(struct exchange_keys *k, unsigned i)
{
	struct exchange_pairs *p = k->pairs;

	for (; i + 1 < p->count; i++) {
		p->at[i] = p->at[i + 1];
		k->at[i] = k->at[i + 1];
	}
	p->count--;
	sodium_memzero(&p->at[p->count], sizeof(p->at[0]));
}

static bool
ahead(const struct exchange *e, uint64_t now)
{
	return e->made > now + EXCHANGE_SKEW;
}

static bool
due(const struct exchange_keys *k, uint64_t now)
{
	return k->pairs->count == 0 || now >= k->at[0].until || ahead(&k->at[0], now);
}

/* Was anything done? The page is writable here. */
static bool
turn(struct exchange_keys *k, uint64_t now, unsigned days,
    void (*gone)(const uint8_t key_id[EXCHANGE_KEY_ID], void *arg), void *arg)
{
	bool changed = false;
	int rc;

	for (unsigned i = k->pairs->count; i > 0; i--) {
		const struct exchange *e = &k->at[i - 1];
		bool third = i == EXCHANGE_KEYS && due(k, now);

		/* The newest is kept until there is another. */
		if (i == 1 ? !ahead(e, now) : !third && now <= e->ends && !ahead(e, now))
			continue;
		if (gone != NULL)
			gone(e->key_id, arg);
		destroy(k, i - 1);
		changed = true;
	}
	if (!due(k, now))
		return changed;
	if ((rc = make(k, now, days)) == KMS_OK)
		log_event(LOG_INFO, "exchange-key-made", "clients fetch it with their next HELLO");
	else
		log_event(LOG_ERR, "exchange-key-failed", "%s", kms_strerror((uint32_t)rc));
	if (k->pairs->count > 1 && now > k->at[1].ends) {
		if (gone != NULL)
			gone(k->at[1].key_id, arg);
		destroy(k, 1);
	}
	return true;
}

void
exchange_keys_tick(struct exchange_keys *k, uint64_t now, unsigned days,
    void (*gone)(const uint8_t key_id[EXCHANGE_KEY_ID], void *arg), void *arg)
{
	bool old = k->pairs->count > 1 && now > k->at[1].ends;

	if (due(k, now) || old) {
		sodium_mprotect_readwrite(k->pairs);
		if (turn(k, now, days, gone, arg))
			save(k, now);
		sodium_mprotect_readonly(k->pairs);
	} else if (k->unwritten && (now >= k->written + WRITE_AGAIN || now < k->written)) {
		save(k, now);
	}
}

int
exchange_keys_open(struct exchange_keys **out, struct host_identity *identity, int dirfd,
    uint64_t now, unsigned days)
{
	struct exchange_keys *k = calloc(1, sizeof(*k));
	int rc;

	*out = NULL;
	if (k == NULL || (k->pairs = sodium_malloc(sizeof(*k->pairs))) == NULL) {
		free(k);
		return KMS_E_NO_MEMORY;
	}
	k->identity = identity;
	k->dirfd = dirfd;
	k->pairs->count = 0;
	scrub_unfinished(dirfd, FILE_NAME);
	rc = read_pairs(k);
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND) {
		log_event(LOG_WARNING, "exchange-key-refused",
		    FILE_NAME
		    ": %s; kmsd destroys the key and makes a new one: each client asks once more",
		    kms_strerror((uint32_t)rc));
		/* Most of the secret may still be in it, and nobody would ever destroy that. */
		scrub_remove(dirfd, FILE_NAME);
	}
	exchange_keys_tick(k, now, days, NULL, NULL);
	if (k->pairs->count == 0) {
		exchange_keys_free(k);
		return KMS_E_FORMAT;
	}
	sodium_mprotect_readonly(k->pairs);
	*out = k;
	return KMS_OK;
}

void
exchange_keys_free(struct exchange_keys *k)
{
	if (k == NULL)
		return;
	sodium_free(k->pairs);
	free(k);
}

const uint8_t *
exchange_keys_statement(const struct exchange_keys *k)
{
	return k->pairs->at[0].statement;
}

const struct exchange *
exchange_keys_newest(const struct exchange_keys *k)
{
	return &k->at[0];
}

static int
find(const struct exchange_keys *k, const uint8_t key_id[SEAL_KEY_ID], uint64_t now)
{
	for (unsigned i = 0; i < k->pairs->count; i++)
		if (memcmp(k->at[i].key_id, key_id, SEAL_KEY_ID) == 0)
			return now <= k->at[i].ends ? (int)i : -1;
	return -1;
}

bool
exchange_keys_has(const struct exchange_keys *k, const uint8_t key_id[SEAL_KEY_ID], uint64_t now)
{
	return find(k, key_id, now) >= 0;
}

int
exchange_keys_session(const struct exchange_keys *k, struct seal_keys *out,
    const uint8_t key_id[SEAL_KEY_ID], const uint8_t client_pk[SEAL_PUBLIC], uint64_t now)
{
	int i = find(k, key_id, now);

	if (i < 0)
		return KMS_E_UNKNOWN_KEY;
	return seal_host_keys(out, k->at[i].pk, k->pairs->at[i].secret, client_pk);
}
