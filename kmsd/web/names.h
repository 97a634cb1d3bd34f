/*
 * names.h - what names clients: /login, which turns the token of `kmsctl web login` into a cookie,
 * and /api/clients, which the activation process answers only to a session that it made itself.
 */
#ifndef KMSD_WEB_NAMES_H
#define KMSD_WEB_NAMES_H

#include "kmsd/web/question.h"

struct evhttp_request;

void names_login(struct ask *ask, struct evhttp_request *r);
void names_clients(struct ask *ask, struct evhttp_request *r);

#endif
