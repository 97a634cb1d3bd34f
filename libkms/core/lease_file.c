/*
 * lease_file.c - see lease_file.h.
 */
#include "libkms/core/lease_file.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

int
lease_file_read(struct lease_file *out, const void *data, size_t len)
{
	struct wire_reader r;
	int rc;

	if (len > LEASE_FILE_MAX)
		return KMS_E_TOO_LARGE;
	wire_reader_init(&r, data, len);
	if ((rc = shown_read(&out->head, &r, LEASE_FILE_MAGIC)) != KMS_OK)
		return rc;
	out->bundle_len = wire_left(&r);
	out->bundle = wire_view(&r, out->bundle_len);
	if ((rc = wire_finish(&r)) != KMS_OK)
		return rc;
	return out->head.rotations <= ROTATION_CHAIN_MAX ? KMS_OK : KMS_E_FORMAT;
}

int
lease_verify_chain(struct entry_client *out, const struct publisher_keys *keys,
    const uint8_t *bundle, size_t len, const struct certificate *cert, const uint8_t *cmid,
    const uint8_t *product)
{
	struct certificate either = *cert;
	struct lease l;

	if (keys->count > 0 && lease_decode(&l, bundle, len) == KMS_OK &&
	    entry_client_decode(out, l.entry, l.entry_len) == KMS_OK &&
	    publisher_keys_find(keys, out->publisher) != NULL)
		memcpy(either.publisher, out->publisher, 8);
	return lease_verify(out, bundle, len, &either, cmid, product);
}

int
lease_file_verify(
    struct lease_told *out, const struct lease_file *file, const struct minisig_key *publisher)
{
	struct publisher_keys keys;
	int rc;

	if ((rc = shown_trust(&file->head, publisher, &keys, &out->certificate)) != KMS_OK ||
	    (rc = lease_decode(&out->lease, file->bundle, file->bundle_len)) != KMS_OK ||
	    (rc = lease_verify_chain(&out->entry, &keys, file->bundle, file->bundle_len,
		 &out->certificate, NULL, NULL)) != KMS_OK)
		return rc;
	batch_header_hash(out->hash, out->lease.header);
	return batch_header_decode(&out->header, out->lease.header);
}
