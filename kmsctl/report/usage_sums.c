/*
 * usage_sums.c - see usage_sums.h.
 */
#include "kmsctl/report/usage_sums.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/ledger/usage_read.h"
#include "libkms/base/grow.h"
#include "libkms/kms_error.h"

struct reading {
	const struct report_pools *pools;
	enum period_by by;
	struct usage_sums *out;
};

/* That of the row's pool and period; rows come in their order. NULL: memory. */
static struct usage_sum *
sum_of(struct reading *r, const struct kmsdb_usage *u)
{
	struct usage_sums *s = r->out;
	struct usage_sum *last = s->count > 0 ? &s->list[s->count - 1] : NULL;
	uint32_t begin = period_begin(u->day, r->by);

	if (last != NULL && last->begin == begin && last->pool == u->pool &&
	    memcmp(last->publisher, u->publisher, 8) == 0)
		return last;
	if ((last = grow_list(s->list, s->count, &s->room, sizeof(*last))) == NULL)
		return NULL;
	s->list = last;
	last = &s->list[s->count++];
	*last = (struct usage_sum){ .pool = u->pool, .begin = begin };
	memcpy(last->publisher, u->publisher, 8);
	return last;
}

static int
add(const struct kmsdb_usage *u, void *arg)
{
	struct reading *r = arg;
	struct usage_sum *sum;

	if (!report_pools_wanted(r->pools, u->publisher, u->pool))
		return 0;
	if ((sum = sum_of(r, u)) == NULL)
		return KMS_E_NO_MEMORY;
	sum->refusals += u->refusals;
	if (u->status != 0)
		return 0;
	sum->peak = u->peak > sum->peak ? u->peak : sum->peak;
	sum->end = u->end;
	sum->first += u->first;
	sum->renewals += u->renewals;
	sum->releases += u->releases;
	sum->clients = u->clients > sum->clients ? u->clients : sum->clients;
	return 0;
}

int
usage_sums_read(struct ctl *ctl, const struct report_pools *pools, uint64_t from, uint64_t to,
    enum period_by by, struct usage_sums *out, struct fault *fault)
{
	struct reading r = { pools, by, out };

	memset(out, 0, sizeof(*out));
	return usage_read(ctl, from, to, add, &r, fault);
}

int
usage_sums_today(struct ctl *ctl, const struct report_pools *pools, uint64_t now,
    struct usage_sums *out, struct fault *fault)
{
	struct reading r = { pools, PERIOD_DAY, out };

	memset(out, 0, sizeof(*out));
	return usage_ask(ctl, now, now, add, &r, fault);
}

void
usage_sums_free(struct usage_sums *s)
{
	free(s->list);
	memset(s, 0, sizeof(*s));
}

void
usage_sums_print(struct ctl *ctl, const struct usage_sums *s, const struct report_pools *pools,
    enum period_by by)
{
	char period[PERIOD_TEXT], publisher[POOL_TEXT], name[POOL_TEXT], products[POOL_PRODUCTS];
	struct output *o = ctl->out;

	output_list(o, "usage", NULL);
	output_columns(o,
	    "period,publisher,pool,products,peak,capacity,beyond,end,first,renewals,releases,clients,refusals");
	for (size_t i = 0; i < s->count; i++) {
		const struct usage_sum *u = &s->list[i];
		const struct report_pool *pool = report_pools_find(pools, u->publisher, u->pool);

		period_text(period, u->begin, by);
		report_pool_names(pools, u->publisher, u->pool, publisher, name);
		output_row(o);
		output_text(o, "period", period_title(by), period);
		output_text(o, "publisher", "Publisher", publisher);
		output_text(o, "pool", "Pool", name);
		report_pool_products(pools, pool, products);
		output_put(o, &(struct output_field){ .key = "products",
				  .label = "Products",
				  .text = products[0] != '\0' ? products : NULL,
				  .spare = 1 });
		output_number(o, "peak", "Peak", u->peak);
		output_put(o, &(struct output_field){ .key = "capacity",
				  .label = "Capacity",
				  .type = OUTPUT_LIMIT,
				  .number = pool != NULL ? pool->capacity : 0,
				  .none = pool == NULL });
		output_put(
		    o, &(struct output_field){ .key = "beyond",
			   .label = "Beyond",
			   .type = OUTPUT_NUMBER,
			   .number = pool != NULL && pool->capacity != 0 && u->peak > pool->capacity
					 ? u->peak - pool->capacity
					 : 0,
			   .none = pool == NULL });
		output_number(o, "end", "At the end", u->end);
		output_number(o, "first", "New", u->first);
		output_number(o, "renewals", "Renewed", u->renewals);
		output_number(o, "releases", "Given back", u->releases);
		output_number(o, "clients", "Clients", u->clients);
		output_number(o, "refusals", "Refused", u->refusals);
	}
	output_end(o);
}
