/*
 * uuid.h - UUID text (RFC 9562, "9f3c...-....") to its 16 bytes and back.
 */
#ifndef KMS_LIBKMS_BASE_UUID_H
#define KMS_LIBKMS_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT 37 /* characters and the zero */

/* Exactly 8-4-4-4-12 digits, either case. */
bool uuid_parse(uint8_t out[16], const char *text);
/* The same, but not the nil UUID (all zeros), which names nothing. */
bool uuid_parse_not_nil(uint8_t out[16], const char *text);
/*
 * As a person or a log writes it: 32 digits, dashes anywhere or nowhere, perhaps in braces. text
 * need not be terminated.
 */
bool uuid_parse_loose(uint8_t out[16], const char *text, size_t len);
/* Exactly 8-4-4-4-12 digits of lower case. */
void uuid_format(char out[UUID_TEXT], const uint8_t id[16]);

#endif
