/*
 * health.h - /health, for a balancer or a monitor: 200 when clients can be activated; 503 and why
 * when not. It has no names.
 */
#ifndef KMSD_WEB_HEALTH_H
#define KMSD_WEB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/web/known.h"

struct evbuffer;
struct evhttp_request;

/* A clause; NULL: clients can be activated. now: seconds since 1970. */
const char *health_why_not(const struct reply *status, uint64_t now);
int health_make(const struct known *k, int rc, struct evhttp_request *r, struct evbuffer *body);

#endif
