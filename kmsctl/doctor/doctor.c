/*
 * doctor.c - one finding, to a person or to a program.
 */
#include "kmsctl/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	enum output_style style;
} levels[] = {
	[GOOD] = { "good", OUTPUT_GOOD },
	[WARNING] = { "warning", OUTPUT_WARN },
	[BAD] = { "bad", OUTPUT_BAD },
};

void
doctor_find(
    struct doctor *d, const char *check, enum level level, const char *next, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->bad += level == BAD;
	d->warnings += level == WARNING;
	if (d->one_line) {
		if (level > d->worst)
			snprintf(d->said, sizeof(d->said), "%s", text);
		d->worst = level > d->worst ? level : d->worst;
		return;
	}
	if (d->ctl->json) {
		output_row(d->ctl->out);
		output_text(d->ctl->out, "check", NULL, check);
		output_text(d->ctl->out, "level", NULL, levels[level].name);
		output_text(d->ctl->out, "text", NULL, text);
		output_text(d->ctl->out, "next", NULL, next);
		return;
	}
	output_line(d->ctl->out, levels[level].style, "%-8s %-9s %s%s%s", levels[level].name, check,
	    text, next != NULL ? ": " : "", next != NULL ? next : "");
}
