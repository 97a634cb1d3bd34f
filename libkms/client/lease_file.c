/*
 * lease_file.c - a lease for others to look at, which the publisher's public key alone verifies:
 * "KMSLEAS3", its beginning as in shown.h, and the bundle to the end.
 */
#include "libkms/core/lease_file.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/client/stored.h"
#include "libkms/client/trust.h"
#include "libkms/core/lease.h"
#include "libkms/core/shown.h"
#include "libkms/kms_error.h"

/* The bundle as it is kept, or without its aside: nothing that proves the lease is in that. */
static int
write_bundle(uint8_t out[LEASE_MAX], size_t *len, const struct state *s, bool names)
{
	struct lease l;

	*len = s->bundle_len;
	memcpy(out, s->bundle, s->bundle_len);
	if (names)
		return KMS_OK;
	if (lease_decode(&l, s->bundle, s->bundle_len) != KMS_OK)
		return KMS_E_FORMAT;
	l.aside_len = 0;
	*len = lease_encode(out, LEASE_MAX, &l);
	return *len > 0 ? KMS_OK : KMS_E_FORMAT;
}

static int
export_lease(struct kms_client *c, bool names, void *out, size_t *size)
{
	uint8_t bundle[LEASE_MAX];
	struct entry_client lease;
	struct publisher_keys keys;
	struct wire_writer w;
	size_t need, len;
	int rc;

	if (c == NULL || size == NULL || (out == NULL && *size != 0))
		return KMS_E_ARGUMENT;
	if ((rc = client_refresh(c)) != KMS_OK || (rc = client_lease(c, &lease)) != KMS_OK ||
	    (rc = write_bundle(bundle, &len, c->state, names)) != KMS_OK)
		return rc;
	/* Those that verify: others see no reason to trust one that does not. */
	trust_stored(&keys, c);
	need = shown_size(&keys, c->state->lease_certificate_len) + len;
	if (*size < need) {
		*size = need;
		return KMS_E_TOO_LARGE;
	}
	wire_writer_init(&w, out, need);
	shown_write(&w, LEASE_FILE_MAGIC, &keys, c->state->lease_certificate,
	    c->state->lease_certificate_len);
	wire_put(&w, bundle, len);
	*size = need;
	return KMS_OK;
}

int
kms_lease_export(struct kms_client *c, void *out, size_t *size)
{
	return export_lease(c, true, out, size);
}

int
kms_lease_export_unnamed(struct kms_client *c, void *out, size_t *size)
{
	return export_lease(c, false, out, size);
}

static void
tell(struct kms_lease_info *info, const struct lease_told *told, const struct lease_file *file)
{
	const struct entry_client *e = &told->entry;
	const struct certificate *cert = &told->certificate;
	struct kms_lease_info full = { 0 };
	struct aside names;

	memcpy(full.cmid, e->cmid, sizeof(full.cmid));
	memcpy(full.product, e->product, sizeof(full.product));
	memcpy(full.host_id, cert->host_id, sizeof(full.host_id));
	memcpy(full.host_key, cert->host_key_id, sizeof(full.host_key));
	full.issued = e->time;
	full.expires = e->expires;
	full.renew_after = e->renew_after;
	full.index = told->lease.index;
	full.batch = told->header.number;
	memcpy(full.header_hash, told->hash, sizeof(full.header_hash));
	switch (lease_names(&names, file->bundle, file->bundle_len, e)) {
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
	client_give(info, &full, sizeof(full));
}

int
kms_lease_verify(const void *file, size_t size, const char *publisher_key, uint64_t now,
    struct kms_lease_info *info)
{
	struct minisig_key publisher;
	struct lease_file parts;
	struct lease_told told;
	int rc;

	if (file == NULL || publisher_key == NULL ||
	    (info != NULL && info->size < sizeof(info->size)))
		return KMS_E_ARGUMENT;
	if (size > LEASE_FILE_MAX)
		return KMS_E_TOO_LARGE;
	if (sodium_init() < 0)
		return KMS_E_NO_MEMORY;
	if ((rc = minisig_key_parse(&publisher, publisher_key)) != KMS_OK ||
	    (rc = lease_file_read(&parts, file, size)) != KMS_OK ||
	    (rc = lease_file_verify(&told, &parts, &publisher)) != KMS_OK)
		return rc;
	if (info != NULL)
		tell(info, &told, &parts);
	return now != 0 && now >= told.entry.expires ? KMS_E_LEASE_EXPIRED : KMS_OK;
}
