/*
 * audit_rules.c - see audit_rules.h. Only what a lease itself contradicts is a contradiction. A
 * pack or a clock that changed at that moment can make an honest host break each other rule for
 * one batch, so those are left to be explained.
 */
#include "kmsctl/issue/audit_rules.h"

#include <string.h>

void
audit_rules_policy(struct audit_rules *r, const struct entry_admin *e)
{
	if (!audit_documents_ours(r->documents, e->subject))
		return;
	r->pack = NULL;
	for (unsigned i = 0; i < r->pack_count; i++)
		if (memcmp(r->packs[i].digest, e->digest, sizeof(e->digest)) == 0)
			r->pack = r->packs[i].pack;
}

/* That of the entry, by the pack in force; NULL: not known. */
static const struct policy_pool *
pool_of(const struct audit_rules *r, const struct entry_client *e)
{
	const struct policy_pack *p = r->pack;

	for (unsigned i = 0; p != NULL && i < p->pool_count; i++)
		if (p->pools[i].number == e->pool)
			return &p->pools[i];
	return NULL;
}

/* Of the certificate and of the pool, where it is known; 0: no limit. */
static uint32_t
capacity_of(const struct audit_rules *r, const struct entry_client *e)
{
	const struct policy_host host = { .capacity = audit_documents_capacity(r->documents, e) };
	const struct policy_pool *pool = pool_of(r, e);

	return pool != NULL ? policy_capacity(pool, &host) : host.capacity;
}

/* Seats beyond it, of an entry that says that it has one: the publisher's pack allows them. */
static uint32_t
overdraft_of(const struct audit_rules *r, const struct entry_client *e, uint32_t capacity)
{
	const struct policy_pool *pool = pool_of(r, e);

	return pool != NULL && (e->flags & ENTRY_OVERDRAFT) != 0 ? policy_overdraft(pool, capacity)
								 : 0;
}

static void
check_capacity(const struct audit_rules *r, const struct entry_client *e, uint64_t batch,
    enum audit_join joins, const struct audit_recount *recount, struct audit_findings *f)
{
	uint32_t capacity = capacity_of(r, e);
	uint64_t count = e->count;

	if (capacity == 0 || (r->whole && joins == JOIN_NONE))
		return;
	if (r->whole && joins == JOIN_TOO_MANY) {
		audit_find(f, AUDIT_RECOUNT, HISTORY_UNEXPLAINED, batch, 1,
		    "pool %u has seats that end at more than %d different minutes: a client was not counted",
		    e->pool, AUDIT_SLOTS);
		return;
	}
	if (r->whole)
		count = audit_recount_at(recount, e->pool, policy_minute(e->time));
	if (count > capacity && count - capacity <= overdraft_of(r, e, capacity))
		audit_find(f, AUDIT_OVERDRAFT, HISTORY_NOTE, batch, 1,
		    "a client was counted beyond the capacity, within the overdraft of the pack: the first time as number %llu of %u in pool %u",
		    (unsigned long long)count, capacity, e->pool);
	else if (count > capacity)
		audit_find(f, AUDIT_CAPACITY, HISTORY_UNEXPLAINED, batch, 1,
		    "a client was counted beyond the capacity%s: the first time as number %llu of %u in pool %u",
		    r->whole ? "" : ", as the entry itself says", (unsigned long long)count,
		    capacity, e->pool);
}

/* A host could keep its count low with entries that take the seats before it gives the leases. */
static void
check_counted(enum audit_counts counts, uint64_t batch, struct audit_findings *f)
{
	if (counts == COUNTS_REVOKED)
		audit_find(f, AUDIT_UNCOUNTED, HISTORY_UNEXPLAINED, batch, 1,
		    "the host served a client that cannot count: the first time, the client was revoked");
	else if (counts == COUNTS_EARLIER)
		audit_find(f, AUDIT_UNCOUNTED, HISTORY_UNEXPLAINED, batch, 1,
		    "the host served a client that cannot count: the first time, an earlier entry has the same or a higher sequence number");
}

/* A lease that was borrowed may be as long as the pool lends. */
static uint32_t
longest(const struct audit_rules *r, const struct policy_product *p, const struct entry_client *e)
{
	const struct policy_pool *pool = pool_of(r, e);

	return pool != NULL && (e->flags & ENTRY_BORROWED) != 0 && pool->borrow > p->validity
		   ? pool->borrow
		   : p->validity;
}

static void
check_pack(const struct audit_rules *r, const struct entry_client *e, uint64_t batch,
    struct audit_findings *f)
{
	const struct policy_product *p =
	    r->pack != NULL ? policy_product_find(r->pack, e->product) : NULL;
	uint64_t minutes = (e->expires - e->time) / 60;

	if (p == NULL)
		return;
	if (e->expires - e->time > UINT64_C(60) * longest(r, p, e))
		audit_find(f, AUDIT_PACK_VALIDITY, HISTORY_UNEXPLAINED, batch, 1,
		    "a lease is longer than the pack in force allows: the first lasts %llu minutes instead of %u",
		    (unsigned long long)minutes, longest(r, p, e));
	if (e->required < p->threshold || e->count < p->threshold)
		audit_find(f, AUDIT_PACK_THRESHOLD, HISTORY_UNEXPLAINED, batch, 1,
		    "a lease is below the threshold of the pack in force: the first has count %u and required %u, but the pack requires %u",
		    e->count, e->required, p->threshold);
}

/* A host could number pools as it likes, and have a capacity in each. */
static void
check_pool(const struct audit_rules *r, const struct entry_client *e, uint64_t batch,
    struct audit_findings *f)
{
	const struct policy_product *p =
	    r->pack != NULL ? policy_product_find(r->pack, e->product) : NULL;

	if (p != NULL && r->pack->pools[p->pool].number != e->pool)
		audit_find(f, AUDIT_PACK_POOL, HISTORY_UNEXPLAINED, batch, 1,
		    "a client was counted in another pool than the pack in force has for its product: the first in pool %u instead of %u",
		    e->pool, r->pack->pools[p->pool].number);
}

void
audit_rules_entry(const struct audit_rules *r, const struct entry_client *e, uint64_t batch,
    const struct audit_act *act, const struct audit_recount *recount, struct audit_findings *f,
    bool *covered)
{
	*covered = true;
	check_capacity(r, e, batch, act->joins, recount, f);
	check_counted(act->counts, batch, f);
	check_pool(r, e, batch, f);
	if (e->kind != ENTRY_LEASE)
		return;
	if (!(*covered = audit_documents_cover(r->documents, e)))
		audit_find(f, AUDIT_NOT_COVERED, HISTORY_UNEXPLAINED, batch, 1,
		    "a lease is not covered: no certificate includes its product, its time and its end");
	if (e->count < e->required)
		audit_find(f, AUDIT_THRESHOLD, HISTORY_CONTRADICTION, batch, 1,
		    "a lease was given below the threshold: the first at count %u of %u", e->count,
		    e->required);
	check_pack(r, e, batch, f);
}
