/*
 * event_lines.h - events in plain text: CSV and the like, lines of a log server, and lists.
 */
#ifndef KMSCTL_RELAY_EVENT_LINES_H
#define KMSCTL_RELAY_EVENT_LINES_H

#include "kmsctl/relay/event_reader.h"

/* Up to where a record begins or the file ends. */
void event_lines(struct event_reader *r, const char *text, const char *end);

#endif
