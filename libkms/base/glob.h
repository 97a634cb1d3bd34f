/*
 * glob.h - does a name match a pattern that an administrator wrote?
 */
#ifndef KMS_LIBKMS_BASE_GLOB_H
#define KMS_LIBKMS_BASE_GLOB_H

#include <stdbool.h>

/*
 * '*' is any number of characters, '?' is one. ASCII letters match without regard to case, as names
 * of hosts do. All other characters are themselves, byte by byte: a '?' is one character of UTF-8.
 * The time is at most the product of both lengths, whatever the pattern.
 */
bool glob_match(const char *pattern, const char *name);

/* Has it a '*' or a '?'? */
bool glob_is_pattern(const char *text);

#endif
