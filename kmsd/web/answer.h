/*
 * answer.h - an answer to a request, with the headers that each has.
 */
#ifndef KMSD_WEB_ANSWER_H
#define KMSD_WEB_ANSWER_H

#include <jansson.h>

struct evbuffer;
struct evhttp_request;

/* Frees body. Headers that the request has already are kept; without a type it is text. */
void answer_send(struct evhttp_request *r, int code, struct evbuffer *body);
void answer_text(struct evhttp_request *r, int code, const char *text);
/* Releases all and appends it to body; the code of the answer: 200, or 503 for memory. */
int answer_json(struct evhttp_request *r, json_t *all, struct evbuffer *body);
/* The header of the answer. */
void answer_header(struct evhttp_request *r, const char *name, const char *value);

#endif
