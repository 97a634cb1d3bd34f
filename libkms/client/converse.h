/*
 * converse.h - the whole dialogue with one host on one connection.
 */
#ifndef KMS_LIBKMS_CLIENT_CONVERSE_H
#define KMS_LIBKMS_CLIENT_CONVERSE_H

#include "libkms/client/ask.h"
#include "libkms/client/transport.h"

/* Sets ask->result and the state. True: this answer is final; false: another host may do better. */
bool converse(struct ask *a, struct transport *t);

#endif
