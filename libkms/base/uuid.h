/*
 * uuid.h - UUID text (RFC 9562, "9f3c...-....") to its 16 bytes and back.
 */
#ifndef KMS_LIBKMS_BASE_UUID_H
#define KMS_LIBKMS_BASE_UUID_H

#include <stdint.h>

#define UUID_TEXT 37 /* characters and the zero */

/* Exactly 36 characters, either case. KMS_OK or KMS_E_FORMAT. */
int uuid_parse(uint8_t out[16], const char *text);
void uuid_format(char out[UUID_TEXT], const uint8_t id[16]);

#endif
