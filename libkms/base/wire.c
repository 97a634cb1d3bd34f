/*
 * wire.c - cursors over bytes (wire.h). Big-endian; the first error sticks, so
 * that callers write the happy path straight and ask once at the end.
 */
#include "libkms/base/wire.h"

#include <string.h>

#include "libkms/kms_error.h"

void
wire_reader_init(struct wire_reader *r, const void *bytes, size_t len)
{
	r->at = bytes;
	r->end = r->at == NULL ? NULL : r->at + len;
	r->bad = r->at == NULL && len > 0;
}

size_t
wire_left(const struct wire_reader *r)
{
	return r->bad || r->at == NULL ? 0 : (size_t)(r->end - r->at);
}

const uint8_t *
wire_view(struct wire_reader *r, size_t len)
{
	const uint8_t *view = r->at;

	if (r->bad || len > wire_left(r)) {
		r->bad = true;
		return NULL;
	}
	if (len > 0)
		r->at += len;
	return view;
}

static uint64_t
get(struct wire_reader *r, unsigned octets)
{
	const uint8_t *p = wire_view(r, octets);
	uint64_t v = 0;

	for (unsigned i = 0; p != NULL && i < octets; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
wire_get_u8(struct wire_reader *r)
{
	return (uint8_t)get(r, 1);
}

uint16_t
wire_get_u16(struct wire_reader *r)
{
	return (uint16_t)get(r, 2);
}

uint32_t
wire_get_u32(struct wire_reader *r)
{
	return (uint32_t)get(r, 4);
}

uint64_t
wire_get_u64(struct wire_reader *r)
{
	return get(r, 8);
}

void
wire_get(struct wire_reader *r, void *out, size_t len)
{
	const uint8_t *p = wire_view(r, len);

	if (p != NULL && len > 0)
		memcpy(out, p, len);
	else
		memset(out, 0, len);
}

int
wire_finish(const struct wire_reader *r)
{
	if (r->bad)
		return KMS_E_TRUNCATED;
	return wire_left(r) > 0 ? KMS_E_TRAILING : KMS_OK;
}

void
wire_writer_init(struct wire_writer *w, void *buffer, size_t size)
{
	w->start = w->at = buffer;
	w->end = w->at == NULL ? NULL : w->at + size;
	w->bad = false;
}

/* Room for len bytes, or NULL and the error sticks. */
static uint8_t *
reserve(struct wire_writer *w, size_t len)
{
	uint8_t *p = w->at;

	if (w->bad || p == NULL || len > (size_t)(w->end - p)) {
		w->bad = true;
		return NULL;
	}
	w->at += len;
	return p;
}

static void
put(struct wire_writer *w, uint64_t v, unsigned octets)
{
	uint8_t *p = reserve(w, octets);

	for (unsigned i = octets; p != NULL && i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

void
wire_put_u8(struct wire_writer *w, uint8_t v)
{
	put(w, v, 1);
}

void
wire_put_u16(struct wire_writer *w, uint16_t v)
{
	put(w, v, 2);
}

void
wire_put_u32(struct wire_writer *w, uint32_t v)
{
	put(w, v, 4);
}

void
wire_put_u64(struct wire_writer *w, uint64_t v)
{
	put(w, v, 8);
}

void
wire_put(struct wire_writer *w, const void *bytes, size_t len)
{
	uint8_t *p = reserve(w, len);

	if (p != NULL && len > 0)
		memcpy(p, bytes, len);
}

void
wire_put_zero(struct wire_writer *w, size_t len)
{
	uint8_t *p = reserve(w, len);

	if (p != NULL)
		memset(p, 0, len);
}

size_t
wire_written(const struct wire_writer *w)
{
	return w->bad || w->at == NULL ? 0 : (size_t)(w->at - w->start);
}

/*
 * Length of the UTF-8 sequence at s (RFC 3629: shortest form, no surrogates), 0 when there is none.
 */
static size_t
utf8_sequence(const uint8_t *s, size_t len)
{
	size_t n = s[0] < 0x80   ? 1
		   : s[0] < 0xC2 ? 0
		   : s[0] < 0xE0 ? 2
		   : s[0] < 0xF0 ? 3
		   : s[0] < 0xF5 ? 4
				 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
	    (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return n;
}

bool
wire_text_ok(const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		if (s[i] < 0x20 || s[i] == 0x7F)
			return false;
		if ((n = utf8_sequence(s + i, len - i)) == 0)
			return false;
	}
	return true;
}

bool
wire_get_text(struct wire_reader *r, char *out, size_t len)
{
	size_t n;

	wire_get(r, out, len);
	out[len] = '\0';
	n = strlen(out);
	for (size_t i = n; i < len; i++)
		if (out[i] != '\0')
			return false;
	return !r->bad && wire_text_ok(out, n);
}

void
wire_put_text(struct wire_writer *w, const char *text, size_t len)
{
	size_t n = strlen(text);

	if (n > len || !wire_text_ok(text, n)) {
		w->bad = true;
		return;
	}
	wire_put(w, text, n);
	wire_put_zero(w, len - n);
}

bool
wire_next_tlv(struct wire_reader *r, struct wire_tlv *out)
{
	if (r->bad || wire_left(r) == 0)
		return false;
	out->type = wire_get_u16(r);
	out->len = wire_get_u16(r);
	out->value = wire_view(r, out->len);
	return !r->bad;
}

void
wire_put_tlv(struct wire_writer *w, uint16_t type, const void *value, uint16_t len)
{
	wire_put_u16(w, type);
	wire_put_u16(w, len);
	wire_put(w, value, len);
}
