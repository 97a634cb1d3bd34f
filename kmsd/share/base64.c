/*
 * base64.c - see base64.h. What it carries is no secret, so tables may be looked up by it.
 */
#include "kmsd/share/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
format_group(char out[4], const uint8_t *in, size_t have)
{
	uint32_t bits =
	    (uint32_t)in[0] << 16 | (have > 1 ? (uint32_t)in[1] << 8 : 0) | (have > 2 ? in[2] : 0);

	out[0] = digits[bits >> 18];
	out[1] = digits[bits >> 12 & 63];
	out[2] = have > 1 ? digits[bits >> 6 & 63] : '=';
	out[3] = have > 2 ? digits[bits & 63] : '=';
}

void
base64_format(char *out, const uint8_t *bytes, size_t len)
{
	for (; len > 0; out += 4) {
		size_t have = len < 3 ? len : 3;

		format_group(out, bytes, have);
		bytes += have;
		len -= have;
	}
	*out = '\0';
}

/* 0 to 63; -1: no digit. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, of which the last pad are '='. */
static bool
parse_group(uint8_t out[3], const char in[4], unsigned pad)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < 4; i++) {
		int v = i < 4 - pad ? value_of(in[i]) : 0;

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
	}
	if ((bits & ((UINT32_C(1) << 8 * pad) - 1)) != 0)
		return false;
	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
	return true;
}

bool
base64_parse(uint8_t *out, size_t size, size_t *len, const char *text, size_t text_len)
{
	unsigned pad = 0;
	size_t whole;

	*len = 0;
	if (text_len % 4 != 0)
		return false;
	if (text_len > 0 && text[text_len - 1] == '=')
		pad = text[text_len - 2] == '=' ? 2 : 1;
	whole = text_len / 4 * 3 - pad;
	if (whole > size)
		return false;
	for (size_t i = 0; i < text_len; i += 4) {
		bool last = i + 4 == text_len;
		uint8_t group[3];

		if (!parse_group(group, text + i, last ? pad : 0))
			return false;
		memcpy(out + i / 4 * 3, group, last ? 3 - pad : 3);
	}
	*len = whole;
	return true;
}
