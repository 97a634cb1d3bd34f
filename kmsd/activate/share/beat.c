/*
 * beat.c - see beat.h.
 */
#include "kmsd/activate/share/beat.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/certificate.h"
#include "libkms/kms_error.h"

#define MAGIC 8
#define MAGIC_NAME 7 /* without the version */
static const uint8_t magic[MAGIC + 1] = "KMSBEAT1";
static const uint8_t zeros[32];

_Static_assert(
    BEAT_FIXED + 2 + CERTIFICATE_MAX <= SHARE_BEAT_MAX, "a certificate of any size has room");

/* -- what both sides hold to -- */

static int
compare_wants(const struct beat_want *a, const struct beat_want *b)
{
	int c = memcmp(a->publisher, b->publisher, sizeof(a->publisher));

	return c != 0 ? c : (a->pool > b->pool) - (a->pool < b->pool);
}

static bool
lists_ok(const struct beat *b)
{
	uint8_t own[16];

	certificate_host_id(own, b->sign_pk);
	for (unsigned i = 0; i < b->heard_count; i++)
		if (b->heard[i].number == 0 || memcmp(b->heard[i].host, own, 16) == 0 ||
		    (i > 0 && memcmp(b->heard[i - 1].host, b->heard[i].host, 16) >= 0))
			return false;
	for (unsigned i = 0; i < b->want_count; i++)
		if (b->wants[i].rights == 0 ||
		    (i > 0 && compare_wants(&b->wants[i - 1], &b->wants[i]) >= 0))
			return false;
	return true;
}

/* The publisher of a certificate is at a fixed place, whatever else it says. */
static bool
certificates_ok(const struct beat *b)
{
	for (unsigned i = 0; i < b->certificate_count; i++) {
		const struct beat_octets *c = &b->certificates[i];

		if (c->len < CERTIFICATE_FIXED || c->len > CERTIFICATE_MAX ||
		    (i > 0 && memcmp(b->certificates[i - 1].octets + 8, c->octets + 8, 8) >= 0))
			return false;
	}
	return true;
}

static bool
sound(const struct beat *b)
{
	return share_name_ok(b->share, strlen(b->share)) &&
	       wire_text_ok(b->name, strlen(b->name)) &&
	       (b->head != 0 || memcmp(b->hash, zeros, sizeof(zeros)) == 0) && lists_ok(b) &&
	       certificates_ok(b);
}

/* -- writing -- */

/* How many of the certificates fit. */
static unsigned
fitting(const struct beat *b, size_t left)
{
	unsigned n = 0;

	while (n < b->certificate_count && left >= 2 + b->certificates[n].len)
		left -= 2 + b->certificates[n++].len;
	return n;
}

size_t
beat_write(uint8_t out[SHARE_BEAT_MAX], const struct beat *b, unsigned *left)
{
	struct wire_writer w;
	unsigned count;

	*left = 0;
	if (b->heard_count > BEAT_HEARD || b->want_count > BEAT_WANTS ||
	    b->certificate_count > BEAT_CERTIFICATES || !sound(b))
		return 0;
	wire_writer_init(&w, out, SHARE_BEAT_MAX - BEAT_SIGNATURE);
	wire_put(&w, magic, MAGIC);
	wire_put(&w, b->sign_pk, sizeof(b->sign_pk));
	wire_put_short_text(&w, b->share, SHARE_NAME);
	wire_put_short_text(&w, b->name, MESSAGE_NAME);
	wire_put_u64(&w, b->time);
	wire_put_u64(&w, b->head);
	wire_put(&w, b->hash, sizeof(b->hash));
	wire_put_u8(&w, (uint8_t)b->heard_count);
	for (unsigned i = 0; i < b->heard_count; i++) {
		wire_put(&w, b->heard[i].host, 16);
		wire_put_u64(&w, b->heard[i].number);
	}
	wire_put_u8(&w, (uint8_t)b->want_count);
	for (unsigned i = 0; i < b->want_count; i++) {
		wire_put(&w, b->wants[i].publisher, 8);
		wire_put_u16(&w, b->wants[i].pool);
		wire_put_u32(&w, b->wants[i].rights);
	}
	count = fitting(b, SHARE_BEAT_MAX - BEAT_SIGNATURE - wire_written(&w) - 1);
	wire_put_u8(&w, (uint8_t)count);
	for (unsigned i = 0; i < count; i++) {
		wire_put_u16(&w, (uint16_t)b->certificates[i].len);
		wire_put(&w, b->certificates[i].octets, b->certificates[i].len);
	}
	*left = b->certificate_count - count;
	return w.bad ? 0 : wire_written(&w);
}

/* -- reading -- */

static unsigned
get_count(struct wire_reader *r, unsigned most)
{
	unsigned count = wire_get_u8(r);

	if (count > most)
		r->bad = true;
	return r->bad ? 0 : count;
}

static void
get_lists(struct wire_reader *r, struct beat *b)
{
	b->heard_count = get_count(r, BEAT_HEARD);
	for (unsigned i = 0; i < b->heard_count; i++) {
		wire_get(r, b->heard[i].host, 16);
		b->heard[i].number = wire_get_u64(r);
	}
	b->want_count = get_count(r, BEAT_WANTS);
	for (unsigned i = 0; i < b->want_count; i++) {
		wire_get(r, b->wants[i].publisher, 8);
		b->wants[i].pool = wire_get_u16(r);
		b->wants[i].rights = wire_get_u32(r);
	}
	b->certificate_count = get_count(r, BEAT_CERTIFICATES);
	for (unsigned i = 0; i < b->certificate_count; i++) {
		b->certificates[i].len = wire_get_u16(r);
		b->certificates[i].octets = wire_view(r, b->certificates[i].len);
	}
}

bool
beat_of(const uint8_t *octets, size_t len, const uint8_t sign_pk[32])
{
	return len > MAGIC + 32 && len <= SHARE_BEAT_MAX - BEAT_SIGNATURE &&
	       memcmp(octets, magic, MAGIC) == 0 && memcmp(octets + MAGIC, sign_pk, 32) == 0;
}

int
beat_open(struct beat *b, const uint8_t *in, size_t len)
{
	const uint8_t *head, *signature;
	struct wire_reader r;

	memset(b, 0, sizeof(*b));
	if (len > SHARE_BEAT_MAX)
		return KMS_E_TOO_LARGE;
	wire_reader_init(&r, in, len);
	if ((head = wire_view(&r, MAGIC)) == NULL)
		return KMS_E_TRUNCATED;
	if (memcmp(head, magic, MAGIC) != 0)
		return memcmp(head, magic, MAGIC_NAME) == 0 ? KMS_E_SCHEMA : KMS_E_FORMAT;
	wire_get(&r, b->sign_pk, sizeof(b->sign_pk));
	if (!wire_get_short_text(&r, b->share, SHARE_NAME) ||
	    !wire_get_short_text(&r, b->name, MESSAGE_NAME))
		return KMS_E_FORMAT;
	b->time = wire_get_u64(&r);
	b->head = wire_get_u64(&r);
	wire_get(&r, b->hash, sizeof(b->hash));
	get_lists(&r, b);
	signature = wire_view(&r, BEAT_SIGNATURE);
	if (r.bad)
		return KMS_E_FORMAT;
	if (wire_left(&r) > 0)
		return KMS_E_TRAILING;
	if (!sound(b))
		return KMS_E_FORMAT;
	if (crypto_sign_verify_detached(signature, in, len - BEAT_SIGNATURE, b->sign_pk) != 0)
		return KMS_E_SIGNATURE;
	certificate_host_id(b->host, b->sign_pk);
	return KMS_OK;
}

uint64_t
beat_heard_of(const struct beat *b, const uint8_t host[16])
{
	for (unsigned i = 0; i < b->heard_count; i++)
		if (memcmp(b->heard[i].host, host, 16) == 0)
			return b->heard[i].number;
	return 0;
}
