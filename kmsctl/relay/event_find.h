/*
 * event_find.h - event 12290 in text, by the form of its fields and whatever is between them:
 * commas and quotes in CSV, tags in XML, names of fields in logs. In their order: status, count,
 * name, CMID, date and time.
 *
 *	0x0,25,pc1.example.com,1ab2c3d4-0000-4000-8000-0123456789ab,2026/11/23 10:15,0,1,43200,...
 *
 * Text is UTF-8, need not be terminated, and outlives what is found in it.
 */
#ifndef KMSCTL_RELAY_EVENT_FIND_H
#define KMSCTL_RELAY_EVENT_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/relay/event_date.h"

#define EVENT_NAME 64 /* bytes; MESSAGE_NAME */

/* A word: what stands between two separators. */
struct event_word {
	const char *text;
	size_t len;
	const char *key; /* of key=word, "key": word or <key>word; NULL: none */
	size_t key_len;
	bool joined; /* the separators before it are more than blanks and new lines */
};

/* The key has that part, in either case. */
bool event_key_has(const struct event_word *w, const char *part);
/* False: the end. */
bool event_word_next(const char **at, const char *end, struct event_word *w);

/* The fields of an event. */
struct event_fields {
	uint32_t status;
	uint32_t count;
	char name[EVENT_NAME + 1]; /* lower case; never "" */
	uint8_t cmid[16];
	struct event_date date;
};

/* How each field is read; len bytes of text. */
bool event_status_read(const char *text, size_t len, uint32_t *out);
bool event_count_read(const char *text, size_t len, uint32_t *out);
bool event_name_read(const char *text, size_t len, char out[EVENT_NAME + 1]);
bool event_cmid_read(const char *text, size_t len, uint8_t out[16]);
/* The number of the event, as the log or Get-EventLog's InstanceId has it. */
bool event_id_is(const char *text, size_t len);

enum event_kind {
	EVENT_END,
	EVENT_FOUND,
	EVENT_BROKEN, /* it looks like one, and a field cannot be read: why */
	EVENT_ID,     /* the event's number: its fields should be near */
};

struct event_find {
	const char *at, *end;
	/* of what was found last */
	const char *where;
	struct event_word word; /* of an EVENT_ID */
	struct event_fields fields;
	bool have_cmid;  /* of an EVENT_BROKEN */
	const char *why; /* constant */
	/* its own */
	struct event_word last[3];
	unsigned tail;
};

void event_find_start(struct event_find *f, const char *text, size_t len);
enum event_kind event_find_next(struct event_find *f);

#endif
