/*
 * verify_tell.c - tells a problem that a check found. See verify.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "kmsdb/verify.h"

void
verify_tell(struct verify *c, int status, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (c->first == KMS_OK)
		c->first = status;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (c->report != NULL)
		c->report(status, line, c->arg);
}
