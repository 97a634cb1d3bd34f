/*
 * ini_values.c - see ini_values.h.
 */
#include "policy/ini_values.h"

#include <stdio.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "policy/values.h"

static void *
field(const struct ini_key *key, void *record)
{
	return (char *)record + key->offset;
}

/* UTF-8 of min bytes up to what the field holds. */
bool
ini_text(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	size_t n = strlen(value);
	char what[80];

	if (n < key->min || n >= key->size || !value_text_ok(value, n)) {
		snprintf(what, sizeof(what), "UTF-8 text of %u to %zu bytes", (unsigned)key->min,
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

bool
ini_minutes(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	uint64_t v = 0;
	bool ok = value_minutes_parse(&v, value);

	return ini_store(r, key, record, value, ok, v, " minutes (90, 90m, 2h, 30d)");
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
	return uuid_parse_not_nil(field(key, record), value) ||
	       ini_expected(r, key, value, "a UUID such as 9f3c1d60-52a7-4a6e-9b1c-0d5e8a7f4b21");
}

bool
ini_hex(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	char what[60];

	if (hex_parse(field(key, record), key->size, value))
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
	snprintf(what, sizeof(what), "base64 of %zu bytes", key->size);
	return ini_expected(r, key, value, what);
}
