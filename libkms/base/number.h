/*
 * number.h - numbers in text: digits and nothing else. No sign, no blank, no locale.
 */
#ifndef KMS_LIBKMS_BASE_NUMBER_H
#define KMS_LIBKMS_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* 2^53: what every reader of JSON keeps exact, so no number of a signed file is larger. */
#define NUMBER_EXACT (UINT64_C(1) << 53)

/* The whole text is a number, of at most max. *out is set only then. */
bool number_parse(uint64_t *out, uint64_t max, const char *text);
/* The same for "0x" and hexadecimal digits. */
bool number_parse_hex(uint64_t *out, uint64_t max, const char *text);
/* The digits that *at begins with, one at least; *at is moved past them. */
bool number_prefix(uint64_t *out, uint64_t max, const char **at);

#endif
