/*
 * trust.c - which keys are trusted: the publisher key in the product, and the other key of a
 * rotation that contains it. The first rotation that is seen stays: somebody who steals the old
 * key later cannot announce another one.
 */
#include <string.h>

#include "libkms/client/client.h"
#include "libkms/core/rotation.h"
#include "libkms/kms_error.h"

/* The remembered rotation, verified again: the state file is not trusted. */
static const struct minisig_key *
other_key(const struct kms_client *c, struct rotation *r)
{
	const struct state *s = c->state;

	if (s->rotation_len == 0 || rotation_verify(r, s->rotation, s->rotation_len) != KMS_OK)
		return NULL;
	return rotation_other(r, &c->publisher);
}

void
trust_rotation(struct kms_client *c, const uint8_t *statement)
{
	struct state *s = c->state;
	struct rotation r;

	if (statement == NULL || other_key(c, &r) != NULL ||
	    rotation_verify(&r, statement, ROTATION_SIZE) != KMS_OK ||
	    rotation_other(&r, &c->publisher) == NULL)
		return;
	memcpy(s->rotation, statement, ROTATION_SIZE);
	s->rotation_len = ROTATION_SIZE;
}

int
trust_certificate(
    struct kms_client *c, struct certificate *cert, const uint8_t *octets, size_t len, bool fresh)
{
	const struct minisig_key *key = &c->publisher, *other;
	struct rotation r;
	int rc = certificate_verify(cert, octets, len, key->id, key->pk);

	if ((other = other_key(c, &r)) == NULL)
		return rc;
	if (rc == KMS_E_PUBLISHER) {
		key = other;
		rc = certificate_verify(cert, octets, len, key->id, key->pk);
	}
	if (rc == KMS_OK && fresh && !rotation_accepts(&r, key, client_now(c)))
		rc = KMS_E_PUBLISHER;
	return rc;
}

int
trust_lease(struct kms_client *c, struct entry_client *out, const uint8_t *bundle, size_t len,
    const struct certificate *cert)
{
	struct certificate either = *cert;
	const struct minisig_key *other;
	struct rotation r;
	struct lease l;

	/* A host keeps the publisher's old key id, whichever key signed the certificate. */
	if ((other = other_key(c, &r)) != NULL && lease_decode(&l, bundle, len) == KMS_OK &&
	    entry_client_decode(out, l.entry, l.entry_len) == KMS_OK &&
	    (memcmp(out->publisher, r.old.id, 8) == 0 || memcmp(out->publisher, r.new.id, 8) == 0))
		memcpy(either.publisher, out->publisher, 8);
	return lease_verify(out, bundle, len, &either, c->cmid, c->product);
}
