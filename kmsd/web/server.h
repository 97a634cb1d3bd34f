/*
 * server.h - HTTP, by libevent's evhttp: connections within bounds, who may ask (Host and Origin),
 * and the table of what can be asked for. A connection carries one request and lives ten seconds
 * at most; when all places are taken, the oldest gives way to a new one.
 */
#ifndef KMSD_WEB_SERVER_H
#define KMSD_WEB_SERVER_H

#include <event2/event.h>
#include <stdbool.h>

#include "kmsd/common/config.h"
#include "kmsd/web/known.h"

#define SERVER_LISTENERS (CONFIG_ADDRESSES + 1)
#define SERVER_HEAD_MAX 8192 /* bytes: a request's line and headers */
#define SERVER_SECONDS 10    /* a connection's whole life */

struct server;

/* Borrows all of them. NULL: memory. */
struct server *server_new(
    struct event_base *base, const struct config *config, struct known *known, struct ask *ask);
void server_free(struct server *s);
/* Takes over a listening socket; KMS_E_NO_MEMORY: it did not. */
int server_listen(struct server *s, int fd);
/* After each turn of the loop, and once a second: frees what has ended, ends what is too old. */
void server_turn(struct server *s);

#endif
