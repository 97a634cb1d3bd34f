/*
 * event_log.h - event 12290 of a KMS host's own log ("An activation request has been
 * processed"), out of a file that its administrator exported in any of the usual ways: CSV or text
 * with any separator, XML, JSON, lines of a log server, in UTF-16, UTF-8 or a code page.
 */
#ifndef KMSCTL_RELAY_EVENT_LOG_H
#define KMSCTL_RELAY_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsctl/relay/event_date.h"
#include "libkms/base/fault.h"

#define EVENT_LOG_MAX (64 * 1024 * 1024) /* bytes of a file */
#define EVENT_LOG_NAMED 20               /* problems that are named; all are counted */

struct event_12290 {
	uint32_t status; /* what the host answered */
	uint32_t
	    count; /* the count that the client needed, from its request; 0: the file has none */
	char name[65]; /* the client's, lower case; perhaps not ASCII */
	uint8_t cmid[16];
	/*
	 * The client's clock, or the log's where the file has no other; taken as UTC if it has no
	 * zone. 0: its day and month cannot be told apart.
	 */
	uint64_t time;
};

struct event_log {
	/* in: the order of day and month, or UNKNOWN: by the file. out: what the file says. */
	enum event_dates dates;
	/* out */
	size_t events;    /* given to fn */
	size_t ambiguous; /* of these, without a time */
	size_t unread;    /* not given to fn: recognised, but a field cannot be read */
	size_t copies;    /* the same event again in another form, in the same record */
	struct {
		size_t line;   /* from 1 */
		size_t number; /* of the event in the file, from 1 */
		const char *why;
	} named[EVENT_LOG_NAMED]; /* the first that are unread or ambiguous */
	size_t named_count;
};

/*
 * Each such event, in the file's order; other events are skipped. fn non-zero stops.
 * KMS_OK; KMS_E_FORMAT: it is no text (f says what it is, and what to do); KMS_E_NO_MEMORY.
 */
int event_log_read(const char *text, size_t len, struct event_log *log,
    int (*fn)(const struct event_12290 *e, void *arg), void *arg, struct fault *f);

#endif
