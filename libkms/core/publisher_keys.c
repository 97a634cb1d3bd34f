/*
 * publisher_keys.c - see publisher_keys.h.
 */
#include "libkms/core/publisher_keys.h"

#include <string.h>

#include "libkms/kms_error.h"

bool
publisher_keys_rotate(struct publisher_keys *k, const struct rotation *r)
{
	if (rotation_other(r, &k->key) == NULL)
		return false;
	k->rotation = *r;
	k->rotated = true;
	return true;
}

const struct minisig_key *
publisher_keys_other(const struct publisher_keys *k)
{
	return k->rotated ? rotation_other(&k->rotation, &k->key) : NULL;
}

const struct minisig_key *
publisher_keys_find(const struct publisher_keys *k, const uint8_t id[8])
{
	const struct minisig_key *other = publisher_keys_other(k);

	if (memcmp(k->key.id, id, 8) == 0)
		return &k->key;
	return other != NULL && memcmp(other->id, id, 8) == 0 ? other : NULL;
}

bool
publisher_keys_accept(
    const struct publisher_keys *k, const struct minisig_key *signer, uint64_t now)
{
	return !k->rotated || rotation_accepts(&k->rotation, signer, now);
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

static int
try_keys(
    const struct publisher_keys *k, const struct question *q, const struct minisig_key **signer)
{
	const struct minisig_key *key = &k->key, *other = publisher_keys_other(k);
	int rc = verify(q, key);

	if (rc == KMS_E_PUBLISHER && other != NULL)
		rc = verify(q, key = other);
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
