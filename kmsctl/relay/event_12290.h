/*
 * event_12290.h - event 12290 of a KMS host's own log ("An activation request has been processed"),
 * and what is known of a file of them.
 */
#ifndef KMSCTL_RELAY_EVENT_12290_H
#define KMSCTL_RELAY_EVENT_12290_H

#include <stddef.h>
#include <stdint.h>

#include "kmsctl/relay/event_date.h"

#define EVENT_LOG_NAMED 20 /* problems that are named; all are counted */

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
	size_t ambiguous; /* of these, granted and without a time */
	size_t unread;    /* not given to fn: recognised, but a field cannot be read */
	size_t copies;    /* the same event again in another form, in the same record */
	struct {
		size_t line;   /* from 1 */
		size_t number; /* of the event in the file, from 1 */
		const char *why;
	} named[EVENT_LOG_NAMED]; /* the first that are unread or ambiguous */
	size_t named_count;
};

#endif
