/*
 * ini_read.h - the one strict reader of ini text, over a table of sections and keys: kms.ini and
 * the files of publishers.
 *
 * inih splits the lines; what it lets pass silently (a line or section name cut at its limits,
 * text after ']', keys given twice, a continuation taken for a value) is an error here, with the
 * line's number and what to do. The whole text is read: every fault is counted, and as many are
 * kept as there is room for.
 */
#ifndef KMS_POLICY_INI_INI_READ_H
#define KMS_POLICY_INI_INI_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"

#define INI_LINE_MAX 198 /* bytes; Debian's inih takes 200 with line end and NUL */
#define INI_KEYS_MAX 32  /* of one section: bits of a mask */
#define INI_SECTIONS_MAX 16

struct ini_reader;

/* read is called for each line of a key; r->again: it is not the first. */
enum ini_lines {
	INI_ONE_LINE,
	INI_CONTINUES, /* may go on in lines that begin with a blank */
	INI_REPEATS,   /* may be given several times */
};

struct ini_key {
	const char *name;
	/* Converts value into record + offset; false: it called ini_fail or ini_expected. */
	bool (*read)(
	    struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
	size_t offset, size;
	uint64_t min, max;
	const char *fallback; /* value when the key is absent; NULL: the key is required */
	enum ini_lines lines;
};

enum ini_presence {
	INI_OPTIONAL,
	INI_REQUIRED, /* at least once */
	/* May be missing, or be continued further down: its record holds the fallbacks already. */
	INI_RESUMED,
};

struct ini_section {
	const char *name; /* "product" */
	/* what follows it, for messages: "UUID"; NULL: nothing does */
	const char *argument;
	enum ini_presence presence;
	/* The record that the keys fill; NULL: it called ini_fail, and the keys are passed over. */
	void *(*open)(struct ini_reader *r, const char *argument);
	const struct ini_key *keys;
	unsigned key_count;
};

struct ini_format {
	const struct ini_section *sections;
	unsigned section_count;
	size_t max;         /* bytes of text */
	const char *manual; /* where all keys are told: "kms.ini(5)"; NULL: not said */
	/*
	 * Values in quotation marks, and with a comment behind them, are faults: other ini files
	 * have them, here they would be part of the value. For the one who writes the text; a file
	 * that is signed already means what it says.
	 */
	bool careful;
	/* What no single line can get wrong, once all is read; NULL: nothing. */
	void (*check)(struct ini_reader *r);
};

struct ini_reader {
	void *arg; /* the caller's */
	int line;  /* under way */
	int section_line;
	bool again; /* the key under way has had a line in this section */

	/* the reader's own */
	const struct ini_format *format;
	struct fault *faults;
	unsigned room, count;
	const struct ini_section *section; /* NULL: none is open */
	void *record;
	uint32_t sections_seen;
	uint32_t keys_seen[INI_SECTIONS_MAX]; /* of a section since it was opened */
	const struct ini_key *last;           /* the key that a continuation line continues */
	bool skip;                            /* in a section that was refused */
	bool expect;                          /* inih was given a line that must be key = value */
	bool continued;                       /* which continues that of the line before */
	const char *at, *end;                 /* text left */
};

/* The number of faults, in the order in which they are found; the first room of them are kept. */
unsigned ini_read_all(const struct ini_format *format, void *arg, const char *text, size_t len,
    struct fault *faults, unsigned room);
/* KMS_OK, KMS_E_FORMAT or KMS_E_TOO_LARGE; err, which is emptied first, says what the first is. */
int ini_read(const struct ini_section *sections, unsigned count, void *arg, const char *text,
    size_t len, size_t max, struct fault *err);
/* The same of a format that says more. */
int ini_read_format(
    const struct ini_format *format, void *arg, const char *text, size_t len, struct fault *err);

/* Both return false. line 0: the file as a whole. */
bool ini_fail(struct ini_reader *r, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool ini_expected(
    struct ini_reader *r, const struct ini_key *key, const char *value, const char *what);

/* Decimal digits from key->min to key->max, into a field of 1, 2, 4 or 8 bytes. */
bool ini_number(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_number_of(struct ini_reader *r, const struct ini_key *key, void *record, const char *value,
    const char *unit);
/* What was read by other means: ok and in range, or a message; unit follows the range in it. */
bool ini_store(struct ini_reader *r, const struct ini_key *key, void *record, const char *value,
    bool ok, uint64_t v, const char *unit);

#endif
