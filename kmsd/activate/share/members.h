/*
 * members.h - the hosts of whose beats this one has heard: who is followed, and why not.
 *
 * A beat is signed by its host, but anybody can make a host. A member is a host with a certificate
 * of a publisher that is installed here, for this host's customer. Once followed, its chain is in
 * this host's ledger, and it stays a member.
 */
#ifndef KMSD_ACTIVATE_SHARE_MEMBERS_H
#define KMSD_ACTIVATE_SHARE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/activate/share/beat.h"
#include "policy/files/publisher_list.h"

#define MEMBERS_SKEW (8 * 3600) /* seconds that two clocks may be apart */

enum member_why {
	MEMBER_FOLLOWED,
	MEMBER_UNHEARD,     /* its chain is here, and it has no beat */
	MEMBER_SHARE,       /* it says another share's name */
	MEMBER_CERTIFICATE, /* none of a publisher that this host is confirmed by, or revoked */
	MEMBER_CUSTOMER,    /* its certificate is another customer's */
	MEMBER_BACK,        /* its clock or its head went back: an old beat */
	MEMBER_FORKED,      /* it signed two chains: no more of it is taken */
	MEMBER_LEDGER,      /* its chain cannot be kept here: the log says why */
};
#define MEMBER_WHYS (MEMBER_LEDGER + 1)
const char *member_why_name(enum member_why why);  /* for rows */
const char *member_why_words(enum member_why why); /* for a sentence about the host */

struct member {
	uint8_t host[16];
	bool chain;           /* it is in the ledger */
	enum member_why why;  /* CHAIN, but forked or an old beat: still a member */
	enum member_why said; /* of these the log has this one, if told */
	bool told;
	bool beats; /* beat says something, and that at: */
	int64_t at; /* ms */
	struct beat beat;
	uint64_t last; /* of its chain, on disk here */
	bool knows;    /* a beat of this run said that it has heard this host; its head then: */
	uint64_t goal;
	uint64_t fetching; /* token of the FETCH under way; 0: none */
	bool up_to;        /* the next FETCH asks for the parcel that a batch is in */
	int64_t fetch_at;  /* ms; not before */
	uint64_t given;    /* batch in which rights were given to it last; 0: by an earlier run */
	uint64_t behind;   /* what it had of the own chain when it was last looked at, */
	int64_t behind_at; /* and when that was something new, ms */
};

struct members {
	struct member at[SHARE_MEMBERS];
	unsigned count;
};

/* The member; NULL: none. */
struct member *members_find(struct members *m, const uint8_t host[16]);
/* The same, made if there is room: in place of one that is nobody's chain, if it must be. NULL. */
struct member *members_add(struct members *m, const uint8_t host[16]);

/* Is the host of that beat one to be followed? Of what its certificates say alone. */
enum member_why members_judge(const struct publishers *publishers, const struct beat *b);
/*
 * A beat as it came, from the place of a host: the member, whose beat is the newest one now; NULL:
 * it is not a beat of that host, or there is no room. why says which of the rules above it breaks.
 */
struct member *members_take(struct members *m, const struct publishers *publishers,
    const char *share, const uint8_t host[16], const uint8_t *octets, size_t len, int64_t now);

/*
 * Have all members heard this host, and has it what they had when they first said so? What they did
 * later, they did with this host in mind. So a host that takes their batches more slowly than they
 * write them joins, too.
 */
bool members_know(struct members *m, const uint8_t own[16]);
/* Up to which batch all other members have that host's chain. Without others: up to any. */
uint64_t members_heard(const struct members *m, const uint8_t host[16]);
/* The member whose clock is farthest from now, if that is beyond MEMBERS_SKEW; else NULL. */
const struct member *members_skewed(const struct members *m, uint64_t now, int64_t ms);

#endif
