/*
 * attempt.h - the network's part of a request, in steps: the hosts one after the other, the
 * addresses of each, a connection, and what is said on it (converse.h).
 */
#ifndef KMS_LIBKMS_CLIENT_ATTEMPT_H
#define KMS_LIBKMS_CLIENT_ATTEMPT_H

#include "libkms/client/ask.h"

/* From ASK_AGAIN on. True: ASK_DONE, a->result is final. False: a->wait says what it waits for. */
bool attempt_step(struct ask *a);
/* Gives up what is on its way, and frees it. */
void attempt_end(struct ask *a);

#endif
