/*
 * state.c - layout of the client state file, kms.state(5): a fixed part, three
 * counted parts, and a BLAKE2b checksum over all of it.
 */
#include "libkms/client/state.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

static const uint8_t magic[8] = { 'K', 'M', 'S', 'S', 'T', 'A', 'T', 'E' };

static void
checksum(uint8_t out[STATE_CHECKSUM], const uint8_t *in, size_t len)
{
	crypto_generichash(out, STATE_CHECKSUM, in, len, NULL, 0);
}

static void
put_counted(struct wire_writer *w, const uint8_t *bytes, size_t len)
{
	wire_put_u16(w, (uint16_t)len);
	wire_put(w, bytes, len);
}

static size_t
get_counted(struct wire_reader *r, uint8_t *out, size_t size)
{
	size_t len = wire_get_u16(r);

	if (len > size) {
		r->bad = true;
		return 0;
	}
	wire_get(r, out, len);
	return len;
}

size_t
state_encode(uint8_t *out, size_t size, const struct state *s)
{
	struct wire_writer w;
	size_t total = STATE_FIXED + 6 + s->certificate_len + s->lease_certificate_len +
		       s->bundle_len + STATE_CHECKSUM;

	if (s->rotation_len > 0)
		total += 2 + s->rotation_len;

	if (size < total)
		return 0;
	wire_writer_init(&w, out, size);
	wire_put(&w, magic, sizeof(magic));
	wire_put_u16(&w, s->rotation_len > 0 ? STATE_ROTATION : STATE_VERSION);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, (uint32_t)total);
	wire_put(&w, s->pk, sizeof(s->pk));
	wire_put(&w, s->sk, sizeof(s->sk));
	wire_put_u64(&w, s->sequence);
	wire_put_u8(&w, s->pending_operation);
	wire_put_zero(&w, 7);
	wire_put(&w, s->pending_id, sizeof(s->pending_id));
	wire_put(&w, s->pending_product, sizeof(s->pending_product));
	wire_put_u64(&w, s->pending_time);
	wire_put_u64(&w, s->highest_seen);
	wire_put_u64(&w, s->first_use);
	wire_put_u64(&w, s->last_exchange);
	wire_put_u64(&w, s->last_attempt);
	wire_put_u32(&w, s->last_status);
	wire_put_u32(&w, s->count);
	wire_put_u32(&w, s->required);
	wire_put_u32(&w, s->activation_interval);
	wire_put_u32(&w, s->renewal_interval);
	wire_put_u32(&w, s->retry_after);
	wire_put_text(&w, s->host, STATE_HOST);
	put_counted(&w, s->certificate, s->certificate_len);
	put_counted(&w, s->lease_certificate, s->lease_certificate_len);
	put_counted(&w, s->bundle, s->bundle_len);
	if (s->rotation_len > 0)
		put_counted(&w, s->rotation, s->rotation_len);
	if (w.bad || wire_written(&w) + STATE_CHECKSUM != total)
		return 0;
	checksum(w.at, out, total - STATE_CHECKSUM);
	return total;
}

/* Whole and unaltered: magic, its own length, checksum. */
static int
check_whole(const uint8_t *in, size_t len, uint16_t *version)
{
	struct wire_reader r;
	uint8_t sum[STATE_CHECKSUM];

	if (len < STATE_FIXED + 6 + STATE_CHECKSUM || memcmp(in, magic, sizeof(magic)) != 0)
		return KMS_E_STATE;
	checksum(sum, in, len - STATE_CHECKSUM);
	if (memcmp(sum, in + len - STATE_CHECKSUM, STATE_CHECKSUM) != 0)
		return KMS_E_STATE;
	wire_reader_init(&r, in + sizeof(magic), 8);
	*version = wire_get_u16(&r);
	if (wire_get_u16(&r) != 0 || wire_get_u32(&r) != len)
		return KMS_E_STATE;
	return KMS_OK;
}

/*
 * The two keys belong together: a public key of another secret key would make this machine another
 * client.
 */
static int
check_pair(const struct state *s)
{
	uint8_t pk[32];

	if (crypto_scalarmult_base(pk, s->sk) != 0 || memcmp(pk, s->pk, sizeof(pk)) != 0)
		return KMS_E_STATE;
	return KMS_OK;
}

int
state_decode(struct state *s, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	uint16_t version;
	const uint8_t *zero;
	bool text;
	int rc = check_whole(in, len, &version);

	if (rc != KMS_OK)
		return rc;
	if (version != STATE_VERSION && version != STATE_ROTATION)
		return KMS_E_SCHEMA;
	wire_reader_init(&r, in, len - STATE_CHECKSUM);
	wire_view(&r, 16);
	wire_get(&r, s->pk, sizeof(s->pk));
	wire_get(&r, s->sk, sizeof(s->sk));
	s->sequence = wire_get_u64(&r);
	s->pending_operation = wire_get_u8(&r);
	zero = wire_view(&r, 7);
	wire_get(&r, s->pending_id, sizeof(s->pending_id));
	wire_get(&r, s->pending_product, sizeof(s->pending_product));
	s->pending_time = wire_get_u64(&r);
	s->highest_seen = wire_get_u64(&r);
	s->first_use = wire_get_u64(&r);
	s->last_exchange = wire_get_u64(&r);
	s->last_attempt = wire_get_u64(&r);
	s->last_status = wire_get_u32(&r);
	s->count = wire_get_u32(&r);
	s->required = wire_get_u32(&r);
	s->activation_interval = wire_get_u32(&r);
	s->renewal_interval = wire_get_u32(&r);
	s->retry_after = wire_get_u32(&r);
	text = wire_get_text(&r, s->host, STATE_HOST);
	s->certificate_len = get_counted(&r, s->certificate, sizeof(s->certificate));
	s->lease_certificate_len =
	    get_counted(&r, s->lease_certificate, sizeof(s->lease_certificate));
	s->bundle_len = get_counted(&r, s->bundle, sizeof(s->bundle));
	s->rotation_len =
	    version == STATE_ROTATION ? get_counted(&r, s->rotation, sizeof(s->rotation)) : 0;
	if (version == STATE_ROTATION && s->rotation_len != sizeof(s->rotation))
		return KMS_E_STATE;
	if (!text || wire_finish(&r) != KMS_OK || !sodium_is_zero(zero, 7))
		return KMS_E_STATE;
	return check_pair(s);
}
