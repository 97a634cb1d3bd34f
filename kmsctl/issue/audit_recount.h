/*
 * audit_recount.h - how many clients each pool counted, from the entries alone (kms.journal(5),
 * COUNTING): at the moment at which one joins, to compare with the capacity, and at the end of
 * each day, beside those that held a lease.
 */
#ifndef KMSCTL_ISSUE_AUDIT_RECOUNT_H
#define KMSCTL_ISSUE_AUDIT_RECOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/issue/audit_spans.h"
#include "kmsctl/issue/audit_table.h"

#define AUDIT_POOLS 1024
#define AUDIT_SLOTS 8192 /* minutes, later than now, until which clients of a pool count */
#define AUDIT_DAY 1440   /* minutes */

/* A span of one client in a pool: from one minute to another, which is not in it. */
struct audit_span {
	bool open;
	bool listed; /* of a seat: it has its place in a slot */
	uint16_t pool;
	uint32_t from, until;
	size_t kept; /* audit_spans_add */
};
struct audit_slot {
	uint32_t until;
	uint32_t count;
};
struct audit_pool {
	uint16_t number;
	uint32_t latest;
	struct audit_slot *slots; /* ascending by until; each is of a client at least */
	size_t count, room;
};
struct audit_recount {
	unsigned pool_count;
	struct audit_pool pools[AUDIT_POOLS];
	struct audit_table days;   /* pool, day: how the two figures change */
	struct audit_spans *spans; /* keeps each span that ends; NULL: nobody does */
	const uint8_t *client;     /* CMID: whose spans the next call is about, if there is spans */
};
/* The two figures of a pool at the end of a day, and until the day of the next row. */
struct audit_day {
	uint16_t pool;
	uint32_t day; /* since 1970 */
	int64_t counted, holding;
};

/* What a seat is to the count of its pool. */
enum audit_join {
	JOIN_NONE,     /* it was counted already, or does not count */
	JOIN_MORE,     /* one more */
	JOIN_TOO_MANY, /* more than AUDIT_SLOTS would be needed: it was not counted */
};

void audit_recount_init(struct audit_recount *r);
void audit_recount_free(struct audit_recount *r);
/*
 * A seat is taken, or taken again. The figures of the days have it also when there are too many
 * minutes for the count. KMS_E_TOO_LARGE: too many pools; KMS_E_NO_MEMORY.
 */
int audit_recount_sit(struct audit_recount *r, struct audit_span *seat, uint16_t pool,
    uint32_t minute, uint32_t until, enum audit_join *joins);
/* It ends, or the lease does: at that minute, if it has not ended before. */
int audit_recount_leave(struct audit_recount *r, struct audit_span *seat, uint32_t minute);
int audit_recount_hold(struct audit_recount *r, struct audit_span *lease, uint16_t pool,
    uint32_t minute, uint32_t until);
int audit_recount_let_go(struct audit_recount *r, struct audit_span *lease, uint32_t minute);
/* For the days alone: somebody was counted, or held a lease, from one minute until another. */
int audit_recount_span(
    struct audit_recount *r, uint16_t pool, uint32_t from, uint32_t end, bool seat);
/* Clients of the pool whose counts until is later. */
uint64_t audit_recount_at(const struct audit_recount *r, uint16_t pool, uint32_t minute);
/*
 * After the last: every day on which a figure changes, by pool and day, with the figures. malloc'd.
 * KMS_E_NO_MEMORY.
 */
int audit_recount_days(struct audit_recount *r, struct audit_day **out, size_t *count);

#endif
