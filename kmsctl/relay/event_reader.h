/*
 * event_reader.h - the state of reading one file, and what becomes of an event: event_lines.c
 * (plain text) and event_record.c (XML and JSON) find it.
 */
#ifndef KMSCTL_RELAY_EVENT_READER_H
#define KMSCTL_RELAY_EVENT_READER_H

#include "kmsctl/relay/event_12290.h"
#include "kmsctl/relay/event_columns.h"
#include "kmsctl/relay/event_find.h"

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
	/* event_lines.c */
	size_t pending;       /* the line of a number whose fields have not come yet; 0: none */
	bool loose;           /* fields whose number has not come yet */
	const char *unclosed; /* up to here, no quote closes a cell of several lines */
	struct event_header header;
	/* the last event; Event Viewer copies one as text and then as XML */
	bool have_last;
	struct event_fields last;
	/* event_record.c */
	const char *json_from; /* no JSON begins before this */
	size_t left;           /* bytes that may still be tried as a record */
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

/* A number whose fields never came is an event that cannot be read. */
void event_reader_flush(struct event_reader *r);

#endif
