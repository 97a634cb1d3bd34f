/*
 * ask.c - see ask.h.
 */
#include "libkms/client/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/wire.h"

void
ask_note(struct ask *a, uint32_t status, bool from_host, const char *format, ...)
{
	va_list ap;

	if (a->from_host && !from_host)
		return;
	a->from_host = from_host;
	a->result.status = status;
	va_start(ap, format);
	vsnprintf(a->result.detail, sizeof(a->result.detail), format, ap);
	va_end(ap);
	/* Names from DNS and texts of the system are in it, and it goes into a log. */
	a->result.detail[wire_text_clean(a->result.detail, strlen(a->result.detail))] = '\0';
}
