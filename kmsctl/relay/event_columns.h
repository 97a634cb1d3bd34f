/*
 * event_columns.h - the fields of an event by their names, in any order: of columns that a script
 * made of Get-WinEvent's Properties, of key=value, of an object in JSON.
 */
#ifndef KMSCTL_RELAY_EVENT_COLUMNS_H
#define KMSCTL_RELAY_EVENT_COLUMNS_H

#include "kmsctl/relay/event_find.h"

#define EVENT_COLUMNS 64 /* more in a row are not looked at */

enum event_role { ROLE_STATUS, ROLE_COUNT, ROLE_NAME, ROLE_CMID, ROLE_TIME, ROLES };

/* The best value for each role. */
struct event_columns {
	struct {
		const char *text; /* NULL: none */
		size_t len;
		const char *end; /* of what a date may take */
		unsigned rank;
	} at[ROLES];
};

/* A value; it goes where its key and its form say. end: no date goes on behind it. */
void event_columns_offer(struct event_columns *c, const char *key, size_t key_len, const char *text,
    size_t len, const char *end);
/* All of a text that have a key there. */
void event_columns_words(struct event_columns *c, const char *text, size_t len);

/* The first row of a table. Its texts are the file's. */
struct event_header {
	char separator; /* 0: no table */
	unsigned count;
	struct {
		const char *text;
		size_t len;
	} at[EVENT_COLUMNS];
};

/* Whether the line has the names of an event's fields. header changes only then. */
bool event_header_read(struct event_header *h, const char *line, size_t len);
/* All of a row. */
void event_columns_row(
    struct event_columns *c, const struct event_header *h, const char *line, size_t len);

/* EVENT_FOUND, EVENT_BROKEN (why), or EVENT_END: they are no event. */
enum event_kind event_columns_event(
    const struct event_columns *c, struct event_fields *out, const char **why);

#endif
