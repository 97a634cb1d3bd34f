/*
 * control_request.c - what the verbs share: arguments of a request, and fields of an answer.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/control/control_verbs.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

bool
control_argument(
    const struct control_request *q, char type, const char *name, struct control_field *out)
{
	struct wire_reader r = q->args;

	while (control_next(&r, out)) {
		if (control_field_is(out, type, name))
			return true;
	}
	return false;
}

int
control_id(struct control_request *q, const char *name, uint8_t out[16])
{
	struct control_field f;

	if (!control_argument(q, 's', name, &f)) {
		snprintf(q->why, CONTROL_WHY, "the argument \"%s\" is missing", name);
		return KMS_E_ARGUMENT;
	}
	if (uuid_parse_loose(out, (const char *)f.value, f.value_len))
		return KMS_OK;
	snprintf(q->why, CONTROL_WHY, "\"%s\" must be 32 hexadecimal digits", name);
	return KMS_E_ARGUMENT;
}

void
control_hex(struct control_buf *b, const char *name, const uint8_t *octets, size_t len)
{
	char hex[2 * 64 + 1];

	hex_format(hex, octets, len < 64 ? len : 64);
	control_text(b, name, hex);
}

void
control_uuid(struct control_buf *b, const char *name, const uint8_t id[16])
{
	char text[37];

	uuid_format(text, id);
	control_text(b, name, text);
}
