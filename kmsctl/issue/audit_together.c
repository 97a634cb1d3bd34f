/*
 * audit_together.c - see audit_together.h.
 */
#include "kmsctl/issue/audit_together.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/batch.h"
#include "libkms/kms_error.h"
#include "policy/policy.h"
#include "policy/values.h"

struct id_row {
	uint8_t id[16];
};
struct key_row {
	uint8_t id[8];
};
/* A product that has seats in the pool. */
struct sold_row {
	uint8_t key[18]; /* pool 2, product 16 */
};
struct paper_row {
	uint8_t key[24]; /* host 16, serial 8 */
	struct certificate certificate;
};

void
audit_together_init(struct audit_together *t)
{
	memset(t, 0, sizeof(*t));
	audit_table_init(&t->hosts, sizeof(struct id_row), 16);
	audit_table_init(&t->keys, sizeof(struct key_row), 8);
	audit_table_init(&t->sold, sizeof(struct sold_row), sizeof(((struct sold_row *)0)->key));
	audit_table_init(
	    &t->certificates, sizeof(struct paper_row), sizeof(((struct paper_row *)0)->key));
	audit_clients_init(&t->all);
	t->report.first_time = UINT64_MAX;
}

void
audit_together_free(struct audit_together *t)
{
	audit_table_free(&t->hosts);
	audit_table_free(&t->keys);
	audit_table_free(&t->sold);
	audit_table_free(&t->certificates);
	audit_clients_free(&t->all);
	audit_spans_free(&t->spans);
	audit_report_free(&t->report);
}

bool
audit_together_ours(const struct audit_together *t, const uint8_t publisher[8])
{
	return audit_table_find(&t->keys, publisher) != NULL;
}

/* -- chain by chain -- */

static void
put_pool(uint8_t out[2], uint16_t pool)
{
	out[0] = (uint8_t)(pool >> 8);
	out[1] = (uint8_t)pool;
}

int
audit_together_seat(struct audit_together *t, const struct entry_client *e)
{
	uint8_t key[18];

	put_pool(key, e->pool);
	memcpy(key + 2, e->product, 16);
	return audit_table_at(&t->sold, key) != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

static int
take_documents(struct audit_together *t, const struct audit_documents *d)
{
	for (unsigned i = 0; i <= d->keys.count; i++)
		if (audit_table_at(&t->keys, publisher_keys_at(&d->keys, i)->id) == NULL)
			return KMS_E_NO_MEMORY;
	for (unsigned i = 0; i < d->count; i++) {
		const struct certificate *c = &d->certificates[i];
		struct paper_row *row;
		struct wire_writer w;
		uint8_t key[24];

		wire_writer_init(&w, key, sizeof(key));
		wire_put(&w, d->host, 16);
		wire_put_u64(&w, c->serial);
		if ((row = audit_table_at(&t->certificates, key)) == NULL)
			return KMS_E_NO_MEMORY;
		row->certificate = *c;
	}
	return KMS_OK;
}

static uint32_t
host_number(struct audit_together *t, const uint8_t host[16])
{
	struct id_row *row = audit_table_at(&t->hosts, host);

	return row != NULL ? (uint32_t)((size_t)((uint8_t *)row - t->hosts.rows) / sizeof(*row)) + 1
			   : 0;
}

int
audit_together_take(struct audit_together *t, const struct audit_documents *d,
    const struct audit_clients *c, const struct audit_report *r)
{
	struct audit_report *sum = &t->report;
	uint32_t host = host_number(t, d->host);
	int rc;

	if (host == 0)
		return KMS_E_NO_MEMORY;
	sum->batches += r->batches;
	sum->entries += r->entries;
	sum->leases += r->leases;
	sum->beyond += r->beyond;
	audit_refusals_join(&sum->refusals, &r->refusals);
	if (r->first_time < sum->first_time)
		sum->first_time = r->first_time;
	if (r->last_time > sum->last_time)
		sum->last_time = r->last_time;
	if ((rc = take_documents(t, d)) != KMS_OK)
		return rc;
	return audit_clients_into(&t->all, c, host);
}

/* -- what was sold -- */

/* No limit is more than any. */
#define NO_LIMIT AUDIT_NO_LIMIT

static bool
has_pool(const struct audit_together *t, const struct certificate *c, uint16_t pool)
{
	uint8_t key[18];

	put_pool(key, pool);
	for (unsigned i = 0; i < c->product_count; i++) {
		memcpy(key + 2, c->products[i], 16);
		if (audit_table_find(&t->sold, key) != NULL)
			return true;
	}
	return false;
}

/* The minutes in which a certificate may be in force, both included. */
static uint64_t
first_minute(const struct certificate *c)
{
	uint64_t issued = c->issued > BATCH_SKEW ? c->issued - BATCH_SKEW : 0;

	return (issued > c->not_before ? issued : c->not_before) / 60;
}

static bool
in_force(const struct certificate *c, uint64_t minute)
{
	return minute >= first_minute(c) && minute <= c->not_after / 60;
}

static const struct certificate *
certificate_at(const struct audit_together *t, size_t i)
{
	return &((const struct paper_row *)audit_table_row(&t->certificates, i))->certificate;
}

/* The largest capacity of the host key; was there one before it in the list? 0 if so. */
static uint64_t
key_capacity(const struct audit_together *t, size_t first, uint16_t pool, uint64_t minute)
{
	const uint8_t *key = certificate_at(t, first)->host_key_id;
	uint64_t most = 0;

	for (size_t i = 0; i < t->certificates.count; i++) {
		const struct certificate *c = certificate_at(t, i);

		if (memcmp(c->host_key_id, key, 16) != 0 || !in_force(c, minute) ||
		    !has_pool(t, c, pool))
			continue;
		if (i < first)
			return 0;
		if (c->capacity == 0)
			return NO_LIMIT;
		if (c->capacity > most)
			most = c->capacity;
	}
	return most;
}

/* All that was sold for the pool at that time: host keys add up, hosts of one do not. */
static uint64_t
sold_at(const struct audit_together *t, uint16_t pool, uint64_t minute)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->certificates.count; i++) {
		const struct certificate *c = certificate_at(t, i);
		uint64_t one;

		if (!in_force(c, minute) || !has_pool(t, c, pool))
			continue;
		if ((one = key_capacity(t, i, pool, minute)) == NO_LIMIT)
			return NO_LIMIT;
		sum += one;
	}
	return sum > 0 ? sum : NO_LIMIT;
}

/* The packs that were given allow as much as the one that allows the most. */
static uint64_t
pack_limit(const struct audit_together *t, uint16_t number, uint64_t sold)
{
	uint64_t most = 0;

	if (t->pack_count == 0)
		return sold;
	for (unsigned i = 0; i < t->pack_count; i++) {
		const struct policy_pack *p = t->packs[i].pack;
		uint64_t limit = sold;
		uint16_t overdraft = 0;

		for (unsigned n = 0; n < p->pool_count; n++) {
			if (p->pools[n].number != number)
				continue;
			overdraft = p->pools[n].overdraft;
			if (p->pools[n].capacity != 0 && p->pools[n].capacity < limit)
				limit = p->pools[n].capacity;
		}
		if (limit != NO_LIMIT)
			limit += (limit * overdraft + 99) / 100;
		if (limit > most)
			most = limit;
	}
	return most;
}

/* What was sold changes when a certificate begins, and is less when one ends. */
uint64_t
audit_together_most(const struct audit_together *t, uint16_t pool)
{
	uint64_t most = 0;

	for (size_t i = 0; i < t->certificates.count; i++) {
		uint64_t minute = first_minute(certificate_at(t, i)),
			 limit = pack_limit(t, pool, sold_at(t, pool, minute));

		if (limit > most)
			most = limit;
	}
	return most;
}

/* -- the capacity of all -- */

struct worst {
	const struct audit_together *t;
	uint16_t pool;
	uint64_t count, limit; /* at the worst minute; count 0: none is beyond */
	uint32_t minute;
	struct audit_peak peak;
	/* What the limit was when it was last looked up: certificates change rarely. */
	uint64_t until, known;
};

/* The first minute after this one at which another set of certificates may be in force. */
static uint64_t
next_change(const struct audit_together *t, uint64_t minute)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < t->certificates.count; i++) {
		const struct certificate *c = certificate_at(t, i);
		const uint64_t at[2] = { first_minute(c), c->not_after / 60 + 1 };

		for (unsigned n = 0; n < 2; n++)
			if (at[n] > minute && at[n] < next)
				next = at[n];
	}
	return next;
}

static int
rise(void *arg, uint32_t minute, uint64_t count)
{
	struct worst *w = arg;

	if (minute >= w->until) {
		w->known = pack_limit(w->t, w->pool, sold_at(w->t, w->pool, minute));
		w->until = next_change(w->t, minute);
	}
	if (count > w->peak.count)
		w->peak = (struct audit_peak){ w->pool, count, minute,
			w->known != NO_LIMIT ? w->known : 0 };
	if (count <= w->known)
		return KMS_OK;
	if (w->count > 0 && count - w->known <= w->count - w->limit)
		return KMS_OK;
	w->count = count;
	w->limit = w->known;
	w->minute = minute;
	return KMS_OK;
}

static int
check_pool(struct audit_together *t, uint16_t pool, uint32_t first, uint32_t last)
{
	struct worst w = { .t = t, .pool = pool };
	char when[VALUE_TIME + 1] = "";
	int rc = audit_spans_sweep(&t->spans, pool, first, last, rise, &w);

	if (rc == KMS_OK && w.peak.count > 0 && t->peak_count < AUDIT_POOLS)
		t->peaks[t->peak_count++] = w.peak;
	if (rc != KMS_OK || w.count == 0)
		return rc;
	(void)value_time_format(when, w.minute * UINT64_C(60));
	audit_find(&t->report.findings, AUDIT_HOSTS_CAPACITY, HISTORY_UNEXPLAINED, 0, 1,
	    "all hosts together counted %llu different clients in pool %u at %s, and the capacity that was sold is %llu",
	    (unsigned long long)w.count, pool, when, (unsigned long long)w.limit);
	return KMS_OK;
}

static int
check_capacity(struct audit_together *t)
{
	const struct audit_report *r = &t->report;
	uint32_t first = policy_minute(t->from > r->first_time ? t->from : r->first_time),
		 last = policy_minute(t->to < r->last_time ? t->to : r->last_time);
	int rc = KMS_OK;

	/* After the merge, the rows of a pool are behind each other. */
	for (size_t i = 0; i < t->spans.count && rc == KMS_OK; i++) {
		const struct audit_span_row *row = &t->spans.rows[i];

		if (row->seat && (i == 0 || !row[-1].seat || row[-1].pool != row->pool))
			rc = check_pool(t, row->pool, first, last);
	}
	return rc;
}

int
audit_together_end(struct audit_together *t)
{
	struct audit_report *r = &t->report;
	int rc = audit_clients_count(&t->all, &r->clients, r->products, &r->product_count);

	audit_spans_merge(&t->spans);
	for (size_t i = 0; i < t->spans.count && rc == KMS_OK; i++) {
		const struct audit_span_row *row = &t->spans.rows[i];

		rc = audit_recount_span(&t->all.recount, row->pool, row->from, row->end, row->seat);
	}
	if (rc == KMS_OK)
		rc = audit_report_days(r, &t->all.recount, t->from, t->to);
	return rc == KMS_OK ? check_capacity(t) : rc;
}
