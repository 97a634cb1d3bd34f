/*
 * wire.c - see wire.h: text and TLVs, and how a reader ends.
 */
#include "libkms/base/wire.h"

#include <string.h>

#include "libkms/base/octets.h"
#include "libkms/kms_error.h"

int
wire_magic(struct wire_reader *r, const char magic[8])
{
	const uint8_t *found = wire_view(r, 8);

	if (found == NULL)
		return KMS_E_TRUNCATED;
	if (memcmp(found, magic, 8) == 0)
		return KMS_OK;
	return memcmp(found, magic, 6) == 0 ? KMS_E_SCHEMA : KMS_E_FORMAT;
}

int
wire_finish(const struct wire_reader *r)
{
	if (r->bad)
		return KMS_E_TRUNCATED;
	return wire_left(r) > 0 ? KMS_E_TRAILING : KMS_OK;
}

size_t
wire_text_sequence(const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t n;

	if (len == 0)
		return 0;
	n = s[0] < 0x80   ? 1
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

/* The code point of a well-formed sequence of n bytes (RFC 3629). */
static uint32_t
code_point(const uint8_t *s, size_t n)
{
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7Fu >> n);

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3F);
	return c;
}

/* Controls, and what changes how a line reads without being seen. */
static const struct {
	uint32_t first;
	uint32_t last;
} refused[] = {
	{ 0x0000, 0x001F },
	{ 0x007F, 0x009F },
	{ 0x061C, 0x061C },
	{ 0x200E, 0x200F },
	{ 0x2028, 0x202E },
	{ 0x2066, 0x2069 },
	{ 0xFEFF, 0xFEFF },
};

static bool
allowed(uint32_t c)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (c >= refused[i].first && c <= refused[i].last)
			return false;
	return true;
}

size_t
wire_text_character(const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t n = wire_text_sequence(text, len);

	return n > 0 && allowed(code_point(s, n)) ? n : 0;
}

bool
wire_text_ok(const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = 1;
		if (s[i] >= 0x20 && s[i] < 0x7F) /* nearly every character of a name */
			continue;
		if ((n = wire_text_character(text + i, len - i)) == 0)
			return false;
	}
	return true;
}

size_t
wire_text_clean(char *text, size_t len)
{
	uint8_t *s = (uint8_t *)text;
	size_t out = 0, n;

	for (size_t i = 0; i < len; i += n) {
		n = wire_text_sequence(text + i, len - i);
		if (n == 0 || !allowed(code_point(s + i, n))) {
			s[out++] = '?';
			n = n == 0 ? 1 : n;
			continue;
		}
		memmove(s + out, s + i, n);
		out += n;
	}
	return out;
}

bool
wire_get_text(struct wire_reader *r, char *out, size_t len)
{
	size_t n;

	wire_get(r, out, len);
	out[len] = '\0';
	n = strlen(out);
	return octets_zero((const uint8_t *)out + n, len - n) && !r->bad && wire_text_ok(out, n);
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
wire_get_short_text(struct wire_reader *r, char *out, size_t max)
{
	size_t len = wire_get_u8(r);
	const uint8_t *text = wire_view(r, len);

	memset(out, 0, max + 1);
	if (text == NULL || len > max || !wire_text_ok((const char *)text, len))
		return false;
	memcpy(out, text, len);
	return true;
}

void
wire_put_short_text(struct wire_writer *w, const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len > max || !wire_text_ok(text, len)) {
		w->bad = true;
		return;
	}
	wire_put_u8(w, (uint8_t)len);
	wire_put(w, text, len);
}

void
wire_tail_init(struct wire_tail *tail, struct wire_reader *r, size_t max)
{
	size_t len = wire_left(r);

	*tail = (struct wire_tail){ .last = -1, .repeats = -1, .bad = len > max };
	wire_reader_init(&tail->r, wire_view(r, len), len);
	tail->r.bad = r->bad;
}

bool
wire_tail_next(struct wire_tail *tail, struct wire_tlv *out)
{
	if (tail->bad || !wire_next_tlv(&tail->r, out))
		return false;
	if (out->type < tail->last || (out->type == tail->last && out->type != tail->repeats)) {
		tail->bad = true;
		return false;
	}
	tail->last = out->type;
	return true;
}

bool
wire_tail_expect(struct wire_tail *tail, const struct wire_tlv *tlv, uint16_t len)
{
	if (tlv->len != len)
		tail->bad = true;
	return tlv->len == len;
}

void
wire_tail_unknown(struct wire_tail *tail, const struct wire_tlv *tlv)
{
	if (tlv->type & WIRE_CRITICAL)
		tail->critical = true;
}

int
wire_tail_finish(const struct wire_tail *tail)
{
	if (tail->r.bad)
		return KMS_E_TRUNCATED;
	if (tail->bad)
		return KMS_E_FORMAT;
	return tail->critical ? KMS_E_SCHEMA : KMS_OK;
}

int
wire_tail_skip(struct wire_reader *r, size_t max)
{
	struct wire_tail tail;
	struct wire_tlv tlv;

	wire_tail_init(&tail, r, max);
	while (wire_tail_next(&tail, &tlv))
		wire_tail_unknown(&tail, &tlv);
	return wire_tail_finish(&tail);
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
