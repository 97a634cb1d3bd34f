/*
 * ini_read.h - a strict reader of ini text over a table of sections and keys.
 *
 * inih splits the lines; what it lets pass silently (a line or section name
 * cut at its limits, text after ']', keys given twice, a continuation taken for a
 * value) is an error here, with the line's number and what to do.
 */
#ifndef KMS_POLICY_INI_READ_H
#define KMS_POLICY_INI_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/pack.h"

#define INI_LINE_MAX 197   /* octets; Debian's inih takes 200 with line end and NUL */
#define INI_SECTION_MAX 48 /* inih cuts at 49 */
#define INI_KEYS_MAX 32    /* of one section: bits of a mask */

struct ini_reader;

struct ini_key {
	const char *name;
	/* Converts value into record + offset; false: it called ini_fail or ini_expected. */
	bool (*read)(
	    struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
	size_t offset, size;
	uint64_t min, max;
	const char *fallback; /* value when the key is absent; NULL: the key is required */
	/* may go on in lines that begin with a blank; read is called for each */
	bool continues;
};

struct ini_section {
	const char *name; /* "product" */
	/* what follows it, for messages: "UUID"; NULL: nothing does */
	const char *argument;
	bool required; /* at least once */
	/* The record that the keys fill; NULL: it called ini_fail. */
	void *(*open)(struct ini_reader *r, const char *argument);
	const struct ini_key *keys;
	unsigned key_count;
};

struct ini_reader {
	void *arg; /* the caller's */
	int line;  /* under way */
	int section_line;
	struct fault *err;
	bool failed;

	const struct ini_section *sections;
	unsigned section_count;
	uint32_t sections_seen;
	const struct ini_section *section;
	void *record;
	uint32_t keys_seen;
	const struct ini_key *last; /* key that a continuation line goes on with */
	bool blank;                 /* line under way begins with a blank */
	const char *at, *end;       /* text left */
};

/* KMS_OK, KMS_E_FORMAT or KMS_E_TOO_LARGE; err, set anew, says where and what. */
int ini_read(const struct ini_section *sections, unsigned count, void *arg, const char *text,
    size_t len, size_t max, struct fault *err);

/* Both keep the first error only and return false. line 0: the file as a whole. */
bool ini_fail(struct ini_reader *r, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool ini_expected(
    struct ini_reader *r, const struct ini_key *key, const char *value, const char *what);

/* The usual conversions, for ini_key.read. size: of the field. */
bool ini_text(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_name(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_number(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_minutes(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_time(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_time_end(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_uuid(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_hex(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_base64(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);

#endif
