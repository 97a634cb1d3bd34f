/*
 * text.c - text put together in a buffer (text.h).
 */
#include "policy/text.h"

#include <stdarg.h>
#include <stdio.h>

void
text_put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->bad)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->out + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->size - t->len)
		t->bad = true;
	else
		t->len += (size_t)n;
}

size_t
text_end(struct text *t)
{
	if (t->bad && t->size > 0)
		t->out[0] = '\0';
	return t->bad ? 0 : t->len;
}
