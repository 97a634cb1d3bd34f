/*
 * tap.c - counts, and prints each result at once, so that a play that is cut short shows how far it
 * came.
 */
#include "t/lib/tap.h"

#include <stdarg.h>
#include <stdio.h>

static unsigned run, failed;

bool
ok(bool passed, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %u - ", passed ? "" : "not ", ++run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	failed += !passed;
	return passed;
}

unsigned
tap_failed(void)
{
	return failed;
}

int
tap_done(void)
{
	printf("1..%u\n", run);
	return failed > 0;
}
