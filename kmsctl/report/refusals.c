/*
 * refusals.c - see refusals.h.
 */
#include "kmsctl/report/refusals.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/ledger/clients.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "kmsctl/ledger/recent.h"
#include "kmsctl/ledger/usage_read.h"
#include "libkms/base/grow.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

#define DAY 86400
#define ENTRIES_MAX 200000 /* refusals that are taken from the journal */

/* Of a pool, with a status, in a period. */
struct cause {
	uint8_t publisher[8];
	uint16_t pool, status;
	uint32_t begin; /* day; 0: of the whole time */
	uint64_t refusals;
};
/* Of a client, with a status. */
struct refused {
	uint8_t cmid[16], product[16], publisher[8], address[16];
	uint16_t pool;
	uint32_t status;
	uint64_t times, first, last;
	char name[MESSAGE_NAME + 1];
};
struct report {
	const struct report_pools *pools;
	const struct refusals_wanted *wanted;
	struct cause *causes;
	size_t cause_count, cause_room;
	struct refused *list;
	size_t count, room;
	bool full, failed;
};

/* -- how often -- */

static int
add_cause(const struct kmsdb_usage *u, void *arg)
{
	struct report *r = arg;
	struct cause *more;
	uint32_t begin = r->wanted->by != NULL ? period_begin(u->day, *r->wanted->by) : 0;
	size_t i = 0;

	if (u->status == 0 || !report_pools_wanted(r->pools, u->publisher, u->pool))
		return 0;
	while (
	    i < r->cause_count && (r->causes[i].status != u->status ||
				      r->causes[i].pool != u->pool || r->causes[i].begin != begin ||
				      memcmp(r->causes[i].publisher, u->publisher, 8) != 0))
		i++;
	if (i == r->cause_count) {
		if ((more = grow_list(r->causes, i, &r->cause_room, sizeof(*more))) == NULL)
			return KMS_E_NO_MEMORY;
		r->causes = more;
		r->causes[i] =
		    (struct cause){ .pool = u->pool, .status = u->status, .begin = begin };
		memcpy(r->causes[i].publisher, u->publisher, 8);
		r->cause_count++;
	}
	r->causes[i].refusals += u->refusals;
	return 0;
}

static int
by_refusals(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;
	int order = (x->begin > y->begin) - (x->begin < y->begin);

	return order != 0 ? order : (x->refusals < y->refusals) - (x->refusals > y->refusals);
}

static void
print_causes(struct ctl *ctl, const struct report *r)
{
	char publisher[POOL_TEXT], pool[POOL_TEXT], period[PERIOD_TEXT];
	struct output *o = ctl->out;

	if (r->cause_count == 0 && r->count > 0 && r->pools->running)
		output_line(o, OUTPUT_PLAIN,
		    "kmsd counts refusals once a minute: for how often, ask again in a minute.");
	output_list(o, "causes", r->cause_count > 0 ? "How often, by whole days (UTC)" : NULL);
	for (size_t i = 0; i < r->cause_count; i++) {
		const struct cause *c = &r->causes[i];
		const struct kms_error *e = kms_error_find(c->status);

		report_pool_names(r->pools, c->publisher, c->pool, publisher, pool);
		output_row(o);
		if (r->wanted->by != NULL) {
			period_text(period, c->begin, *r->wanted->by);
			output_text(o, "period", period_title(*r->wanted->by), period);
		}
		output_number(o, "refusals", "Refusals", c->refusals);
		output_text(o, "publisher", "Publisher", publisher);
		output_text(o, "pool", "Pool", pool);
		output_number(o, "status", NULL, c->status);
		output_text(o, "symbol", "Refused with", e->symbol);
		output_text(o, "meaning", "Because", e->meaning);
		output_text(o, "remedy", NULL, e->remedy);
	}
	output_end(o);
}

/* -- who -- */

static void
add_entry(const struct entry_client *e, const struct aside *names, uint64_t batch, void *arg)
{
	struct report *r = arg;
	struct refused *one;

	(void)batch;
	if (e->kind != ENTRY_REFUSAL || e->time < r->wanted->from || e->time > r->wanted->to ||
	    !report_pools_wanted(r->pools, e->publisher, e->pool))
		return;
	r->full |= r->count == ENTRIES_MAX;
	if (r->full || r->failed)
		return;
	if ((one = grow_list(r->list, r->count, &r->room, sizeof(*one))) == NULL) {
		r->failed = true;
		return;
	}
	r->list = one;
	one = &r->list[r->count++];
	*one = (struct refused){ .pool = e->pool, .status = e->status, .times = 1 };
	one->first = one->last = e->time;
	memcpy(one->cmid, e->cmid, 16);
	memcpy(one->product, e->product, 16);
	memcpy(one->publisher, e->publisher, 8);
	memcpy(one->address, names->address, 16);
	memcpy(one->name, names->name, sizeof(one->name));
}

static int
by_client(const void *a, const void *b)
{
	const struct refused *x = a, *y = b;
	int order = memcmp(x->cmid, y->cmid, 16);

	if (order == 0)
		order = (x->status > y->status) - (x->status < y->status);
	return order != 0 ? order : (x->last > y->last) - (x->last < y->last);
}

static int
by_times(const void *a, const void *b)
{
	const struct refused *x = a, *y = b;
	int order = (x->times < y->times) - (x->times > y->times);

	return order != 0 ? order : (x->last < y->last) - (x->last > y->last);
}

/* One row for each client and status; its names are the newest. */
static void
join(struct report *r)
{
	size_t kept = 0;

	if (r->count == 0)
		return;
	qsort(r->list, r->count, sizeof(*r->list), by_client);
	for (size_t i = 1; i < r->count; i++) {
		struct refused *last = &r->list[kept], *next = &r->list[i];

		if (last->status == next->status && memcmp(last->cmid, next->cmid, 16) == 0) {
			next->times += last->times;
			next->first = last->first;
			*last = *next;
		} else {
			r->list[++kept] = *next;
		}
	}
	r->count = kept + 1;
	qsort(r->list, r->count, sizeof(*r->list), by_times);
}

static void
print_clients(struct ctl *ctl, const struct report *r)
{
	size_t shown = r->count < r->wanted->limit ? r->count : r->wanted->limit;
	char cmid[33], product[37];
	struct output *o = ctl->out;
	struct products products = { 0 };

	products_ask(ctl, &products);
	output_list(o, "clients", "Who");
	output_columns(
	    o, "name,address,cmid,product_name,product,status,symbol,times,first,last,remedy");
	for (size_t i = 0; i < shown; i++) {
		const struct refused *c = &r->list[i];
		const struct kms_error *e = kms_error_find(c->status);
		const char *name = products_name(&products, c->product);

		hex_format(cmid, c->cmid, 16);
		uuid_format(product, c->product);
		if (!ctl->json && !ctl->csv && !ctl->html)
			cmid[CLIENT_SHORT_CMID] = '\0';
		output_row(o);
		output_text(o, "name", "Name", c->name[0] != '\0' ? c->name : NULL);
		client_print_address(o, "Address", c->address);
		output_text(o, "cmid", "CMID", cmid);
		output_text(o, "product_name", "Product",
		    name != NULL || ctl->json || ctl->csv ? name : product);
		output_text(o, "product", NULL, product);
		output_number(o, "status", NULL, c->status);
		output_text(o, "symbol", "Refused with", e->symbol);
		output_number(o, "times", "Recorded", c->times);
		output_time(o, "first", NULL, c->first);
		output_time(o, "last", "Last", c->last);
		output_text(o, "remedy", NULL, e->remedy);
	}
	output_end(o);
	products_free(&products);
	output_number(o, "shown", NULL, shown);
	output_number(o, "found", NULL, r->count);
	output_bool(o, "complete", NULL, shown == r->count && !r->full);
	if (shown < r->count)
		output_line(o, OUTPUT_PLAIN, "%zu more are not shown: use a higher --limit",
		    r->count - shown);
	if (r->full)
		output_line(o, OUTPUT_WARN,
		    "The journal has more than %d refusals of that time: use a later --from",
		    ENTRIES_MAX);
}

/* The status of a cause or, behind these, of a client. */
static uint32_t
status_at(const struct report *r, size_t i)
{
	return i < r->cause_count ? r->causes[i].status : r->list[i - r->cause_count].status;
}

/* What each cause means and what to do about it, once. */
static void
print_remedies(struct ctl *ctl, const struct report *r)
{
	bool told[UINT8_MAX + 1] = { false };

	for (size_t i = 0; i < r->cause_count + r->count; i++) {
		const struct kms_error *e = kms_error_find(status_at(r, i));

		if (e->status > UINT8_MAX || told[e->status])
			continue;
		told[e->status] = true;
		output_line(ctl->out, OUTPUT_PLAIN, "%s: %s. %s", e->symbol, e->meaning, e->remedy);
	}
}

static int
print(struct ctl *ctl, struct report *r, const struct recent *searched)
{
	join(r);
	if (r->cause_count > 0)
		qsort(r->causes, r->cause_count, sizeof(*r->causes), by_refusals);
	/* CSV has the first list alone: there, who it was. */
	if (!ctl->csv)
		print_causes(ctl, r);
	print_clients(ctl, r);
	if (r->cause_count == 0 && r->count == 0)
		output_line(ctl->out, OUTPUT_GOOD, "No client was refused in that time.");
	else if (!ctl->csv)
		print_remedies(ctl, r);
	if (searched->from_time > r->wanted->from && !searched->whole)
		recent_print(ctl, searched);
	return CTL_OK;
}

int
report_refusals(
    struct ctl *ctl, const struct report_pools *pools, const struct refusals_wanted *wanted)
{
	struct report r = { .pools = pools, .wanted = wanted };
	struct fault fault = { 0 };
	struct recent searched;
	int code, rc = usage_read(ctl, wanted->from, wanted->to, add_cause, &r, &fault);

	if (rc != KMS_OK)
		code = ledger_failed(ctl, rc, &fault);
	else
		code = recent_read(ctl, &searched, wanted->all, add_entry, &r);
	if (code == CTL_OK)
		code = r.failed ? fail(ctl, KMS_E_NO_MEMORY, "too many refusals")
				: print(ctl, &r, &searched);
	free(r.causes);
	free(r.list);
	return code;
}
