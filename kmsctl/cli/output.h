/*
 * output.h - what a command prints, written once for a person and for a program.
 *
 * A command's answer is one object: fields, named objects of fields, and named lists of rows. Rows
 * are written at once, so that a list may have a million of them. All rows of a list have the same
 * fields in the same order; a list without rows contains values without names. A field without a
 * label is for programs only, a line is for people only.
 */
#ifndef KMSCTL_CLI_OUTPUT_H
#define KMSCTL_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum output_type {
	OUTPUT_TEXT,
	OUTPUT_BLOCK, /* text of several lines */
	OUTPUT_NUMBER,
	OUTPUT_LIMIT, /* a number, 0: no limit */
	OUTPUT_BOOL,
	OUTPUT_TIME, /* seconds since 1970, 0: none */
	OUTPUT_OCTETS,
	OUTPUT_MINUTES,
};
enum output_style { OUTPUT_PLAIN, OUTPUT_GOOD, OUTPUT_WARN, OUTPUT_BAD, OUTPUT_HEADING };

struct output_field {
	const char *key;   /* program's name for it */
	const char *label; /* person's name for it; NULL: not shown */
	enum output_type type;
	enum output_style style;
	const char *text; /* NULL: none */
	uint64_t number;
	bool none; /* no value */
	uint8_t
	    spare; /* column of a table that is too wide: the highest is left out first; 0: never */
	bool whole; /* is never broken, because it is copied */
};

struct output;

/* What a format must do. */
struct output_format {
	size_t size; /* of its own struct, which begins with struct output */
	void (*open)(struct output *o);
	void (*begin)(struct output *o, const char *key, const char *heading, bool list);
	void (*row)(struct output *o);
	void (*field)(struct output *o, const struct output_field *f);
	void (*line)(struct output *o, enum output_style style, const char *text);
	void (*end)(struct output *o);
	void (*close)(struct output *o);
	void (*columns)(struct output *o, const char *keys); /* may be NULL */
};

struct output {
	const struct output_format *format;
	FILE *file;
	bool colour;
	unsigned width; /* of the screen (screen.h); 0: any */
	bool failed;    /* memory; write errors are the FILE's */
};

/*
 * Sections and tables for a person; one JSON object; one value a line, in columns or as "name:
 * value"; the first list as CSV.
 */
extern const struct output_format output_format_text, output_format_json, output_format_columns,
    output_format_pairs, output_format_csv;

/* NULL: memory. */
struct output *output_new(const struct output_format *format, FILE *file, bool colour);
/* Ends the object, flushes, frees. False when something could not be written (output_written). */
bool output_close(struct output *o);
/*
 * Flushes. False: something could not be written. A pipe whose reader has seen enough, as head(1)
 * has, is no failure: what nobody wants to read need not be written. SIGPIPE is ignored by the
 * programs, so that a command is not ended in the middle of its work.
 */
bool output_written(FILE *file);
bool output_colour_wanted(FILE *file); /* a terminal, and no NO_COLOR */

void output_object(struct output *o, const char *key, const char *heading);
void output_list(struct output *o, const char *key, const char *heading);
/*
 * Of the list that was begun: "name,cmid,state", the keys of each of its rows. CSV begins with them
 * even if no row comes, so that a program can tell none from nothing. Kept, not copied.
 */
void output_columns(struct output *o, const char *keys);
void output_row(struct output *o);
void output_end(struct output *o);
void output_put(struct output *o, const struct output_field *f);
void output_text(struct output *o, const char *key, const char *label, const char *text);
void output_block(struct output *o, const char *key, const char *text);
void output_number(struct output *o, const char *key, const char *label, uint64_t number);
void output_bool(struct output *o, const char *key, const char *label, bool value);
void output_time(struct output *o, const char *key, const char *label, uint64_t seconds);
void output_line(struct output *o, enum output_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * One line beside the answer, for a person: on standard error. Whatever text is in it, it is one
 * line, which a terminal breaks between words, and follows the text rule.
 */
void output_say(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * The one place that makes text of others fit to be shown, for all programs: the text rule
 * (wire_text_ok) with '?' for what it does not allow; lines: a new line is allowed too.
 *
 * For the formats: the value as a person reads it, and text that cannot move the cursor
 * (malloc'd, NULL: memory).
 */
#define OUTPUT_WHEN 32
/*
 * The one form of a time in all tools: 2026-11-23T14:00:00Z, as options take it and kmsclient
 * prints it. "-" for 0. Returns out.
 */
const char *output_when(char out[OUTPUT_WHEN], uint64_t seconds);
char *output_value(const struct output_field *f);
char *output_printable(const char *text, bool lines);

#endif
