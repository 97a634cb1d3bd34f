/*
 * uuid.c - UUID text (RFC 9562 section 4) to its 16 octets and back.
 */
#include "libkms/uuid.h"

#include <stdio.h>
#include <string.h>

#include "libkms/kms_error.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
uuid_parse(uint8_t out[16], const char *text)
{
	size_t i, n = 0;

	if (strlen(text) != UUID_TEXT - 1)
		return KMS_E_FORMAT;
	for (i = 0; i < UUID_TEXT - 1;) {
		int high, low;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i++] != '-')
				return KMS_E_FORMAT;
			continue;
		}
		high = hex(text[i]);
		low = hex(text[i + 1]);
		if (high < 0 || low < 0)
			return KMS_E_FORMAT;
		out[n++] = (uint8_t)(high << 4 | low);
		i += 2;
	}
	return KMS_OK;
}

void
uuid_format(char out[UUID_TEXT], const uint8_t id[16])
{
	size_t i, n = 0;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		snprintf(out + n, UUID_TEXT - n, "%02x", id[i]);
		n += 2;
	}
}
