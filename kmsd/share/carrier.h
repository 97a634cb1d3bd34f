/*
 * carrier.h - carries out what activation asks of the engine: each request at one member of the
 * cluster after the other until one answers or its time is over; and knows whether the engine is
 * there at all.
 *
 * The link is up when a majority answered within LINK_MS; a probe asks when nothing else does. An
 * answer of another cluster than the last is told first: what that means is activation's to decide.
 */
#ifndef KMSD_SHARE_CARRIER_H
#define KMSD_SHARE_CARRIER_H

#include <stdint.h>

#include "kmsd/ipc/share_verbs.h"
#include "kmsd/share/engine.h"

/* Without an answer the link is down. A leader that dies takes half of it. */
#define CARRIER_LINK_MS 5000
#define CARRIER_PROBE_MS 1000   /* between two probes */
#define CARRIER_TRY_MS 1500     /* for one member, of a small request */
#define CARRIER_ASK_MS 10000    /* for all of them together */
#define CARRIER_OCTETS_A_MS 256 /* of a request: what is larger has more time for both */

struct carrier;

/* An answer, or LINK; m and what it borrows are good until this returns. */
typedef void carrier_say(void *arg, const struct share_message *m);

/* NULL: memory. members are the engine's. */
struct carrier *carrier_new(struct event_base *base, struct engine *engine,
    const struct ipc_upstreams *members, carrier_say *say, void *arg);
void carrier_free(struct carrier *c);

/* WELCOME: from now on it asks. KMS_E_PEER: the second one. */
int carrier_begin(struct carrier *c, const struct share_message *welcome);
/*
 * A request that share_decode and share_asked took; its answer comes later. KMS_E_PEER: activation
 * may not ask this: before WELCOME, or about the chain of another host.
 */
int carrier_take(struct carrier *c, const struct share_message *request);

#endif
