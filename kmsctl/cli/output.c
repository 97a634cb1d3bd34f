/*
 * output.c - the verbs of output.h, and how a person reads a time, a size or a span.
 */
#include "kmsctl/cli/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/cli/screen.h"
#include "libkms/base/wire.h"
#include "libkms/os/terminal.h"

struct output *
output_new(const struct output_format *format, FILE *file, bool colour)
{
	struct output *o = calloc(1, format->size);

	if (o == NULL)
		return NULL;
	o->format = format;
	o->file = file;
	o->colour = colour;
	format->open(o);
	return o;
}

bool
output_written(FILE *file)
{
	bool ok = fflush(file) == 0;

	return (ok && !ferror(file)) || os_reader_gone(file);
}

bool
output_close(struct output *o)
{
	bool ok;

	o->format->close(o);
	ok = output_written(o->file) && !o->failed;
	free(o);
	return ok;
}

bool
output_colour_wanted(FILE *file)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no != NULL && *no != '\0')
		return false;
	if (term == NULL || strcmp(term, "dumb") == 0)
		return false;
	return isatty(fileno(file)) == 1;
}

void
output_object(struct output *o, const char *key, const char *heading)
{
	o->format->begin(o, key, heading, false);
}

void
output_list(struct output *o, const char *key, const char *heading)
{
	o->format->begin(o, key, heading, true);
}

void
output_columns(struct output *o, const char *keys)
{
	if (o->format->columns != NULL)
		o->format->columns(o, keys);
}

void
output_row(struct output *o)
{
	o->format->row(o);
}

void
output_end(struct output *o)
{
	o->format->end(o);
}

void
output_put(struct output *o, const struct output_field *f)
{
	o->format->field(o, f);
}

void
output_text(struct output *o, const char *key, const char *label, const char *text)
{
	output_put(o, &(struct output_field){ .key = key,
			  .label = label,
			  .type = OUTPUT_TEXT,
			  .text = text,
			  .none = text == NULL });
}

void
output_block(struct output *o, const char *key, const char *text)
{
	output_put(o,
	    &(struct output_field){ .key = key, .label = "", .type = OUTPUT_BLOCK, .text = text });
}

void
output_number(struct output *o, const char *key, const char *label, uint64_t number)
{
	output_put(o, &(struct output_field){
			  .key = key, .label = label, .type = OUTPUT_NUMBER, .number = number });
}

void
output_bool(struct output *o, const char *key, const char *label, bool value)
{
	output_put(o, &(struct output_field){
			  .key = key, .label = label, .type = OUTPUT_BOOL, .number = value });
}

void
output_time(struct output *o, const char *key, const char *label, uint64_t seconds)
{
	output_put(o, &(struct output_field){
			  .key = key, .label = label, .type = OUTPUT_TIME, .number = seconds });
}

void
output_line(struct output *o, enum output_style style, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o->format->line(o, style, text);
}

const char *
output_when(char out[OUTPUT_WHEN], uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds == 0)
		snprintf(out, OUTPUT_WHEN, "-");
	else if (seconds > 253402300799u || gmtime_r(&t, &tm) == NULL)
		snprintf(out, OUTPUT_WHEN, "after the year 9999");
	else
		strftime(out, OUTPUT_WHEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

static void
format_octets(char *out, size_t size, uint64_t n)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)n;
	unsigned i = 0;

	while (v >= 1024 && i < sizeof(units) / sizeof(*units) - 1) {
		v /= 1024;
		i++;
	}
	snprintf(out, size, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
}

static void
format_minutes(char *out, size_t size, uint64_t n)
{
	if (n > 0 && n % 1440 == 0)
		snprintf(out, size, "%" PRIu64 " day%s", n / 1440, n == 1440 ? "" : "s");
	else if (n > 0 && n % 60 == 0)
		snprintf(out, size, "%" PRIu64 " hour%s", n / 60, n == 60 ? "" : "s");
	else
		snprintf(out, size, "%" PRIu64 " minute%s", n, n == 1 ? "" : "s");
}

char *
output_value(const struct output_field *f)
{
	char text[64] = "-";

	if (f->none || ((f->type == OUTPUT_TEXT || f->type == OUTPUT_BLOCK) && f->text == NULL))
		return strdup(text);
	switch (f->type) {
	case OUTPUT_TEXT:
	case OUTPUT_BLOCK:
		return output_printable(*f->text ? f->text : "-", f->type == OUTPUT_BLOCK);
	case OUTPUT_NUMBER:
		snprintf(text, sizeof(text), "%" PRIu64, f->number);
		break;
	case OUTPUT_LIMIT:
		if (f->number == 0)
			snprintf(text, sizeof(text), "no limit");
		else
			snprintf(text, sizeof(text), "%" PRIu64, f->number);
		break;
	case OUTPUT_BOOL:
		snprintf(text, sizeof(text), "%s", f->number ? "yes" : "no");
		break;
	case OUTPUT_TIME:
		output_when(text, f->number);
		break;
	case OUTPUT_OCTETS:
		format_octets(text, sizeof(text), f->number);
		break;
	case OUTPUT_MINUTES:
		format_minutes(text, sizeof(text), f->number);
		break;
	}
	return strdup(text);
}

void
output_say(FILE *to, const char *fmt, ...)
{
	char *text = NULL, *safe = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		safe = output_printable(text, false);
	va_end(ap);
	screen_print(to, safe != NULL ? safe : "out of memory", 0, 4, screen_width(to));
	fputc('\n', to);
	free(safe);
	free(text);
}

/* Names come from clients, which may be hostile: what the text rule does not allow is not shown. */
char *
output_printable(const char *text, bool lines)
{
	size_t len = strlen(text), at = 0, n = 0, part;
	char *out = malloc(len + 1);

	if (out == NULL)
		return NULL;
	for (;;) {
		part = lines ? strcspn(text + at, "\n") : len;
		memcpy(out + n, text + at, part);
		n += wire_text_clean(out + n, part);
		at += part;
		if (at == len)
			break;
		out[n++] = text[at++];
	}
	out[n] = '\0';
	return out;
}
