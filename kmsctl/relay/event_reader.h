/*
 * event_reader.h - the state of reading one file, for the files of the reader: event_log.c
 * (what becomes of an event), event_lines.c (plain text), event_record.c (XML and JSON).
 */
#ifndef KMSCTL_RELAY_EVENT_READER_H
#define KMSCTL_RELAY_EVENT_READER_H

#include <jansson.h>

#include "kmsctl/relay/event_columns.h"
#include "kmsctl/relay/event_find.h"
#include "kmsctl/relay/event_log.h"

struct event_reader {
	const char *text, *end;
	struct event_log *log;
	int (*fn)(const struct event_12290 *e, void *arg);
	void *arg;
	enum event_dates given, seen; /* by the person; by the file */
	int rc;                       /* no memory */
	bool stop;                    /* fn's, or no memory */
	/* lines are counted up to here */
	const char *counted;
	size_t line;
	/* event_lines.c: a number without its fields yet, by its line; fields without their number
	 */
	size_t pending;
	bool loose;
	const char *unclosed; /* up to here, no quote closes a cell of several lines */
	struct event_header header;
	/* the last event, if no other text came since */
	bool have_last;
	struct event_fields last;
	/* event_record.c: no JSON begins before this; bytes that may still be tried */
	const char *json_from;
	size_t json_left;
};

/* The line of a place that is not before the last one asked for. */
size_t event_reader_line(struct event_reader *r, const char *where);
/* An event at that line; record: the text of it, in which another date may tell day and month. */
void event_reader_found(struct event_reader *r, const struct event_fields *e, size_t line,
    const char *record, size_t len);
/* One that cannot be read; why is constant. */
void event_reader_broken(struct event_reader *r, size_t line, const char *why);
/* Both are the same event, perhaps in two forms of which one is in local time. */
bool event_same(const struct event_fields *a, const struct event_fields *b);

/* Plain text, up to where a record begins or the file ends. */
void event_lines(struct event_reader *r, const char *text, const char *end);
/* A number whose fields never came. */
void event_lines_flush(struct event_reader *r);

/*
 * The next record of XML or JSON at p or behind it: where it begins. r->end: none. *json: of a
 * record in JSON, else NULL; *after: its end.
 */
const char *event_record_next(
    struct event_reader *r, const char *p, json_t **json, const char **after);
/* Reads it; json is released. */
void event_record_read(struct event_reader *r, const char *text, const char *after, json_t *json);

#endif
