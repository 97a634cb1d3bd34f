/*
 * policy.h - a policy pack in memory and the decision about one request.
 *
 * Pure: no file, clock, global or allocation in policy_decide. pack.h reads
 * packs from ini text.
 */
#ifndef KMS_POLICY_POLICY_H
#define KMS_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/message.h"
#include "libkms/kms_error.h"

#define POLICY_NAME 64
#define POLICY_PRODUCTS 256
#define POLICY_GROUPS 32
#define POLICY_POOLS 32
#define POLICY_CONTACTS 64
#define POLICY_REQUIRES 8
#define POLICY_SKEW (4 * 3600) /* seconds either way, both ends included */

enum policy_rule { POLICY_ALLOW = 0, POLICY_FLAG = 1, POLICY_REFUSE = 2 };

struct policy_group {
	char name[33];
	/* bit i: covers group i; its own bit and all reached through others are set */
	uint32_t covers;
};
struct policy_pool {
	uint16_t number; /* 1.., unique in the pack, kept across versions */
	char name[33];
	uint32_t capacity; /* most clients counted; 0: the certificate's alone */
	/*
	 * Minutes that a client counts after it was seen, and to the end of its slot (entry.h). No
	 * whole number of days: the pool is floating, and each product's validity is below it.
	 */
	uint32_t window;
	bool stateless_refuse; /* clients that keep no state are refused */
	uint8_t overdraft;     /* percent of the capacity that may be given beyond it */
	uint32_t borrow;       /* minutes: the longest that a seat is lent for; 0: none is */
	uint32_t borrow_seats; /* most that are lent at once; 0: all */
	uint32_t reclaim; /* minutes: when it is full, a seat unseen for so long is taken back; 0:
			     none */
};
struct policy_product {
	uint8_t id[16];
	char name[POLICY_NAME + 1];
	uint8_t group;                /* index into groups: the narrowest group that covers it */
	uint8_t pool;                 /* index into pools */
	uint32_t threshold;           /* required count */
	uint32_t activation_interval; /* minutes between attempts while not activated */
	uint32_t renewal_interval;    /* minutes */
	uint32_t validity;            /* minutes a lease lives */
	uint32_t grace;               /* minutes a product may run before its first activation */
	enum policy_rule vm;          /* FLAG: count and mark */
	enum policy_rule clones;      /* of two holders of a key. FLAG: mark; ALLOW: say nothing */
	uint32_t clone_hold;          /* minutes; REFUSE: for how long both get nothing */
	bool bind;                    /* to the machine that asks first */
	bool bind_refuse;             /* another machine is refused, not only marked */
};
struct policy_contact {
	char country[3]; /* ISO 3166-1 alpha-2 */
	char text[129];  /* telephone, address, hours */
};
#define POLICY_AUDIT_KEEP (400 * 24 * 60) /* minutes, of a pack that does not say */
struct policy_pack {
	char id[POLICY_NAME + 1]; /* name that stays the same across versions */
	char title[POLICY_NAME + 1];
	uint16_t major, minor;     /* "1.2" */
	uint64_t issued;           /* seconds */
	uint16_t requires_host[3]; /* oldest version of kmsd that may use it; zeros: any */
	uint32_t audit_keep;       /* minutes that a host keeps its journal at least */
	/* versions, one of which must be installed first */
	char requires_any[POLICY_REQUIRES][16];
	char replaces[POLICY_REQUIRES][16];
	unsigned requires_count, replaces_count;
	struct policy_group groups[POLICY_GROUPS];
	unsigned group_count;
	struct policy_pool pools[POLICY_POOLS];
	unsigned pool_count;
	struct policy_product products[POLICY_PRODUCTS]; /* ascending by id */
	unsigned product_count;
	struct policy_contact contacts[POLICY_CONTACTS];
	unsigned contact_count;
};

const struct policy_product *policy_product_find(const struct policy_pack *p, const uint8_t id[16]);
int policy_group_find(const struct policy_pack *p, const char *name); /* -1: none */

/*
 * May next replace installed (NULL: nothing)? KMS_OK, KMS_E_PREREQUISITE, KMS_E_OLDER,
 * KMS_E_EXISTS (the same version).
 */
int policy_pack_succeeds(const struct policy_pack *next, const struct policy_pack *installed);

/* What the host may do, from its certificate. */
struct policy_host {
	bool installed;                 /* a host key of this publisher is installed */
	bool confirmed;                 /* and has a certificate */
	bool revoked;                   /* the publisher revoked its key, host or certificate */
	bool covered;                   /* the certificate names the product */
	uint64_t not_before, not_after; /* seconds; both included */
	uint32_t capacity;              /* 0: no limit */
	/* most renewals of a client in its renewal interval; 0: no limit. kms.ini says it */
	uint32_t renewals;
};

/* Most clients that may count in the pool on this host; 0: no limit. */
static inline uint32_t
policy_capacity(const struct policy_pool *pool, const struct policy_host *host)
{
	return pool->capacity != 0 && (host->capacity == 0 || pool->capacity < host->capacity)
		   ? pool->capacity
		   : host->capacity;
}
/* Seats that may be given beyond that capacity: a part of one counts as one. */
static inline uint32_t
policy_overdraft(const struct policy_pool *pool, uint32_t capacity)
{
	return (uint32_t)((capacity * UINT64_C(1) * pool->overdraft + 99) / 100);
}
/* One source that made so many clients, and a quarter of those of a pool, is worth a look. */
#define POLICY_SHARE_LEAST 50
#define POLICY_SHARE_PART 4

/* The request that was served last, among those that this one says it may come after. */
enum policy_after {
	POLICY_NOT_SAID, /* it says none, or this host does not know the id */
	POLICY_KNOWN,    /* it is there, or this host's ledger was set back since */
	POLICY_PASSED,   /* it is not: another holder may have been served meanwhile */
};

/* What the ledger knows about the client. known false: nothing; the rest is ignored. */
struct policy_client {
	bool known;
	bool released; /* gave its seat back: not counted now */
	bool revoked;
	bool counted;   /* counted in THIS product's pool within its window at now */
	bool overdraft; /* and its seat was given beyond the capacity */
	bool reclaimed; /* the host took its seat back, and it was not served since */
	/*
	 * Its seat for THIS product is borrowed: the minute until which it counts, and the second
	 * at which the lease ends; 0: it is not, or no longer counts.
	 */
	uint32_t borrowed;
	uint64_t borrowed_end;
	bool seen;              /* what it was served last is COUNT_TOO_LOW */
	uint64_t leased;        /* when it got its lease for THIS product; 0: not known, or none */
	bool old_certificate;   /* and the certificate was installed after that */
	uint64_t sequence;      /* highest seen; 0: none */
	uint8_t request_id[16]; /* of that sequence number */
	bool elsewhere;         /* and what it got for it is a lease of another host */
	bool echoed;            /* the request's echo is right */
	enum policy_after after;
	uint64_t held_until; /* seconds; 0: not held. Looked up if the row says that it is held */
	uint64_t caught_up;  /* seconds; 0: never. Looked up if echoed */
	/* the product that it was served for last, if that is another one. Looked up if echoed */
	const struct policy_product *before;
	bool bound; /* THIS product's binding follows. Looked up for a product with bind */
	uint8_t binding[MESSAGE_BINDING_SIZE];
};

/* A [class] of kms.ini. Which client belongs to which is the caller's to say. */
struct policy_class {
	uint32_t counted, next; /* as below */
	uint32_t reserve;       /* seats of the pool that are kept free for it */
	uint32_t limit;         /* most that it may have; 0: no limit of its own */
};
/*
 * What of the product's pool counts at now, the asking client included when client.counted. A next
 * is the minute at which the first of them no longer counts unless its client asks again; 0: none.
 */
struct policy_counters {
	uint32_t counted, next;
	uint32_t borrowed, next_borrowed;
	const struct policy_class *classes; /* those of the pool */
	unsigned class_count;
	/* Of these: the first that the client matches now, and that of its seat; NULL: none. */
	const struct policy_class *class, *seat_class;
	/*
	 * Several hosts count together: counted is what this one heard, and it may give so many
	 * seats to clients that do not count (rights.h). A right takes the place of a free seat.
	 */
	bool shared;
	uint64_t rights;
	/* The pool reclaims, and another client's seat may be taken: of that class, or of none. */
	bool victim;
	const struct policy_class *victim_class;
};

enum policy_outcome {
	POLICY_GRANT,        /* write ENTRY_LEASE, answer with the lease */
	POLICY_RECORD,       /* write ENTRY_SEEN: counted, no lease (count too low) */
	POLICY_RELEASE_SEAT, /* write ENTRY_RELEASE */
	POLICY_REPEAT,       /* same request again: send the same answer */
	POLICY_DENY,         /* write ENTRY_REFUSAL when it must be recorded */
};

struct policy_decision {
	enum policy_outcome outcome;
	enum kms_status status; /* KMS_OK for GRANT, RELEASE_SEAT and REPEAT */
	bool clone;             /* mark the entry ENTRY_CLONE */
	bool vm;                /* mark the entry ENTRY_VM */
	bool caught_up;         /* mark the entry ENTRY_CAUGHT_UP; never of a refusal */
	bool bound_other;       /* mark the entry ENTRY_BOUND_OTHER */
	bool overdraft; /* mark the entry ENTRY_OVERDRAFT; only GRANT and RECORD, as all up to until
			 */
	bool borrowed;  /* mark the entry ENTRY_BORROWED */
	bool reclaim;   /* GRANT: write ENTRY_RECLAIM of the victim before it */
	bool right;     /* mark the entry ENTRY_RIGHT; only GRANT and RECORD */
	bool keep_class; /* the seat keeps its class: that which matches now has no room */
	uint32_t until;  /* minutes: until when the client counts */
	/* DENY: anybody can have recorded such a request: nothing of it is written */
	bool stale;
	uint64_t highest;  /* SEQUENCE, with a challenge: what the client goes on from; else 0 */
	uint64_t hold_end; /* seconds: write ENTRY_HOLD; 0: none */
	/* GRANT: it comes at most `renewals` times in an interval, or once with a certificate */
	bool paced;
	uint32_t count; /* after this decision, as the client is told */
	uint32_t required;
	uint32_t activation_interval; /* minutes */
	uint32_t renewal_interval;    /* minutes */
	uint64_t expires;             /* seconds, GRANT only; never after host.not_after */
	uint64_t renew_after;         /* seconds, GRANT only */
	/* seconds: TOO_SOON, CLONE, CAPACITY, CLASS_FULL, RECLAIMED, BORROWED_OUT; 0: not known */
	uint32_t retry_after;
};

/*
 * Rules in order, the first that applies decides: product known (UNKNOWN_PRODUCT),
 * host key installed (NOT_ENABLED), confirmed (NOT_CONFIRMED), not revoked (KEY_INVALID; a release
 * goes on), product covered (NOT_COVERED), certificate dates (KEY_EXPIRED), clock skew (TIME_SKEW),
 * client revoked (REVOKED), repeat (equal number and request id: REPEAT, unless it was SEEN and the
 * threshold is reached now: then it goes on behind the sequence), hold (CLONE, but a higher number
 * must echo rightly before it is told so), sequence (lower or equal: SEQUENCE with a challenge;
 * higher after what was served last: goes on; otherwise with an echo that is not right, or after
 * another one without an echo: SEQUENCE with a challenge; with the right echo:
 * caught up, and if that is the second time within clone_hold, two holders alternate: by the
 * stricter rule of the products now and before, REFUSE -> CLONE and a hold, FLAG -> marked),
 * release (unknown or released client: UNKNOWN_CLIENT), virtual machine (VM_REFUSED), binding
 * (another than the row's or none: marked, or by bind_refuse BINDING, as is none at all), pace (a
 * counted client whose lease for this product is younger than its renewal interval divided by
 * host.renewals, and not from before the certificate: TOO_SOON, unless it says that it has no valid
 * lease, or asks to borrow), state (a pool that refuses clients without: STATELESS), borrow (the
 * pool lends none, not for so long, or the client keeps no state: BORROW; as many as borrow_seats
 * are out, and this client has none of them: BORROWED_OUT). Then, for a client not yet counted:
 * class (as many as the limit of its class are counted: CLASS_FULL), capacity (the smaller non-zero
 * of pool and host; what other classes lack to their reserves is in use, too): is there no free
 * seat, the victim's is taken, if its class keeps its reserve; else one beyond the capacity is
 * given, if the overdraft leaves one; else CAPACITY, RECLAIMED, or CLASS_FULL when what is free is
 * reserved. Then threshold (count with this client < threshold: RECORD with COUNT_TOO_LOW, else
 * GRANT). product NULL: no pack names it.
 *
 * A client that borrows has its lease for the time that it asks for, and counts until the slot ends
 * in which that does. A renewal that does not ask keeps both, until those of its own reach farther.
 */
void policy_decide(struct policy_decision *out, const struct policy_pack *pack,
    const struct policy_product *product, const struct policy_host *host,
    const struct policy_counters *counters, const struct policy_client *client,
    const struct message_request *request, uint64_t now);

/* Minutes since 1970: until when a client counts is told in them (entry.h). */
static inline uint32_t
policy_minute(uint64_t time)
{
	return time / 60 < UINT32_MAX ? (uint32_t)(time / 60) : UINT32_MAX;
}
/* Do the seats of the pool come back within minutes or hours, and not by the day? */
static inline bool
policy_floating(const struct policy_pool *pool)
{
	return pool->window % 1440 != 0;
}

#endif
