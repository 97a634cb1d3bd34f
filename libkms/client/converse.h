/*
 * converse.h - the whole dialogue with one host on one connection, in steps.
 */
#ifndef KMS_LIBKMS_CLIENT_CONVERSE_H
#define KMS_LIBKMS_CLIENT_CONVERSE_H

#include "libkms/client/ask.h"
#include "libkms/client/dialogue.h"
#include "libkms/client/transport.h"

/* On a connection of this moment. NULL: no guarded memory. */
struct dialogue *converse_begin(struct ask *a, struct transport *t);
/*
 * As far as it goes now; sets ask->result and the state. STEP_FINAL, STEP_NEXT_HOST, or STEP_WAIT
 * with *w.
 */
enum step converse_step(struct dialogue *d, struct wait *w);
void converse_end(struct dialogue *d); /* wipes; d may be NULL */

#endif
