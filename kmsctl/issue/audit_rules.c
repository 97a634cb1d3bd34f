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

/* Of the certificate and of the pool, where it is known; 0: no limit. */
static uint32_t
capacity_of(const struct audit_rules *r, const struct entry_client *e)
{
	struct policy_host host = { .capacity = audit_documents_capacity(r->documents, e) };
	const struct policy_pack *p = r->pack;

	for (unsigned i = 0; p != NULL && i < p->pool_count; i++)
		if (p->pools[i].number == e->pool)
			return policy_capacity(&p->pools[i], &host);
	return host.capacity;
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
	if (count > capacity)
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
		    "a client was served that cannot count: the first time, it was revoked");
	else if (counts == COUNTS_EARLIER)
		audit_find(f, AUDIT_UNCOUNTED, HISTORY_UNEXPLAINED, batch, 1,
		    "a client was served that cannot count: the first time, an earlier entry has a sequence number as high or higher");
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
	if (e->expires - e->time > UINT64_C(60) * p->validity)
		audit_find(f, AUDIT_PACK_VALIDITY, HISTORY_UNEXPLAINED, batch, 1,
		    "a lease is longer than the pack in force allows: the first lasts %llu minutes instead of %u",
		    (unsigned long long)minutes, p->validity);
	if (e->required < p->threshold || e->count < p->threshold)
		audit_find(f, AUDIT_PACK_THRESHOLD, HISTORY_UNEXPLAINED, batch, 1,
		    "a lease is below the threshold of the pack in force: the first has count %u and required %u, and the pack says %u",
		    e->count, e->required, p->threshold);
}

void
audit_rules_entry(const struct audit_rules *r, const struct entry_client *e, uint64_t batch,
    const struct audit_act *act, const struct audit_recount *recount, struct audit_findings *f,
    bool *covered)
{
	*covered = true;
	check_capacity(r, e, batch, act->joins, recount, f);
	check_counted(act->counts, batch, f);
	if (e->kind != ENTRY_LEASE)
		return;
	if (!(*covered = audit_documents_cover(r->documents, e)))
		audit_find(f, AUDIT_NOT_COVERED, HISTORY_UNEXPLAINED, batch, 1,
		    "a lease is not covered: no certificate has its product, and dates that include its time and its end");
	if (e->count < e->required)
		audit_find(f, AUDIT_THRESHOLD, HISTORY_CONTRADICTION, batch, 1,
		    "a lease was given below the threshold: the first at count %u of %u", e->count,
		    e->required);
	check_pack(r, e, batch, f);
}
