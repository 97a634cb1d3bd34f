/*
 * event_date.c - see event_date.h.
 */
#include "kmsctl/relay/event_date.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "policy/values.h"

#define FIRST_YEAR 2000
#define THAI 543 /* years of the Buddhist calendar are so much higher */

struct cursor {
	const char *p, *end;
};

static bool
take(struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(c->end - c->p) < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (tolower((unsigned char)c->p[i]) != (unsigned char)text[i])
			return false;
	c->p += n;
	return true;
}

/* Blanks, among them those that newer versions of Windows put before AM and PM. */
static void
skip_blanks(struct cursor *c, bool lines)
{
	for (;;) {
		const char *before = c->p;

		while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' ||
					    (lines && (*c->p == '\r' || *c->p == '\n'))))
			c->p++;
		if (!take(c, "\xc2\xa0"))
			take(c, "\xe2\x80\xaf");
		if (c->p == before)
			return;
	}
}

/* Up to most digits and no more. Returns how many; 0: none, or too many. */
static unsigned
number(struct cursor *c, unsigned most, unsigned *out)
{
	unsigned n = 0;

	*out = 0;
	while (c->p < c->end && isdigit((unsigned char)*c->p)) {
		if (n++ == most)
			return 0;
		*out = *out * 10 + (unsigned)(*c->p++ - '0');
	}
	return n;
}

/* The half of the day; 0: none is told, 1: before noon, 2: after noon. */
static int
half(struct cursor *c)
{
	static const struct {
		const char *text;
		int half;
	} rows[] = {
		{ "a.m.", 1 },
		{ "p.m.", 2 },
		{ "a. m.", 1 },
		{ "p. m.", 2 },
		{ "a.\xc2\xa0m.", 1 },
		{ "p.\xc2\xa0m.", 2 },
		{ "am", 1 },
		{ "pm", 2 },
		{ "午前", 1 },
		{ "午後", 2 },
		{ "上午", 1 },
		{ "下午", 2 },
		{ "오전", 1 },
		{ "오후", 2 },
		{ "πμ", 1 },
		{ "μμ", 2 },
		{ "π.μ.", 1 },
		{ "μ.μ.", 2 },
		{ "dop.", 1 },
		{ "odp.", 2 },
		{ "de.", 1 },
		{ "du.", 2 },
		{ "sa", 1 },
		{ "ch", 2 },
		{ "ص", 1 },
		{ "م", 2 },
	};
	const char *before = c->p;

	skip_blanks(c, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (take(c, rows[i].text) && (c->p == c->end || !isalpha((unsigned char)*c->p)))
			return rows[i].half;
	c->p = before;
	return 0;
}

/* Z, +01:00, -0500, +01: seconds that local time is ahead. */
static int64_t
zone(struct cursor *c)
{
	struct cursor at = *c;
	unsigned hours, minutes = 0;
	bool ahead;

	if (take(c, "z"))
		return 0;
	if (at.p == at.end || (*at.p != '+' && *at.p != '-'))
		return 0;
	ahead = *at.p++ == '+';
	switch (number(&at, 4, &hours)) {
	case 4:
		minutes = hours % 100;
		hours /= 100;
		break;
	case 2:
		if (at.p == at.end || *at.p != ':')
			break;
		at.p++;
		if (number(&at, 2, &minutes) == 2)
			break;
		return 0;
	default:
		return 0;
	}
	if (hours > 14 || minutes > 59)
		return 0;
	*c = at;
	return (ahead ? 1 : -1) * (int64_t)(hours * 3600 + minutes * 60);
}

/* "9:05", "09:05:00.1234567", "9.05.00", "9:05 PM", "下午 9:05": seconds of the day. */
static bool
clock_time(struct cursor *c, int64_t *out, bool *seconds)
{
	int side = half(c);
	unsigned h, m, s = 0, fraction;
	char sep;

	skip_blanks(c, true);
	if (number(c, 2, &h) == 0 || c->p == c->end || (*c->p != ':' && *c->p != '.'))
		return false;
	sep = *c->p++;
	if (number(c, 2, &m) != 2)
		return false;
	if (c->end - c->p >= 2 && *c->p == sep && isdigit((unsigned char)c->p[1])) {
		c->p++;
		*seconds = true;
		if (number(c, 2, &s) != 2)
			return false;
		if (sep == ':' && c->end - c->p >= 2 && *c->p == '.') {
			struct cursor at = { c->p + 1, c->end };

			if (number(&at, 9, &fraction) > 0)
				*c = at;
		}
	}
	if (side == 0)
		side = half(c);
	if (h > 23 || m > 59 || s > 60 || (side == 1 && h > 12))
		return false;
	if (side != 0 && h <= 12)
		h = h % 12 + (side == 2 ? 12 : 0);
	*out = (int64_t)h * 3600 + m * 60 + s;
	return true;
}

/* Midnight of the day, in seconds since 1970; 0: there is no such day. */
static uint64_t
day_time(unsigned year, unsigned month, unsigned day)
{
	char text[40];
	uint64_t time;

	if (year >= FIRST_YEAR + THAI && year < FIRST_YEAR + THAI + 100)
		year -= THAI;
	if (year < FIRST_YEAR || year >= FIRST_YEAR + 100)
		return 0;
	snprintf(text, sizeof(text), "%04u-%02u-%02u", year, month, day);
	return value_time_parse(&time, text, false) ? time : 0;
}

/* The separator, with what is written around it: "5. 1. 2026", "1\/5\/2026". */
static bool
separator(struct cursor *c, char *sep)
{
	if (c->p < c->end && *c->p == '\\')
		c->p++;
	if (c->p == c->end || (*c->p != '/' && *c->p != '-' && *c->p != '.') ||
	    (*sep != '\0' && *c->p != *sep))
		return false;
	*sep = *c->p++;
	if (*sep == '.')
		skip_blanks(c, false);
	return true;
}

static bool
day(struct cursor *c, struct event_date *out)
{
	unsigned a, b, y, digits = number(c, 4, &a), last;
	char sep = '\0';

	if (digits == 0 || digits == 3 || !separator(c, &sep) || number(c, 2, &b) == 0 ||
	    !separator(c, &sep))
		return false;
	last = number(c, 4, &y);
	if (sep == '.')
		take(c, ".");
	if (digits == 4 && (last == 1 || last == 2))
		out->dmy = out->mdy = day_time(a, b, y);
	else if (digits < 3 && sep == '.' && (last == 2 || last == 4))
		/* Nobody writes the month first with dots. */
		out->dmy = out->mdy = day_time(last == 2 ? 2000 + y : y, b, a);
	else if (digits < 3 && last == 4) {
		out->dmy = day_time(y, b, a);
		out->mdy = day_time(y, a, b);
		if (out->dmy == 0 || out->mdy == 0)
			out->dmy = out->mdy = out->dmy + out->mdy;
	}
	return out->dmy != 0;
}

/* "Date(1767600300000)", in milliseconds; a zone behind it tells only how it was shown. */
static bool
json_date(struct cursor *c, struct event_date *out)
{
	uint64_t ms = 0;
	unsigned n = 0;

	if (c->p < c->end && *c->p == '/')
		c->p++;
	if (!take(c, "date("))
		return false;
	for (; c->p < c->end && isdigit((unsigned char)*c->p) && n < 14; n++)
		ms = ms * 10 + (uint64_t)(*c->p++ - '0');
	out->dmy = out->mdy = ms / 1000;
	out->seconds = true;
	return n > 0 && out->dmy >= 946684800 && out->dmy < 4102444800;
}

const char *
event_date_read(const char *p, const char *end, struct event_date *out)
{
	struct cursor c = { p, end };
	int64_t seconds, ahead;

	*out = (struct event_date){ 0 };
	if (json_date(&c, out))
		return c.p;
	c.p = p;
	if (!day(&c, out))
		return NULL;
	if (!take(&c, "t") && !take(&c, " г."))
		take(&c, ",");
	skip_blanks(&c, true);
	if (!clock_time(&c, &seconds, &out->seconds))
		return NULL;
	ahead = zone(&c);
	out->dmy = (uint64_t)((int64_t)out->dmy + seconds - ahead);
	out->mdy = (uint64_t)((int64_t)out->mdy + seconds - ahead);
	return c.p;
}

enum event_dates
event_dates_of(const char *text, size_t len)
{
	const char *end = text + len;
	bool dmy = false, mdy = false;

	for (const char *p = text; p < end;) {
		struct cursor c = { p, end };
		unsigned a, b, y, n;
		char sep = '\0';

		if (!isdigit((unsigned char)*p)) {
			p++;
			continue;
		}
		n = number(&c, 2, &a);
		if (n > 0 && separator(&c, &sep) && sep != '.' && number(&c, 2, &b) > 0 &&
		    separator(&c, &sep) && number(&c, 4, &y) == 4 && y >= FIRST_YEAR) {
			dmy |= a > 12 && a <= 31 && b >= 1 && b <= 12;
			mdy |= b > 12 && b <= 31 && a >= 1 && a <= 12;
		}
		while (p < end && isdigit((unsigned char)*p))
			p++;
	}
	return dmy && mdy ? EVENT_DATES_MIXED
	       : dmy      ? EVENT_DATES_DMY
	       : mdy      ? EVENT_DATES_MDY
			  : EVENT_DATES_UNKNOWN;
}

uint64_t
event_date_choose(const struct event_date *d, enum event_dates order)
{
	if (d->dmy == d->mdy || order == EVENT_DATES_DMY)
		return d->dmy;
	return order == EVENT_DATES_MDY ? d->mdy : 0;
}
