/*
 * number.c - see number.h.
 */
#include "libkms/base/number.h"

#include "libkms/base/hex.h"

bool
number_prefix(uint64_t *out, uint64_t max, const char **at)
{
	const char *text = *at;
	uint64_t v = 0, digit;

	for (; *text >= '0' && *text <= '9'; text++) {
		digit = (uint64_t)(*text - '0');
		if (digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (text == *at)
		return false;
	*at = text;
	*out = v;
	return true;
}

bool
number_parse(uint64_t *out, uint64_t max, const char *text)
{
	uint64_t v;

	if (!number_prefix(&v, max, &text) || *text != '\0')
		return false;
	*out = v;
	return true;
}

bool
number_parse_hex(uint64_t *out, uint64_t max, const char *text)
{
	uint64_t v = 0;
	int digit;

	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X') || text[2] == '\0')
		return false;
	for (text += 2; *text != '\0'; text++) {
		digit = hex_digit(*text);
		if (digit < 0 || v > max >> 4 || (v = v << 4 | (uint64_t)digit) > max)
			return false;
	}
	*out = v;
	return true;
}
