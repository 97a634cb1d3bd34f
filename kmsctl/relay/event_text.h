/*
 * event_text.h - the text of a file that Windows wrote, as UTF-8.
 */
#ifndef KMSCTL_RELAY_EVENT_TEXT_H
#define KMSCTL_RELAY_EVENT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A code point up to U+10FFFF as UTF-8. Returns its length. */
size_t event_text_utf8(char out[4], uint32_t c);
/* What the file is if it is no text, and what to do instead; NULL: it may be text. */
const char *event_text_refused(const char *in, size_t len);

/*
 * UTF-16 of either order, with its mark or without, and UTF-8 become UTF-8; a byte that is not
 * UTF-8 is a character of Windows-1252. Marks and what cannot be seen are left out. malloc'd, with
 * a zero byte behind it. KMS_OK or KMS_E_NO_MEMORY.
 */
int event_text_decode(const char *in, size_t len, char **out, size_t *out_len);

#endif
