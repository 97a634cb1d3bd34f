/*
 * text.h - text that is built in the caller's buffer; an overflow sticks.
 */
#ifndef KMS_POLICY_TEXT_H
#define KMS_POLICY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *out;
	size_t size, len;
	bool bad;
};

void text_put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text's length; 0, and an empty buffer, when something did not fit. */
size_t text_end(struct text *t);

#endif
