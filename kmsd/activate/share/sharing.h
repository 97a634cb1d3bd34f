/*
 * sharing.h - what activation does as a host of a share ([share] of kms.ini): it stores its batches
 * in the engine before it answers, tells the others in beats how far it is, takes their batches,
 * and is alone when the engine does not answer. share_state.h has the states; this does what they
 * ask for, over share_peer.h.
 *
 * kmsd-share and the engine are not trusted: own_place.h and members.h judge what comes.
 */
#ifndef KMSD_ACTIVATE_SHARE_SHARING_H
#define KMSD_ACTIVATE_SHARE_SHARING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/activate/share/members.h"
#include "kmsd/activate/share/own_rights.h"
#include "kmsd/activate/share/share_state.h"

struct activate;
struct front_peer;
struct publisher_product;
struct share;

#define SHARE_REASON 100 /* bytes of a reason */
#define SHARE_RETRY 10   /* seconds: told to a client while the host does not serve */

/* NULL: memory. The ledger is open. */
struct share *share_new(struct activate *a);
void share_free(struct share *s);
/* The channel of a kmsd-share that was just started; the one before ends. KMS_E_NO_MEMORY. */
int share_open(struct share *s, int fd);
/* Once in each turn of the event loop: does what is to be done now, and sends what may go. */
void share_turn(struct share *s);
/* Its layers of the sandbox; false: there is none, or it has not begun. */
bool share_layers(const struct share *s, uint32_t *layers);

/* -- entries and answers -- */

/* Entries may be written now. */
bool share_signs(const struct share *s);
/* Clients may be given leases now. */
bool share_serves(const struct share *s);
/* But no seat that they do not have. */
bool share_gives_none(const struct share *s);
/*
 * Into counters: how many seats of the product's pool may be given to clients that do not count.
 * Without a limit, the pool is not shared.
 */
void share_fill_rights(
    struct share *s, const struct publisher_product *of, struct policy_counters *counters);
/*
 * A client got no seat of that pool, although there may be free ones: some of the other hosts'
 * rights are asked for. The status that it is told in place of KMS_E_CAPACITY.
 */
enum kms_status share_wants(struct share *s, const struct publisher_product *of);
/* a->last_batch is on disk. */
void share_committed(struct share *s);
/* An answer with something of this batch must wait. */
bool share_waits(const struct share *s, uint64_t batch);
/*
 * Keeps a sealed reply, and sends it when the batch is stored or the host is alone. False: there is
 * no room; the caller gives the credit back.
 */
bool share_hold(struct share *s, struct front_peer *p, uint64_t token, uint64_t batch,
    const uint8_t *frame, size_t len);
/* Replies wait. */
bool share_holds(const struct share *s);

/* -- for kmsctl -- */

/* Without the engine, on an administrator's word. KMS_E_EXISTS: it does not wait for it. */
int share_go_alone(struct share *s, const char *reason);

/*
 * This host has the first rights from now on: all that its certificates say. KMS_E_EXISTS: it has
 * them already, or a member has; KMS_E_LEDGER: it is not together with the others.
 */
int share_be_first(struct share *s);

struct share_view {
	const struct share_state *state;
	const struct members *members;
	uint64_t since; /* seconds: when the state began */
	bool skewed;    /* clocks are too far apart for new seats */
	uint64_t held;
	bool first; /* it has the first rights */
	const struct own_rights *rights;
};
void share_look(const struct share *s, struct share_view *out);

#endif
