/*
 * conversation.h - one relayed conversation: a client's connection, a host's, whole PDUs from one
 * to the other. Each side is read only while the other takes what it is sent; a side holds at
 * most two fragments, and none while nothing is under way.
 */
#ifndef KMSD_FRONT_RELAY_CONVERSATION_H
#define KMSD_FRONT_RELAY_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct relayed;

/*
 * The first octets, of which the first is 5: from now on the session is the relay's, or closed.
 */
void relayed_open(struct session *s, const uint8_t *data, size_t len);
/* The client's socket is ready. */
void relayed_event(struct session *s, short what);
/* Its session closes. */
void relayed_free(struct session *s);
/* Somebody waits for an answer: it is not closed at a stop. */
bool relayed_busy(const struct session *s);

#endif
