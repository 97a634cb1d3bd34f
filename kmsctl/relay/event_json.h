/*
 * event_json.h - an object of JSON: is it an event's, and its text.
 */
#ifndef KMSCTL_RELAY_EVENT_JSON_H
#define KMSCTL_RELAY_EVENT_JSON_H

#include <jansson.h>

#include "kmsctl/relay/event_buffer.h"

/* An object is an event's, or it is only around events: these are then looked at one by one. */
bool event_json_is_record(const json_t *object);
/* A line for each value, "parent.key=value,". */
void event_json_put(struct event_buffer *t, const json_t *object);

#endif
