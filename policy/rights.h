/*
 * rights.h - which seats a host may give when several hosts count together. Pure.
 *
 * A right is one seat that a host may give to a client that it does not see counted; its entry says
 * so (ENTRY_RIGHT). A client that the host sees counted costs nothing. There are two ways to hand
 * rights out, which t/model compares. Transfers, below, are the way that is taken.
 *
 * Claims: a host claims rights in one list that all hosts share; each client that it counts anew
 * uses one, for ever. So what may be claimed is what the capacity leaves when
 *
 *   - each client is taken that any member may see as counted: it renews there for nothing. A
 *     member sees by its own clock, and only what it heard: see rights_since and rights_lingers;
 *   - each right that any member has and did not use is taken, too.
 *
 * The list takes one claim after the other, and who claims has applied every claim before and every
 * batch up to the heads that members told. What a member did since then changes no sum: a right
 * that it used became a client.
 */
#ifndef KMS_POLICY_RIGHTS_H
#define KMS_POLICY_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#define RIGHTS_MEMBERS 16
/*
 * Minutes that a clock may go back at a member after its heartbeat, and that the ends of a client's
 * seats may be apart by the clocks of two members: eight hours each, and the slots of a pool by the
 * day.
 */
#define RIGHTS_SLACK (24 * 60)

struct rights_member {
	uint64_t claimed; /* of its claims in the list */
	uint64_t used;    /* entries of its chain with ENTRY_RIGHT, as far as it was heard */
	uint64_t beat;    /* seconds: its own clock, when it was heard last; 0: never */
};

/* What the member may still give. What it lost may have used more than is heard: never below 0. */
uint64_t rights_free(const struct rights_member *m);
/*
 * The minute after which a seat that ends may be seen as counted by some member: of the member
 * whose clock was heard as the earliest. 0: one was never heard, so all seats may.
 */
uint32_t rights_since(const struct rights_member *members, unsigned count);
/*
 * Most rights that may be claimed now. taken: clients that some member may see as counted.
 */
uint64_t rights_room(
    const struct rights_member *members, unsigned count, uint64_t capacity, uint64_t taken);

/*
 * The other way, without a list: the first host has all rights, and a host gives some of its own to
 * another by an entry of its chain. A right that was used comes back to the host that used it as
 * soon as no member may see the client as counted any more.
 */
struct rights_purse {
	uint64_t first;    /* of the first host: the capacity; of the others 0 */
	uint64_t received; /* by the entries of other chains that were heard */
	uint64_t given;    /* by its own chain */
	uint64_t bound;    /* clients for which it used a right, and which are taken as above */
	uint64_t held;     /* that it may have used, and lost what it wrote of them */
};
uint64_t rights_left(const struct rights_purse *p);

/* An act of a client, as far as its seat goes. */
struct rights_act {
	uint16_t pool;
	uint32_t until; /* minute until which it counts there; 0: it does not */
	unsigned chain; /* of the member that wrote it */
	uint64_t batch;
};
/*
 * Of two acts of one client, does a member that has not heard the winner see a seat that the winner
 * does not show: in another pool, or for longer? Then the loser's seat is taken until all have
 * heard the winner. It does not matter in which order the two were heard here.
 */
bool rights_lingers(const struct rights_act *loser, const struct rights_act *winner);
/* Have all members heard the act? heard[m]: the last batch of its chain that m told to have. */
bool rights_heard(const struct rights_act *act, const uint64_t *heard, unsigned count);

/*
 * A member found that the list of batches has others in the place of its last ones: another machine
 * has its key, or it is an older copy of itself. Its own are set aside. Their clients have leases,
 * so their seats are entered again as new acts; one that is not seen as counted needs a right for
 * that, as any other.
 */
enum rights_again {
	RIGHTS_AGAIN_SEAT,  /* enter it: it is counted anyhow */
	RIGHTS_AGAIN_RIGHT, /* enter it with a right */
	RIGHTS_AGAIN_NONE, /* there is none: the lease runs out uncounted, and the audit shows it */
};
enum rights_again rights_again(bool counted, uint64_t free);

#endif
