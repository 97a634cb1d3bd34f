/*
 * web_state.h - /api/state: what the page draws, as one JSON object. It has no name of a client.
 */
#ifndef KMSD_WEB_WEB_STATE_H
#define KMSD_WEB_WEB_STATE_H

#include "kmsd/web/known.h"

struct evbuffer;
struct evhttp_request;

int state_make(const struct known *k, int rc, struct evhttp_request *r, struct evbuffer *body);

#endif
