/*
 * uuid.c - see uuid.h.
 */
#include "libkms/base/uuid.h"

#include <string.h>

#include "libkms/base/hex.h"

#define DIGITS 32

static bool
dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool
uuid_parse_loose(uint8_t out[16], const char *text, size_t len)
{
	char digits[DIGITS + 1] = "";
	size_t n = 0;

	if (len >= 2 && text[0] == '{' && text[len - 1] == '}') {
		text++;
		len -= 2;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '-')
			continue;
		if (n == DIGITS)
			return false;
		digits[n++] = text[i];
	}
	return hex_parse(out, 16, digits);
}

bool
uuid_parse(uint8_t out[16], const char *text)
{
	if (strlen(text) != UUID_TEXT - 1)
		return false;
	for (size_t i = 0; i < UUID_TEXT - 1; i++)
		if ((text[i] == '-') != dash_at(i))
			return false;
	return uuid_parse_loose(out, text, UUID_TEXT - 1);
}

bool
uuid_parse_not_nil(uint8_t out[16], const char *text)
{
	static const uint8_t nil[16];

	return uuid_parse(out, text) && memcmp(out, nil, sizeof(nil)) != 0;
}

void
uuid_format(char out[UUID_TEXT], const uint8_t id[16])
{
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		hex_format(out, id + i, 1);
		out += 2;
	}
}
