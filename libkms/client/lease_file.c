/*
 * lease_file.c - a lease for others to look at, which the publisher's public key alone verifies:
 * "KMSLEAS3", a count of 1 byte and the publisher's rotations, 2 bytes length and the host's
 * certificate, and the bundle to the end.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/client/stored.h"
#include "libkms/client/trust.h"
#include "libkms/core/batch.h"
#include "libkms/core/lease.h"
#include "libkms/kms_error.h"

static const char magic[8] = { 'K', 'M', 'S', 'L', 'E', 'A', 'S', '3' };

int
kms_lease_export(struct kms_client *c, void *out, size_t *size)
{
	struct entry_client lease;
	struct wire_writer w;
	size_t need;
	int rc;

	if (c == NULL || size == NULL || (out == NULL && *size != 0))
		return KMS_E_ARGUMENT;
	if ((rc = client_refresh(c)) != KMS_OK || (rc = client_lease(c, &lease)) != KMS_OK)
		return rc;
	need = sizeof(magic) + 1 + c->state->rotation_count * ROTATION_SIZE + 2 +
	       c->state->lease_certificate_len + c->state->bundle_len;
	if (*size < need) {
		*size = need;
		return KMS_E_TOO_LARGE;
	}
	wire_writer_init(&w, out, need);
	wire_put(&w, magic, sizeof(magic));
	wire_put_u8(&w, (uint8_t)c->state->rotation_count);
	wire_put(&w, c->state->rotations, c->state->rotation_count * ROTATION_SIZE);
	wire_put_u16(&w, (uint16_t)c->state->lease_certificate_len);
	wire_put(&w, c->state->lease_certificate, c->state->lease_certificate_len);
	wire_put(&w, c->state->bundle, c->state->bundle_len);
	*size = need;
	return KMS_OK;
}

static void
tell(struct kms_lease_info *info, const struct entry_client *e, const struct certificate *cert,
    const struct lease *l, const uint8_t *bundle, size_t bundle_len)
{
	struct kms_lease_info full;
	struct aside names;
	struct batch_header batch;
	size_t size = info->size;

	memset(&full, 0, sizeof(full));
	memcpy(full.cmid, e->cmid, sizeof(full.cmid));
	memcpy(full.product, e->product, sizeof(full.product));
	memcpy(full.host_id, cert->host_id, sizeof(full.host_id));
	memcpy(full.host_key, cert->host_key_id, sizeof(full.host_key));
	full.issued = e->time;
	full.expires = e->expires;
	full.renew_after = e->renew_after;
	full.index = l->index;
	if (batch_header_decode(&batch, l->header) == KMS_OK)
		full.batch = batch.number;
	switch (lease_names(&names, bundle, bundle_len, e)) {
	case KMS_OK:
		full.names = KMS_NAMES_MATCH;
		break;
	case KMS_E_NOT_FOUND:
		full.names = KMS_NAMES_NONE;
		break;
	default:
		full.names = KMS_NAMES_DIFFER;
	}
	snprintf(full.name, sizeof(full.name), "%s", names.name);
	snprintf(full.user, sizeof(full.user), "%s", names.user);
	snprintf(full.customer, sizeof(full.customer), "%s", cert->customer);
	snprintf(full.group, sizeof(full.group), "%s", cert->group);
	full.size = size;
	memcpy(info, &full, size < sizeof(full) ? size : sizeof(full));
}

int
kms_lease_verify(const void *file, size_t size, const char *publisher_key, uint64_t now,
    struct kms_lease_info *info)
{
	struct minisig_key publisher;
	struct publisher_keys keys;
	struct certificate cert;
	struct entry_client e;
	struct wire_reader r;
	struct lease l;
	uint8_t rotations;
	const uint8_t *certificate, *bundle, *statements;
	size_t certificate_len, bundle_len;
	int rc;

	if (file == NULL || publisher_key == NULL ||
	    (info != NULL && info->size < sizeof(info->size)))
		return KMS_E_ARGUMENT;
	if (size > LEASE_FILE_MAX)
		return KMS_E_TOO_LARGE;
	if (sodium_init() < 0)
		return KMS_E_NO_MEMORY;
	if ((rc = minisig_key_parse(&publisher, publisher_key)) != KMS_OK)
		return rc;
	wire_reader_init(&r, file, size);
	if ((rc = wire_magic(&r, magic)) != KMS_OK)
		return rc == KMS_E_SCHEMA ? rc : KMS_E_FORMAT;
	rotations = wire_get_u8(&r);
	statements = wire_view(&r, (size_t)rotations * ROTATION_SIZE);
	certificate_len = wire_get_u16(&r);
	certificate = wire_view(&r, certificate_len);
	bundle_len = wire_left(&r);
	bundle = wire_view(&r, bundle_len);
	if ((rc = wire_finish(&r)) != KMS_OK)
		return rc;
	if (rotations > ROTATION_CHAIN_MAX)
		return KMS_E_FORMAT;
	if ((rc = trust_init(&keys, &publisher, statements, rotations)) != KMS_OK ||
	    (rc = trust_certificate(&keys, &cert, certificate, certificate_len, 0)) != KMS_OK ||
	    (rc = lease_decode(&l, bundle, bundle_len)) != KMS_OK ||
	    (rc = trust_lease(&keys, &e, bundle, bundle_len, &cert, NULL, NULL)) != KMS_OK)
		return rc;
	if (info != NULL)
		tell(info, &e, &cert, &l, bundle, bundle_len);
	return now != 0 && now >= e.expires ? KMS_E_LEASE_EXPIRED : KMS_OK;
}
