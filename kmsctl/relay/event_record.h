/*
 * event_record.h - events in records that have an end: <Event> of XML, objects of JSON.
 */
#ifndef KMSCTL_RELAY_EVENT_RECORD_H
#define KMSCTL_RELAY_EVENT_RECORD_H

#include <jansson.h>

#include "kmsctl/relay/event_reader.h"

/*
 * The next record at p or behind it: where it begins. r->end: none. *json: of a record in JSON,
 * else NULL; *after: its end.
 */
const char *event_record_next(
    struct event_reader *r, const char *p, json_t **json, const char **after);
/* Reads it; json is released. */
void event_record_read(struct event_reader *r, const char *text, const char *after, json_t *json);

#endif
