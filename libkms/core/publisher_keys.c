/*
 * publisher_keys.c - see publisher_keys.h.
 */
#include "libkms/core/publisher_keys.h"

#include <string.h>

#include "libkms/kms_error.h"

const struct minisig_key *
publisher_keys_at(const struct publisher_keys *k, unsigned index)
{
	if (k->count == 0)
		return &k->key;
	return index < k->count ? &k->statements[index].old : &k->statements[k->count - 1].new;
}

int
publisher_keys_index(const struct publisher_keys *k, const uint8_t id[8])
{
	for (unsigned i = 0; i <= k->count; i++)
		if (memcmp(publisher_keys_at(k, i)->id, id, 8) == 0)
			return (int)i;
	return -1;
}

const struct minisig_key *
publisher_keys_find(const struct publisher_keys *k, const uint8_t id[8])
{
	int i = publisher_keys_index(k, id);

	return i < 0 ? NULL : publisher_keys_at(k, (unsigned)i);
}

static bool
same(const struct minisig_key *a, const struct minisig_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Is there a statement for this old key, or one that leads to this new one? */
static bool
taken(const struct publisher_keys *k, const struct rotation *r)
{
	for (unsigned i = 0; i < k->count; i++)
		if (same(&k->statements[i].old, &r->old) || same(&k->statements[i].new, &r->new))
			return true;
	return false;
}

bool
publisher_keys_has(const struct publisher_keys *k, const uint8_t octets[ROTATION_SIZE])
{
	for (unsigned i = 0; i < k->count; i++)
		if (memcmp(k->octets[i], octets, ROTATION_SIZE) == 0)
			return true;
	return false;
}

static void
insert(struct publisher_keys *k, unsigned at, const struct rotation *r, const uint8_t *octets)
{
	memmove(
	    &k->statements[at + 1], &k->statements[at], (k->count - at) * sizeof(k->statements[0]));
	memmove(k->octets[at + 1], k->octets[at], (k->count - at) * sizeof(k->octets[0]));
	k->statements[at] = *r;
	memcpy(k->octets[at], octets, ROTATION_SIZE);
	k->count++;
}

int
publisher_keys_rotate(struct publisher_keys *k, const uint8_t octets[ROTATION_SIZE])
{
	struct rotation r;
	bool forwards;
	int rc;

	if (publisher_keys_has(k, octets))
		return KMS_E_EXISTS;
	if ((rc = rotation_verify(&r, octets, ROTATION_SIZE)) != KMS_OK)
		return rc;
	if (taken(k, &r))
		return KMS_E_EXISTS;
	forwards = same(&r.old, publisher_keys_at(k, k->count));
	if (!forwards && !same(&r.new, publisher_keys_at(k, 0)))
		return KMS_E_PUBLISHER;
	if (publisher_keys_find(k, forwards ? r.new.id : r.old.id) != NULL)
		return KMS_E_FORMAT;
	if (k->count > 0 &&
	    (forwards ? r.from < k->statements[k->count - 1].from : r.from > k->statements[0].from))
		return KMS_E_FORMAT;
	if (k->count == ROTATION_CHAIN_MAX)
		return KMS_E_LIMIT;
	insert(k, forwards ? k->count : 0, &r, octets);
	return KMS_OK;
}

int
publisher_keys_chain(struct publisher_keys *k, const uint8_t *octets, unsigned count)
{
	int rc;

	/* Statements before the trusted key are linked one after the other from their end. */
	for (unsigned i = 0; i < count; i++)
		publisher_keys_rotate(k, octets + (size_t)i * ROTATION_SIZE);
	for (unsigned i = count; i > 0; i--)
		publisher_keys_rotate(k, octets + (size_t)(i - 1) * ROTATION_SIZE);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *at = octets + (size_t)i * ROTATION_SIZE;

		if (!publisher_keys_has(k, at))
			return (rc = publisher_keys_rotate(k, at)) != KMS_OK ? rc : KMS_E_FORMAT;
	}
	return KMS_OK;
}

bool
publisher_keys_accept(
    const struct publisher_keys *k, const struct minisig_key *signer, uint64_t now)
{
	int at = publisher_keys_index(k, signer->id);
	unsigned i = (unsigned)at;

	if (at < 0)
		return false;
	if (i > 0 && now < k->statements[i - 1].from)
		return false;
	return i == k->count || now <= k->statements[i].until;
}

/* What one key is asked. */
struct question {
	bool plain;
	const void *data;
	size_t len;
	const char *signature;
	size_t signature_len;
	char *comment;
	size_t comment_size;
	struct certificate *certificate; /* NULL: data is a file with a signature beside it */
};

static int
verify(const struct question *q, const struct minisig_key *key)
{
	int rc;

	if (q->certificate != NULL)
		return certificate_verify(q->certificate, q->data, q->len, key->id, key->pk);
	rc = minisig_verify(
	    key, q->data, q->len, q->signature, q->signature_len, q->comment, q->comment_size);
	if (rc == KMS_E_FORMAT && q->plain)
		rc = minisig_verify_plain(key, q->data, q->len, q->signature, q->signature_len);
	return rc;
}

/* The trusted key first: it signed most of what there is. */
static int
try_keys(
    const struct publisher_keys *k, const struct question *q, const struct minisig_key **signer)
{
	const struct minisig_key *key = &k->key;
	int rc = verify(q, key);

	for (unsigned i = 0; rc == KMS_E_PUBLISHER && k->count > 0 && i <= k->count; i++)
		rc = verify(q, key = publisher_keys_at(k, i));
	if (signer != NULL)
		*signer = key;
	return rc;
}

int
publisher_keys_certificate(const struct publisher_keys *k, struct certificate *out,
    const uint8_t *octets, size_t len, const struct minisig_key **signer)
{
	const struct question q = { .data = octets, .len = len, .certificate = out };

	return try_keys(k, &q, signer);
}

int
publisher_keys_file(const struct publisher_keys *k, bool plain, const void *file, size_t len,
    const char *signature, size_t signature_len, char *comment, size_t comment_size,
    const struct minisig_key **signer)
{
	const struct question q = { .plain = plain,
		.data = file,
		.len = len,
		.signature = signature,
		.signature_len = signature_len,
		.comment = comment,
		.comment_size = comment_size };

	return try_keys(k, &q, signer);
}
