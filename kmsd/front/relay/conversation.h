/*
 * conversation.h - one relayed conversation: a client's connection, a host's, whole PDUs from one
 * to the other. Each side is read only while the other takes what it is sent; a side holds at
 * most two fragments, and none while nothing is under way.
 */
#ifndef KMSD_FRONT_RELAY_CONVERSATION_H
#define KMSD_FRONT_RELAY_CONVERSATION_H

#include "kmsd/front/relay/relay.h"

extern const struct relay_calls conversation_calls;

#endif
