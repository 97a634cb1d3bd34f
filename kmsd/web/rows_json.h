/*
 * rows_json.h - rows of a reply as JSON, with the names that kmsctl --json has.
 */
#ifndef KMSD_WEB_ROWS_JSON_H
#define KMSD_WEB_ROWS_JSON_H

#include <jansson.h>

#include "kmsd/ipc/reply_rows.h"

/* A new reference; NULL: memory, or there is no such row. */
json_t *rows_json_all(const struct reply *r, const char *kind);
json_t *rows_json_first(const struct reply *r, const char *kind);

#endif
