/*
 * tell.c - see tell.h.
 */
#include "kmsctl/cli/tell.h"

#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"

#define BYTES_MAX 64

void
tell_text(struct output *o, const char *key, const char *text)
{
	output_text(o, key, key, text);
}

void
tell_number(struct output *o, const char *key, uint64_t number)
{
	output_number(o, key, key, number);
}

void
tell_limit(struct output *o, const char *key, uint64_t number)
{
	output_put(o, &(struct output_field){
			  .key = key, .label = key, .type = OUTPUT_LIMIT, .number = number });
}

void
tell_flag(struct output *o, const char *key, bool value)
{
	output_bool(o, key, key, value);
}

void
tell_hex(struct output *o, const char *key, const uint8_t *bytes, size_t len)
{
	char text[2 * BYTES_MAX + 1];

	hex_format(text, bytes, len < BYTES_MAX ? len : BYTES_MAX);
	tell_text(o, key, text);
}

void
tell_uuid(struct output *o, const char *key, const uint8_t id[16])
{
	char text[UUID_TEXT];

	uuid_format(text, id);
	tell_text(o, key, text);
}
