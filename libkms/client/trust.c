/*
 * trust.c - see trust.h.
 */
#include "libkms/client/trust.h"

#include <string.h>

#include "libkms/core/lease_file.h"
#include "libkms/kms_error.h"

void
trust_stored(struct publisher_keys *keys, const struct kms_client *c)
{
	const struct state *s = c->state;

	/* The publisher's own key is trusted in any case. */
	*keys = (struct publisher_keys){ .key = c->publisher };
	(void)publisher_keys_chain(keys, s->rotations[0], s->rotation_count);
}

void
trust_remember(struct kms_client *c, const uint8_t *const *statements, unsigned count)
{
	uint8_t row[ROTATION_CHAIN_MAX][ROTATION_SIZE];
	struct state *s = c->state;
	struct publisher_keys keys;

	trust_stored(&keys, c);
	if (count == 0 || count > ROTATION_CHAIN_MAX)
		return;
	for (unsigned i = 0; i < count; i++)
		memcpy(row[i], statements[i], ROTATION_SIZE);
	(void)publisher_keys_chain(&keys, row[0], count);
	s->rotation_count = keys.count;
	memcpy(s->rotations, keys.octets, sizeof(s->rotations));
}

int
trust_certificate(const struct publisher_keys *keys, struct certificate *cert, const uint8_t *bytes,
    size_t len, uint64_t now)
{
	const struct minisig_key *signer;
	int rc = publisher_keys_certificate(keys, cert, bytes, len, &signer);

	if (rc == KMS_OK && now != 0 && !publisher_keys_accept(keys, signer, now))
		rc = KMS_E_PUBLISHER;
	return rc;
}

int
trust_lease(const struct publisher_keys *keys, struct entry_client *out, const uint8_t *bundle,
    size_t len, const struct certificate *cert, const uint8_t *cmid, const uint8_t *product)
{
	return lease_verify_chain(out, keys, bundle, len, cert, cmid, product);
}
