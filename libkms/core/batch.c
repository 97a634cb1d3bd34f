/*
 * batch.c - the signed header of a batch and its place in the chain (batch.h).
 */
#include "libkms/core/batch.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/octets.h"
#include "libkms/base/wire.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"

static const uint8_t magic[8] = { 'K', 'M', 'S', 'B', 'A', 'T', 'C', 'H' };

bool
batch_time_near(uint64_t entry, uint64_t header)
{
	return entry < header ? header - entry <= BATCH_SKEW : entry - header <= BATCH_SKEW;
}

void
batch_header_encode(uint8_t out[BATCH_HEADER], const struct batch_header *h)
{
	struct wire_writer w;

	wire_writer_init(&w, out, BATCH_HEADER);
	wire_put(&w, magic, sizeof(magic));
	wire_put(&w, h->host_id, sizeof(h->host_id));
	wire_put_u64(&w, h->number);
	wire_put(&w, h->previous, sizeof(h->previous));
	wire_put_u32(&w, h->size);
	wire_put(&w, h->root, sizeof(h->root));
	wire_put_u64(&w, h->time);
}

int
batch_header_decode(struct batch_header *h, const uint8_t in[BATCH_HEADER])
{
	struct wire_reader r;
	uint8_t found[sizeof(magic)];

	wire_reader_init(&r, in, BATCH_HEADER);
	wire_get(&r, found, sizeof(found));
	wire_get(&r, h->host_id, sizeof(h->host_id));
	h->number = wire_get_u64(&r);
	wire_get(&r, h->previous, sizeof(h->previous));
	h->size = wire_get_u32(&r);
	wire_get(&r, h->root, sizeof(h->root));
	h->time = wire_get_u64(&r);
	if (memcmp(found, magic, sizeof(magic)) != 0 || h->number == 0)
		return KMS_E_FORMAT;
	if (h->size == 0 || h->size > (uint32_t)1 << MERKLE_MAX_PROOF)
		return KMS_E_FORMAT;
	/* Only the first batch has no predecessor. */
	if (octets_zero(h->previous, sizeof(h->previous)) != (h->number == 1))
		return KMS_E_FORMAT;
	return KMS_OK;
}

void
batch_header_hash(uint8_t out[32], const uint8_t header[BATCH_HEADER])
{
	crypto_hash_sha256(out, header, BATCH_HEADER);
}

int
batch_verify(const uint8_t header[BATCH_HEADER], const uint8_t sig[BATCH_SIGNATURE],
    const uint8_t sign_pk[32])
{
	return crypto_sign_verify_detached(sig, header, BATCH_HEADER, sign_pk) == 0
		   ? KMS_OK
		   : KMS_E_SIGNATURE;
}
