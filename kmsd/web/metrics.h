/*
 * metrics.h - /metrics: sums for Prometheus, as OpenMetrics or as its older text format, whichever
 * the request accepts. No name of a client, user or machine is in it.
 */
#ifndef KMSD_WEB_METRICS_H
#define KMSD_WEB_METRICS_H

#include <stdbool.h>

#include "kmsd/web/known.h"

struct evbuffer;
struct evhttp_request;

/* All families. open: as OpenMetrics. */
void metrics_write(struct evbuffer *out, const struct known *k, bool open);
int metrics_make(const struct known *k, int rc, struct evhttp_request *r, struct evbuffer *body);

#endif
