/*
 * connection.h - one client's connection: splits its bytes into frames, has at most one request in
 * flight, and has a buffer only while a frame or a reply is incomplete.
 */
#ifndef KMSD_FRONT_CONNECTION_H
#define KMSD_FRONT_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/front/connection_table.h"
#include "kmsd/front/deadline.h"
#include "kmsd/front/forward.h"

#define CONNECTION_RETRY 5 /* seconds: when a client that finds no room comes again */

extern const struct forward_calls connection_calls;

/*
 * Counts the source, and takes the descriptor. KMS_E_LIMIT (too many of that source),
 * KMS_E_NO_MEMORY: the descriptor remains the caller's.
 */
int connection_open(struct front *f, int fd, const uint8_t address[16], uint16_t port);
void connection_close(struct connection *c);
/* Tells a client that there is no room for it, and when to try again. */
void connection_turn_away(int fd);

/* For the relay: what to wait for (EV_READ, EV_WRITE, both or 0), and the client's clock. */
void connection_watch(struct connection *c, short what);
void connection_deadline(struct connection *c, enum deadline kind);

/* A whole frame for the client. */
void connection_reply(struct connection *c, const uint8_t *frame, size_t len, bool close_after);
/* Its deadline has passed. */
void connection_expired(struct connection *c);
/*
 * At a stop: takes requests that have already arrived, then closes every connection without one in
 * flight.
 */
void connections_stop(struct front *f);

#endif
