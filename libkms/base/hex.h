/*
 * hex.h - bytes as hexadecimal digits, lower case when written, either when read.
 */
#ifndef KMS_LIBKMS_BASE_HEX_H
#define KMS_LIBKMS_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 to 15; -1: not a hexadecimal digit. */
int hex_digit(char c);
/* out holds 2 * len digits and the zero. */
void hex_format(char *out, const uint8_t *bytes, size_t len);
/* Exactly 2 * len digits and nothing else. */
bool hex_parse(uint8_t *out, size_t len, const char *text);

#endif
