/*
 * trust.c - which keys are trusted: the publisher key in the product, and the other key of a
 * rotation that contains it. The first rotation that is seen stays: somebody who steals the old
 * key later cannot announce another one.
 */
#include <string.h>

#include "libkms/client/client.h"
#include "libkms/core/publisher_keys.h"
#include "libkms/kms_error.h"

/* The remembered rotation is verified again: the state file is not trusted. */
static void
trusted_keys(const struct kms_client *c, struct publisher_keys *out)
{
	const struct state *s = c->state;
	struct rotation r;

	*out = (struct publisher_keys){ .key = c->publisher };
	if (s->rotation_len > 0 && rotation_verify(&r, s->rotation, s->rotation_len) == KMS_OK)
		publisher_keys_rotate(out, &r);
}

void
trust_rotation(struct kms_client *c, const uint8_t *statement)
{
	struct state *s = c->state;
	struct publisher_keys keys;
	struct rotation r;

	trusted_keys(c, &keys);
	if (statement == NULL || keys.rotated ||
	    rotation_verify(&r, statement, ROTATION_SIZE) != KMS_OK ||
	    !publisher_keys_rotate(&keys, &r))
		return;
	memcpy(s->rotation, statement, ROTATION_SIZE);
	s->rotation_len = ROTATION_SIZE;
}

int
trust_certificate(
    struct kms_client *c, struct certificate *cert, const uint8_t *octets, size_t len, bool fresh)
{
	const struct minisig_key *signer;
	struct publisher_keys keys;
	int rc;

	trusted_keys(c, &keys);
	rc = publisher_keys_certificate(&keys, cert, octets, len, &signer);
	if (rc == KMS_OK && fresh && !publisher_keys_accept(&keys, signer, client_now(c)))
		rc = KMS_E_PUBLISHER;
	return rc;
}

int
trust_lease(struct kms_client *c, struct entry_client *out, const uint8_t *bundle, size_t len,
    const struct certificate *cert)
{
	struct certificate either = *cert;
	struct publisher_keys keys;
	struct lease l;

	/* A host keeps the publisher's old key id, whichever key signed the certificate. */
	trusted_keys(c, &keys);
	if (keys.rotated && lease_decode(&l, bundle, len) == KMS_OK &&
	    entry_client_decode(out, l.entry, l.entry_len) == KMS_OK &&
	    publisher_keys_find(&keys, out->publisher) != NULL)
		memcpy(either.publisher, out->publisher, 8);
	return lease_verify(out, bundle, len, &either, c->cmid, c->product);
}
