/*
 * lease.c - the lease bundle and its verification (lease.h): the order of the
 * checks is that of kms-protocol(7), "Verifying a lease".
 */
#include "libkms/core/lease.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

_Static_assert(LEASE_MAX == 2 + ENTRY_CLIENT_MAX + BATCH_HEADER + BATCH_SIGNATURE + 4 + 1 +
				MERKLE_MAX_PROOF * MERKLE_HASH + 1 + ASIDE_MAX,
    "limits.h");

static bool
in_range(const struct lease *l)
{
	return l->entry_len <= ENTRY_CLIENT_MAX && l->proof_count <= MERKLE_MAX_PROOF &&
	       l->aside_len <= ASIDE_MAX;
}

size_t
lease_encode(uint8_t *out, size_t size, const struct lease *l)
{
	struct wire_writer w;

	if (!in_range(l))
		return 0;
	wire_writer_init(&w, out, size);
	wire_put_u16(&w, (uint16_t)l->entry_len);
	wire_put(&w, l->entry, l->entry_len);
	wire_put(&w, l->header, BATCH_HEADER);
	wire_put(&w, l->signature, BATCH_SIGNATURE);
	wire_put_u32(&w, l->index);
	wire_put_u8(&w, l->proof_count);
	wire_put(&w, l->proof, (size_t)l->proof_count * MERKLE_HASH);
	wire_put_u8(&w, (uint8_t)l->aside_len);
	wire_put(&w, l->aside, l->aside_len);
	return wire_written(&w);
}

int
lease_decode(struct lease *l, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	int rc;

	wire_reader_init(&r, in, len);
	l->entry_len = wire_get_u16(&r);
	l->entry = wire_view(&r, l->entry_len);
	l->header = wire_view(&r, BATCH_HEADER);
	l->signature = wire_view(&r, BATCH_SIGNATURE);
	l->index = wire_get_u32(&r);
	l->proof_count = wire_get_u8(&r);
	l->proof = wire_view(&r, (size_t)l->proof_count * MERKLE_HASH);
	l->aside_len = wire_get_u8(&r);
	l->aside = wire_view(&r, l->aside_len);
	if ((rc = wire_finish(&r)) != KMS_OK)
		return rc;
	return in_range(l) ? KMS_OK : KMS_E_FORMAT;
}

/* The entry is in a tree whose root was signed by this certificate's host. */
static int
verify_signed(
    const struct lease *l, const struct batch_header *header, const struct certificate *cert)
{
	uint8_t leaf[MERKLE_HASH];
	int rc;

	merkle_leaf(leaf, l->entry, l->entry_len);
	rc = merkle_verify(leaf, l->index, header->size, l->proof, l->proof_count, header->root);
	if (rc != KMS_OK)
		return rc;
	if ((rc = batch_verify(l->header, l->signature, cert->sign_pk)) != KMS_OK)
		return rc;
	return memcmp(header->host_id, cert->host_id, sizeof(header->host_id)) == 0
		   ? KMS_OK
		   : KMS_E_LEASE_OTHER;
}

/* The entry contains only what this certificate allows its host. */
static int
verify_entitled(const struct entry_client *e, const struct certificate *cert)
{
	/* A lease that does not count would be one beside the capacity. */
	if (e->kind != ENTRY_LEASE || e->until == 0)
		return KMS_E_FORMAT;
	if (memcmp(e->publisher, cert->publisher, sizeof(e->publisher)) != 0)
		return KMS_E_PUBLISHER;
	if (!certificate_covers(cert, e->product))
		return KMS_E_NOT_COVERED;
	/*
	 * The expiry must be within the dates too; otherwise a host could give leases that last
	 * longer than its host key.
	 */
	if (e->time < cert->not_before || e->time > cert->not_after || e->expires > cert->not_after)
		return KMS_E_KEY_EXPIRED;
	return KMS_OK;
}

int
lease_signed(struct lease *l, struct batch_header *header, const uint8_t *bundle, size_t len,
    const struct certificate *cert)
{
	if (lease_decode(l, bundle, len) != KMS_OK ||
	    batch_header_decode(header, l->header) != KMS_OK)
		return KMS_E_FORMAT;
	return verify_signed(l, header, cert);
}

int
lease_verify(struct entry_client *out, const uint8_t *bundle, size_t len,
    const struct certificate *cert, const uint8_t cmid[16], const uint8_t product[16])
{
	struct batch_header header;
	struct lease l;
	int rc;

	if ((rc = lease_signed(&l, &header, bundle, len, cert)) != KMS_OK)
		return rc;
	if ((rc = entry_check(l.entry, l.entry_len)) == KMS_OK)
		rc = entry_client_decode(out, l.entry, l.entry_len);
	if (rc != KMS_OK)
		return rc == KMS_E_SCHEMA ? rc : KMS_E_FORMAT;
	if (!batch_time_near(out->time, header.time))
		return KMS_E_FORMAT;
	if ((rc = verify_entitled(out, cert)) != KMS_OK)
		return rc;
	if (cmid != NULL && memcmp(out->cmid, cmid, sizeof(out->cmid)) != 0)
		return KMS_E_LEASE_OTHER;
	if (product != NULL && memcmp(out->product, product, sizeof(out->product)) != 0)
		return KMS_E_LEASE_OTHER;
	return KMS_OK;
}

int
lease_names(struct aside *out, const uint8_t *bundle, size_t len, const struct entry_client *e)
{
	struct lease l;

	memset(out, 0, sizeof(*out));
	if (lease_decode(&l, bundle, len) != KMS_OK)
		return KMS_E_LEASE_OTHER;
	switch (aside_decode(out, l.aside, l.aside_len)) {
	case KMS_OK:
		break;
	case KMS_E_NOT_FOUND:
		return KMS_E_NOT_FOUND;
	default:
		return KMS_E_LEASE_OTHER;
	}
	if (aside_gives(out, &e->commitments))
		return KMS_OK;
	memset(out, 0, sizeof(*out));
	return KMS_E_LEASE_OTHER;
}
