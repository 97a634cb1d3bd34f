/*
 * ini_values.c - the usual conversions of ini_read.h: value text into a field
 * of the record, or a message that says what the key takes.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "policy/ini_read.h"
#include "policy/values.h"

static void *
field(const struct ini_key *key, void *record)
{
	return (char *)record + key->offset;
}

/* UTF-8 of min octets up to what the field holds. */
bool
ini_text(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	size_t n = strlen(value);
	char what[80];

	if (n < key->min || n >= key->size || !value_text_ok(value, n)) {
		snprintf(what, sizeof(what), "UTF-8 text of %u to %zu octets", (unsigned)key->min,
		    key->size - 1);
		return ini_expected(r, key, value, what);
	}
	memset(field(key, record), 0, key->size);
	memcpy(field(key, record), value, n);
	return true;
}

bool
ini_name(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	char what[80];

	if (!value_name_ok(value, key->size - 1)) {
		snprintf(what, sizeof(what), "a name of at most %zu letters, digits, '.', '_', '-'",
		    key->size - 1);
		return ini_expected(r, key, value, what);
	}
	return ini_text(r, key, record, value);
}

static bool
store(struct ini_reader *r, const struct ini_key *key, void *record, const char *value, bool ok,
    uint64_t v, const char *unit)
{
	char what[120];

	if (!ok || v < key->min || v > key->max) {
		snprintf(what, sizeof(what), "a number from %llu to %llu%s",
		    (unsigned long long)key->min, (unsigned long long)key->max, unit);
		return ini_expected(r, key, value, what);
	}
	if (key->size == sizeof(uint16_t)) {
		uint16_t narrow = (uint16_t)v;
		memcpy(field(key, record), &narrow, sizeof(narrow));
	} else {
		uint32_t wide = (uint32_t)v;
		assert(key->size == sizeof(wide));
		memcpy(field(key, record), &wide, sizeof(wide));
	}
	return true;
}

bool
ini_number(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	uint64_t v = 0;
	bool ok = value_number_parse(&v, value);

	return store(r, key, record, value, ok, v, "");
}

bool
ini_minutes(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	uint64_t v = 0;
	bool ok = value_minutes_parse(&v, value);

	return store(r, key, record, value, ok, v, " minutes (90, 90m, 2h, 30d)");
}

static bool
take_time(
    struct ini_reader *r, const struct ini_key *key, void *record, const char *value, bool end)
{
	uint64_t v;

	if (!value_time_parse(&v, value, end))
		return ini_expected(
		    r, key, value, "a time in UTC such as 2026-11-23T14:00:00Z, or a date");
	memcpy(field(key, record), &v, sizeof(v));
	return true;
}

bool
ini_time(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return take_time(r, key, record, value, false);
}

bool
ini_time_end(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return take_time(r, key, record, value, true);
}

bool
ini_uuid(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	return value_uuid_parse(field(key, record), value) ||
	       ini_expected(r, key, value, "a UUID such as 9f3c1d60-52a7-4a6e-9b1c-0d5e8a7f4b21");
}

bool
ini_hex(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	char what[60];

	if (value_hex_parse(field(key, record), key->size, value))
		return true;
	snprintf(what, sizeof(what), "%zu hexadecimal digits", 2 * key->size);
	return ini_expected(r, key, value, what);
}

bool
ini_base64(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	char what[60];

	if (value_base64_parse(field(key, record), key->size, value))
		return true;
	snprintf(what, sizeof(what), "base64 of %zu octets", key->size);
	return ini_expected(r, key, value, what);
}
