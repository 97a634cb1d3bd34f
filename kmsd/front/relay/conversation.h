/*
 * conversation.h - one relayed conversation: a client's connection, a host's, whole PDUs from one
 * to the other. Each side is read only while the other side reads; a side keeps at most two
 * fragments, and none between exchanges.
 */
#ifndef KMSD_FRONT_RELAY_CONVERSATION_H
#define KMSD_FRONT_RELAY_CONVERSATION_H

struct relay_calls;

extern const struct relay_calls conversation_calls;

#endif
