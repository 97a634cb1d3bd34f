/*
 * base64.h - bytes as etcd's JSON carries them: RFC 4648 with padding.
 */
#ifndef KMSD_SHARE_BASE64_H
#define KMSD_SHARE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for len bytes, without the zero at the end. */
#define BASE64_TEXT(len) (((len) + 2) / 3 * 4)

/* out: BASE64_TEXT(len) + 1. */
void base64_format(char *out, const uint8_t *bytes, size_t len);
/*
 * The whole text, and nothing else: no blanks, no other alphabet, all padding, and no bits that
 * mean nothing. False: it is not that, or longer than size bytes.
 */
bool base64_parse(uint8_t *out, size_t size, size_t *len, const char *text, size_t text_len);

#endif
