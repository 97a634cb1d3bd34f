/*
 * uuid.c - UUID text (RFC 9562 section 4) to its 16 bytes and back.
 */
#include "libkms/base/uuid.h"

#include <stdbool.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

/* A dash comes before these bytes. */
static bool
dash_before(size_t i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

int
uuid_parse(uint8_t out[16], const char *text)
{
	if (strlen(text) != UUID_TEXT - 1)
		return KMS_E_FORMAT;
	for (size_t i = 0; i < 16; i++) {
		if (dash_before(i) && *text++ != '-')
			return KMS_E_FORMAT;
		if (!hex_octet(&out[i], text))
			return KMS_E_FORMAT;
		text += 2;
	}
	return KMS_OK;
}

void
uuid_format(char out[UUID_TEXT], const uint8_t id[16])
{
	for (size_t i = 0; i < 16; i++) {
		if (dash_before(i))
			*out++ = '-';
		hex_format(out, id + i, 1);
		out += 2;
	}
}
