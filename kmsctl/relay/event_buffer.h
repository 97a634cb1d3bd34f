/*
 * event_buffer.h - a record as plain text, in which the fields are found.
 */
#ifndef KMSCTL_RELAY_EVENT_BUFFER_H
#define KMSCTL_RELAY_EVENT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct event_buffer {
	char *text;
	size_t len, room;
	bool full;   /* longer than an event can be: cut off */
	bool failed; /* no memory */
};

void event_buffer_put(struct event_buffer *b, const char *text, size_t len);
void event_buffer_free(struct event_buffer *b);

#endif
