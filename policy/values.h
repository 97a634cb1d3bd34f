/*
 * values.h - the values of a publisher's ini files as text: base64, times,
 * durations, versions, names (numbers, hexadecimal digits and UUIDs: libkms/base). Pure; every
 * parser takes the whole string or fails. Formatters that can fail return false and leave the
 * result empty.
 */
#ifndef KMS_POLICY_VALUES_H
#define KMS_POLICY_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_TIME 20                         /* 2026-11-23T14:00:00Z */
#define VALUE_TIME_MAX UINT64_C(253402300799) /* the last second of the year 9999 */

/* Exactly len bytes. */
bool value_base64_parse(uint8_t *out, size_t len, const char *text);
bool value_base64_format(char *out, size_t size, const uint8_t *in, size_t len);

/* RFC 3339 in UTC with Z, or a date: its first second, or with end_of_day its last. */
bool value_time_parse(uint64_t *out, const char *text, bool end_of_day);
bool value_time_format(char out[VALUE_TIME + 1], uint64_t time);

bool value_minutes_parse(uint64_t *out, const char *text); /* 90, 90m, 2h, 30d */
#define VALUE_MINUTES 21
char *value_minutes_format(char out[VALUE_MINUTES + 1], uint64_t minutes); /* 90m, 2h, 30d */
bool value_version_parse(uint16_t *major, uint16_t *minor, const char *text);
/* X.Y or X.Y.Z, each up to 65535. */
bool value_release_parse(uint16_t out[3], const char *text);

/* A name that other files refer to: letters, digits, '.', '_', '-', at most max. */
bool value_name_ok(const char *text, size_t max);
/*
 * Would text survive as an ini value? No blanks at its ends, no " ;", UTF-8, no control
 * characters.
 */
bool value_text_ok(const char *text, size_t max);

#endif
