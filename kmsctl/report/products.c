/*
 * products.c - see products.h.
 */
#include "kmsctl/report/products.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/ledger/client_filter.h"
#include "kmsctl/ledger/clients.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/base/fault.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

#define PRODUCTS_MAX 4096
#define DAY 86400

struct sum {
	uint8_t product[16], publisher[8];
	uint16_t pool;
	uint32_t begin; /* day; 0: of the whole time */
	uint64_t clients, counted, activated, virtual, revoked, first, seen;
};
struct sums {
	const struct report_pools *pools;
	uint64_t from, to, now;
	const enum period_by *by;
	struct sum *list; /* PRODUCTS_MAX */
	size_t count;
};

static struct sum *
sum_of(struct sums *s, const struct kmsdb_client *c, uint32_t begin)
{
	struct sum *one;

	for (size_t i = s->count; i-- > 0;)
		if (memcmp(s->list[i].product, c->product, 16) == 0 && s->list[i].pool == c->pool &&
		    s->list[i].begin == begin && memcmp(s->list[i].publisher, c->publisher, 8) == 0)
			return &s->list[i];
	if (s->count == PRODUCTS_MAX)
		return NULL;
	one = &s->list[s->count++];
	memcpy(one->product, c->product, 16);
	memcpy(one->publisher, c->publisher, 8);
	one->pool = c->pool;
	one->begin = begin;
	return one;
}

static bool
within(const struct sums *s, uint64_t time)
{
	return time >= s->from && time <= s->to;
}

static int
add_periods(struct sums *s, const struct kmsdb_client *c, uint64_t first_seen)
{
	struct sum *one;

	if (within(s, first_seen)) {
		one = sum_of(s, c, period_begin((uint32_t)(first_seen / DAY), *s->by));
		if (one == NULL)
			return KMS_E_LIMIT;
		one->first++;
	}
	if (within(s, c->last_seen)) {
		one = sum_of(s, c, period_begin((uint32_t)(c->last_seen / DAY), *s->by));
		if (one == NULL)
			return KMS_E_LIMIT;
		one->seen++;
	}
	return 0;
}

static int
add(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct sums *s = arg;
	struct sum *one;

	/* What was only ever refused is no client here. */
	if (c->kind == 0 || !c->seated || kmsdb_client_gone(c) ||
	    !report_pools_wanted(s->pools, c->publisher, c->pool))
		return 0;
	if (s->by != NULL)
		return add_periods(s, c, cold->first_seen);
	if ((one = sum_of(s, c, 0)) == NULL)
		return KMS_E_LIMIT;
	one->clients++;
	one->counted += client_counts(c, s->now);
	one->activated += strcmp(kmsdb_client_state(c, s->now), "activated") == 0;
	one->virtual += (c->flags & ENTRY_VM) != 0;
	one->revoked += (c->flags & KMSDB_REVOKED) != 0;
	one->first += within(s, cold->first_seen);
	one->seen += within(s, c->last_seen);
	return 0;
}

static int
by_product(const void *a, const void *b)
{
	const struct sum *x = a, *y = b;
	int order = (x->begin > y->begin) - (x->begin < y->begin);

	if (order == 0)
		order = memcmp(x->publisher, y->publisher, 8);
	return order != 0 ? order : memcmp(x->product, y->product, 16);
}

static void
print(struct ctl *ctl, const struct sums *s)
{
	char publisher[POOL_TEXT], pool[POOL_TEXT], id[37], period[PERIOD_TEXT];
	struct products products = { 0 };
	struct output *o = ctl->out;

	products_ask(ctl, &products);
	output_list(o, "products", NULL);
	output_columns(o,
	    s->by != NULL
		? "period,publisher,product_name,product,pool,first,seen"
		: "publisher,product_name,product,pool,clients,counted,activated,first,seen,virtual,revoked");
	for (size_t i = 0; i < s->count; i++) {
		const struct sum *one = &s->list[i];
		const char *name = products_name(&products, one->product);

		uuid_format(id, one->product);
		report_pool_names(s->pools, one->publisher, one->pool, publisher, pool);
		output_row(o);
		if (s->by != NULL) {
			period_text(period, one->begin, *s->by);
			output_text(o, "period", period_title(*s->by), period);
		}
		output_text(o, "publisher", "Publisher", publisher);
		output_text(o, "product_name", "Product", name != NULL ? name : id);
		output_text(o, "product", NULL, id);
		output_text(o, "pool", "Pool", pool);
		if (s->by == NULL) {
			output_number(o, "clients", "Clients", one->clients);
			output_number(o, "counted", "Counted", one->counted);
			output_number(o, "activated", "Activated", one->activated);
		}
		output_number(o, "first", "First seen then", one->first);
		output_number(o, "seen", "Last seen then", one->seen);
		if (s->by != NULL)
			continue;
		output_number(o, "virtual", "Virtual", one->virtual);
		output_number(o, "revoked", "Revoked", one->revoked);
	}
	output_end(o);
	products_free(&products);
}

int
report_clients(struct ctl *ctl, const struct report_pools *pools, uint64_t from, uint64_t to,
    const enum period_by *by)
{
	struct sums s = {
		.pools = pools, .from = from, .to = to, .now = (uint64_t)time(NULL), .by = by
	};
	struct fault fault = { 0 };
	int rc = KMS_E_NO_MEMORY, code = CTL_OK;

	s.list = calloc(PRODUCTS_MAX, sizeof(*s.list));
	if (s.list != NULL)
		rc = ledger_each_client(ctl, add, &s, &fault);
	if (rc == KMS_OK) {
		if (s.count > 0)
			qsort(s.list, s.count, sizeof(*s.list), by_product);
		print(ctl, &s);
	} else if (rc == KMS_E_LIMIT) {
		code = fail(ctl, KMS_E_LIMIT,
		    "the report has more than %d rows: use --by month, --pool or a later --from",
		    PRODUCTS_MAX);
	} else {
		code = ledger_failed(ctl, rc, &fault);
	}
	free(s.list);
	return code;
}
