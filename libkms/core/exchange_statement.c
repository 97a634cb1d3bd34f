/*
 * exchange_statement.c - see exchange_statement.h.
 */
#include "libkms/core/exchange_statement.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

static const char magic[8] = { 'K', 'M', 'S', 'X', 'K', 'E', 'Y', '1' };

_Static_assert(EXCHANGE_SIGNED + crypto_sign_BYTES == EXCHANGE_SIZE, "layout");

void
exchange_key_id(uint8_t out[EXCHANGE_KEY_ID], const uint8_t pk[32])
{
	static const char label[] = "KMS exchange v1";
	uint8_t text[sizeof(label) - 1 + 32], hash[crypto_hash_sha256_BYTES];

	memcpy(text, label, sizeof(label) - 1);
	memcpy(text + sizeof(label) - 1, pk, 32);
	crypto_hash_sha256(hash, text, sizeof(text));
	memcpy(out, hash, EXCHANGE_KEY_ID);
}

void
exchange_encode(uint8_t out[EXCHANGE_SIGNED], const struct exchange *e)
{
	struct wire_writer w;

	wire_writer_init(&w, out, EXCHANGE_SIGNED);
	wire_put(&w, magic, sizeof(magic));
	wire_put(&w, e->host_id, sizeof(e->host_id));
	wire_put(&w, e->key_id, sizeof(e->key_id));
	wire_put(&w, e->pk, sizeof(e->pk));
	wire_put_u64(&w, e->made);
	wire_put_u64(&w, e->until);
	wire_put_u64(&w, e->ends);
	wire_put_u8(&w, e->lowest);
	wire_put_u8(&w, e->highest);
	wire_put_zero(&w, 6);
}

/* With a point of small order, anybody knows the shared secret. */
static bool
small_order(const uint8_t pk[32])
{
	static const uint8_t scalar[32] = { 1 };
	uint8_t shared[32];

	return crypto_scalarmult(shared, scalar, pk) != 0;
}

static bool
in_range(const struct exchange *e, const uint8_t sign_pk[32])
{
	uint8_t host_id[16], key_id[EXCHANGE_KEY_ID];

	certificate_host_id(host_id, sign_pk);
	exchange_key_id(key_id, e->pk);
	if (memcmp(host_id, e->host_id, 16) != 0 || memcmp(key_id, e->key_id, sizeof(key_id)) != 0)
		return false;
	if (e->made > e->until || e->until > e->ends || e->ends - e->made > EXCHANGE_LIFE_MAX)
		return false;
	return e->lowest > 0 && e->lowest <= e->highest && !small_order(e->pk);
}

int
exchange_verify(struct exchange *out, const uint8_t *in, size_t len, const uint8_t sign_pk[32])
{
	static const uint8_t zero[6];
	struct wire_reader r;
	uint8_t rest[6];
	int rc;

	if (len != EXCHANGE_SIZE)
		return len < EXCHANGE_SIZE ? KMS_E_TRUNCATED : KMS_E_TRAILING;
	wire_reader_init(&r, in, len);
	if ((rc = wire_magic(&r, magic)) != KMS_OK)
		return rc;
	wire_get(&r, out->host_id, sizeof(out->host_id));
	wire_get(&r, out->key_id, sizeof(out->key_id));
	wire_get(&r, out->pk, sizeof(out->pk));
	out->made = wire_get_u64(&r);
	out->until = wire_get_u64(&r);
	out->ends = wire_get_u64(&r);
	out->lowest = wire_get_u8(&r);
	out->highest = wire_get_u8(&r);
	wire_get(&r, rest, sizeof(rest));
	if (crypto_sign_verify_detached(in + EXCHANGE_SIGNED, in, EXCHANGE_SIGNED, sign_pk) != 0)
		return KMS_E_SIGNATURE;
	if (memcmp(rest, zero, sizeof(zero)) != 0 || !in_range(out, sign_pk))
		return KMS_E_FORMAT;
	return KMS_OK;
}

int
exchange_usable(const struct exchange *e, uint64_t now)
{
	if (e->lowest > FRAME_VERSION || e->highest < FRAME_VERSION)
		return KMS_E_BAD_VERSION;
	/* So that no sum wraps. */
	if (now + EXCHANGE_SKEW < e->made || (now > e->ends && now - e->ends > EXCHANGE_SKEW))
		return KMS_E_TIME_SKEW;
	return KMS_OK;
}
