/*
 * event_log.c - an event's fields are found by their form, whatever is between them: commas and
 * quotes in CSV, tags in XML. In their order: 0x status, count, name, GUID, date and time.
 */
#include "kmsctl/relay/event_log.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/kmsctl.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"

#define FIELDS 5

/* UTF-16 as Windows exports it: our fields are all ASCII. */
static size_t
narrow(char *text, size_t len)
{
	bool little = len >= 2 && (uint8_t)text[0] == 0xff && (uint8_t)text[1] == 0xfe;
	bool big = len >= 2 && (uint8_t)text[0] == 0xfe && (uint8_t)text[1] == 0xff;
	size_t out = 0;

	if (!little && !big)
		return len;
	for (size_t i = 2; i + 1 < len; i += 2) {
		char high = text[big ? i : i + 1], low = text[big ? i + 1 : i];

		text[out++] = high == '\0' ? low : '?';
	}
	return out;
}

static bool
separates(char c)
{
	return c == ',' || c == '"' || c == ';' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

/* The next field that is not empty, trimmed; tags separate as commas do. NULL: the end. */
static const char *
next_field(const char **at, const char *end, size_t *len)
{
	const char *p = *at, *from;

	for (;;) {
		while (p < end && (separates(*p) || *p == ' '))
			p++;
		if (p == end || *p != '<')
			break;
		while (p < end && *p != '>')
			p++;
		p += p < end;
	}
	from = p;
	while (p < end && !separates(*p) && *p != '<')
		p++;
	*at = p;
	while (p > from && p[-1] == ' ')
		p--;
	*len = (size_t)(p - from);
	return *len > 0 ? from : NULL;
}

struct field {
	const char *text;
	size_t len;
};

static bool
number(const struct field *f, unsigned base, uint32_t *out)
{
	size_t from = base == 16 ? 2 : 0;
	uint64_t v = 0;

	if (f->len <= from || f->len > from + 9)
		return false;
	if (base == 16 && (f->text[0] != '0' || tolower((unsigned char)f->text[1]) != 'x'))
		return false;
	for (size_t i = from; i < f->len; i++) {
		int digit = hex_digit(f->text[i]);

		if (digit < 0 || (unsigned)digit >= base)
			return false;
		v = v * base + (unsigned)digit;
	}
	*out = (uint32_t)v;
	return v <= UINT32_MAX;
}

static bool
host_name(const struct field *f, char out[65])
{
	if (f->len > 64)
		return false;
	for (size_t i = 0; i < f->len; i++) {
		unsigned char c = (unsigned char)f->text[i];

		if (!isalnum(c) && c != '-' && c != '_' && c != '.')
			return false;
		out[i] = (char)tolower(c);
	}
	out[f->len] = '\0';
	return true;
}

/* "2026/11/23 10:15" */
static bool
date(const struct field *f, uint64_t *out)
{
	struct tm t = { 0 };
	char text[20];
	time_t when;
	int end = 0;

	if (f->len < 14 || f->len >= sizeof(text))
		return false;
	memcpy(text, f->text, f->len);
	text[f->len] = '\0';
	if (sscanf(text, "%4d/%2d/%2d %2d:%2d%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
		&t.tm_min, &end) != 5)
		return false;
	if ((text[end] != '\0' && text[end] != ':') || t.tm_year < 2000 || t.tm_year > 9999 ||
	    t.tm_mon < 1 || t.tm_mon > 12 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour < 0 ||
	    t.tm_hour > 23 || t.tm_min < 0 || t.tm_min > 59)
		return false;
	t.tm_year -= 1900;
	t.tm_mon--;
	when = timegm(&t);
	*out = (uint64_t)when;
	return when > 0;
}

static bool
is_event(const struct field f[FIELDS], struct event_12290 *e)
{
	return number(&f[0], 16, &e->status) && number(&f[1], 10, &e->count) &&
	       f[3].len >= UUID_TEXT - 1 && uuid_parse_loose(e->cmid, f[3].text, f[3].len) &&
	       host_name(&f[2], e->name) && date(&f[4], &e->time);
}

size_t
event_log_each(char *text, size_t len, int (*fn)(const struct event_12290 *e, void *arg), void *arg)
{
	struct field f[FIELDS] = { { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 } };
	const char *at = text, *end = text + narrow(text, len);
	struct event_12290 e;
	size_t found = 0;

	for (;;) {
		memmove(f, f + 1, (FIELDS - 1) * sizeof(f[0]));
		f[FIELDS - 1].text = next_field(&at, end, &f[FIELDS - 1].len);
		if (f[FIELDS - 1].text == NULL)
			return found;
		if (!is_event(f, &e))
			continue;
		found++;
		if (fn(&e, arg) != 0)
			return found;
	}
}
