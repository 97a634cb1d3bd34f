/*
 * client_sums.c - see client_sums.h.
 */
#include "kmsctl/ledger/client_sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/ledger/client_filter.h"
#include "libkms/base/uuid.h"

static void
add(struct client_sum list[SUMS_MOST], unsigned *count, const char *name, bool counted)
{
	unsigned i = 0;

	while (i < *count && i < SUMS_MOST - 1 && strcmp(list[i].name, name) != 0)
		i++;
	if (i == *count) {
		snprintf(
		    list[i].name, sizeof(list[i].name), "%s", i < SUMS_MOST - 1 ? name : "others");
		++*count;
	}
	list[i].clients++;
	list[i].counted += counted;
}

static const char *
pool_text(char out[16], const struct kmsdb_client *c, const struct products *products)
{
	const struct pool_name *pool = products_pool(products, c);

	if (pool != NULL)
		return pool->name;
	snprintf(out, 16, "%u", c->pool);
	return out;
}

void
client_sums_add(struct client_sums *s, const struct kmsdb_client *c,
    const struct products *products, uint64_t now)
{
	const char *product = products_name(products, c->product);
	bool counted = client_counts(c, now);
	char id[UUID_TEXT], number[16];

	uuid_format(id, c->product);
	s->clients++;
	s->counted += counted;
	add(s->states, &s->state_count, kmsdb_client_state(c, now), counted);
	add(s->products, &s->product_count, product != NULL ? product : id, counted);
	if (c->seated)
		add(s->pools, &s->pool_count, pool_text(number, c, products), counted);
}

static void
print_rows(struct output *o, const char *by, const struct client_sum *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		output_row(o);
		output_text(o, "by", NULL, by);
		output_text(o, "name", NULL, list[i].name);
		output_number(o, "clients", NULL, list[i].clients);
		output_number(o, "counted", NULL, list[i].counted);
	}
}

#define LINE_MOST 12 /* sums in a line */

/* "By product: Example Writer 12, Example Server 3" */
static void
print_line(struct output *o, const char *by, const struct client_sum *list, unsigned count)
{
	char text[LINE_MOST * (sizeof(list->name) + 24) + 64];
	size_t at = 0;

	for (unsigned i = 0; i < count && i < LINE_MOST; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %" PRIu64,
		    i > 0 ? ", " : "", list[i].name, list[i].clients);
	if (count > LINE_MOST)
		snprintf(text + at, sizeof(text) - at, ", and %u more (--json)", count - LINE_MOST);
	if (count > 0)
		output_line(o, OUTPUT_PLAIN, "By %s: %s", by, text);
}

void
client_sums_print(struct ctl *ctl, const struct client_sums *s, bool more)
{
	struct output *o = ctl->out;

	output_line(o, OUTPUT_PLAIN, "%" PRIu64 " client%s%s", s->clients,
	    s->clients == 1 ? "" : "s",
	    more ? ", and there may be more: use a higher --limit" : "");
	if (s->clients > 0)
		output_line(o, OUTPUT_PLAIN, "%sounted now: %" PRIu64, more ? "Of these, c" : "C",
		    s->counted);
	print_line(o, "state", s->states, s->state_count);
	print_line(o, "product", s->products, s->product_count);
	print_line(o, "pool", s->pools, s->pool_count);
	if (!ctl->json)
		return;
	output_list(o, "sums", NULL);
	print_rows(o, "state", s->states, s->state_count);
	print_rows(o, "product", s->products, s->product_count);
	print_rows(o, "pool", s->pools, s->pool_count);
	output_end(o);
}
