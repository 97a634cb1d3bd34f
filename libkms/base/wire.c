/*
 * wire.c - see wire.h: text and TLVs, and how a reader ends.
 */
#include "libkms/base/wire.h"

#include <string.h>

#include "libkms/kms_error.h"

int
wire_finish(const struct wire_reader *r)
{
	if (r->bad)
		return KMS_E_TRUNCATED;
	return wire_left(r) > 0 ? KMS_E_TRAILING : KMS_OK;
}

/* Bytes of the UTF-8 sequence at s (RFC 3629: shortest form, no surrogates), 0 when it is none. */
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
