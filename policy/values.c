/*
 * values.c - see values.h. Strict on purpose: a file that was signed must mean one thing only, so
 * no locale, no leading '+', no blanks, and one spelling.
 */
#include "policy/values.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/number.h"
#include "libkms/base/wire.h"

bool
value_base64_parse(uint8_t *out, size_t len, const char *text)
{
	size_t got = 0;
	const char *end;

	return sodium_base642bin(out, len, text, strlen(text), NULL, &got, &end,
		   sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       got == len && *end == '\0';
}

bool
value_base64_format(char *out, size_t size, const uint8_t *in, size_t len)
{
	if (size < sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL)) {
		if (size > 0)
			out[0] = '\0';
		return false;
	}
	sodium_bin2base64(out, size, in, len, sodium_base64_VARIANT_ORIGINAL);
	return true;
}

/* count digits at *at as a number; moves *at past them. */
static bool
digits(unsigned *out, const char **at, unsigned count)
{
	unsigned v = 0;

	for (; count > 0; count--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		v = v * 10 + (unsigned)(**at - '0');
	}
	*out = v;
	return true;
}

static bool
literal(const char **at, char c)
{
	return *(*at)++ == c;
}

static bool
leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned
month_days(unsigned year, unsigned month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && leap(year) ? 1 : 0);
}

/* Days from 1970-01-01 to the first of January of year. */
static uint64_t
year_start(unsigned year)
{
	uint64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

bool
value_time_parse(uint64_t *out, const char *text, bool end_of_day)
{
	unsigned year, month, day, hour = 0, minute = 0, second = 0;
	const char *at = text;
	uint64_t days;

	if (!digits(&year, &at, 4) || !literal(&at, '-') || !digits(&month, &at, 2) ||
	    !literal(&at, '-') || !digits(&day, &at, 2))
		return false;
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > month_days(year, month))
		return false;
	if (*at == '\0') {
		if (end_of_day) {
			hour = 23;
			minute = second = 59;
		}
	} else if (!literal(&at, 'T') || !digits(&hour, &at, 2) || !literal(&at, ':') ||
		   !digits(&minute, &at, 2) || !literal(&at, ':') || !digits(&second, &at, 2) ||
		   !literal(&at, 'Z') || *at != '\0') {
		return false;
	}
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	days = year_start(year) + day - 1;
	for (unsigned m = 1; m < month; m++)
		days += month_days(year, m);
	*out = days * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

bool
value_time_format(char out[VALUE_TIME + 1], uint64_t time)
{
	uint64_t days = time / 86400;
	unsigned rest = (unsigned)(time % 86400);
	unsigned year, month = 1;

	out[0] = '\0';
	if (time > VALUE_TIME_MAX)
		return false;
	year = (unsigned)(1970 + days / 366); /* never too late; the loop walks at most a few */
	while (year_start(year + 1) <= days)
		year++;
	days -= year_start(year);
	for (; days >= month_days(year, month); month++)
		days -= month_days(year, month);
	snprintf(out, VALUE_TIME + 1, "%04u-%02u-%02uT%02u:%02u:%02uZ", year % 10000, month % 100,
	    (unsigned)(days + 1) % 100, rest / 3600, rest / 60 % 60, rest % 60);
	return true;
}

static const struct {
	char letter;
	unsigned minutes;
} units[] = { { 'm', 1 }, { 'h', 60 }, { 'd', 1440 } };
#define UNITS (sizeof(units) / sizeof(units[0]))

bool
value_minutes_parse(uint64_t *out, const char *text)
{
	uint64_t v;

	if (!number_prefix(&v, NUMBER_EXACT, &text))
		return false;
	for (size_t i = 0; *text != '\0' && i < UNITS; i++) {
		if (*text != units[i].letter)
			continue;
		if (text[1] != '\0' || v > UINT32_MAX)
			return false;
		*out = v * units[i].minutes;
		return true;
	}
	*out = v;
	return *text == '\0';
}

char *
value_minutes_format(char out[VALUE_MINUTES + 1], uint64_t minutes)
{
	size_t i = UNITS - 1;

	while (i > 0 && (minutes == 0 || minutes % units[i].minutes != 0))
		i--;
	snprintf(
	    out, VALUE_MINUTES + 1, "%" PRIu64 "%c", minutes / units[i].minutes, units[i].letter);
	return out;
}

bool
value_version_parse(uint16_t *major, uint16_t *minor, const char *text)
{
	uint64_t a, b;

	if (!number_prefix(&a, UINT16_MAX, &text) || *text++ != '.' ||
	    !number_parse(&b, UINT16_MAX, text))
		return false;
	*major = (uint16_t)a;
	*minor = (uint16_t)b;
	return true;
}

bool
value_release_parse(uint16_t out[3], const char *text)
{
	uint64_t v;

	for (unsigned i = 0; i < 3; i++) {
		if (!number_prefix(&v, UINT16_MAX, &text))
			return false;
		out[i] = (uint16_t)v;
		if (*text == '\0' && i > 0) {
			if (i == 1)
				out[2] = 0;
			return true;
		}
		if (*text++ != '.')
			return false;
	}
	return false;
}

bool
value_name_ok(const char *text, size_t max)
{
	size_t n =
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n > 0 && n <= max && text[n] == '\0' && text[0] != '.' && text[0] != '-';
}

bool
value_text_ok(const char *text, size_t max)
{
	size_t n = strlen(text);

	return n <= max && wire_text_ok(text, n) && text[0] != ' ' && text[0] != ';' &&
	       (n == 0 || text[n - 1] != ' ') && strstr(text, " ;") == NULL;
}
