/*
 * pools.c - see pools.h.
 */
#include "kmsctl/report/pools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/pool_words.h"
#include "kmsctl/host/serving.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

static bool
of_pool(const struct reply_row *product, const struct report_pool *p)
{
	const char *publisher = reply_text(product, "publisher"),
		   *pool = reply_text(product, "pool");

	return publisher != NULL && pool != NULL && strcmp(publisher, p->publisher_name) == 0 &&
	       strcmp(pool, p->name) == 0;
}

static void
take_pool(struct report_pools *p, const struct reply_row *row)
{
	const char *publisher = reply_text(row, "publisher"), *name = reply_text(row, "name");
	const char *id = reply_text(serving_publisher(&p->status, publisher), "id");
	struct report_pool *pool = &p->list[p->count];
	uint64_t number;

	if (id == NULL || name == NULL || !reply_number(row, "number", &number) ||
	    !hex_parse(pool->publisher, 8, id))
		return;
	pool->number = (uint16_t)number;
	snprintf(pool->publisher_name, POOL_TEXT, "%s", publisher);
	snprintf(pool->name, POOL_TEXT, "%s", name);
	reply_number(row, "capacity", &pool->capacity);
	p->count++;
}

void
report_pools_ask(struct ctl *ctl, struct report_pools *p)
{
	const struct reply_row *row = NULL;

	memset(p, 0, sizeof(*p));
	p->all = true;
	if (ask_quietly(ctl, CONTROL_STATUS, NULL, &p->status, NULL) != KMS_OK)
		return;
	p->running = true;
	p->list = calloc(p->status.count + 1, sizeof(*p->list));
	while (p->list != NULL && (row = reply_next(&p->status, "pool", row)) != NULL)
		take_pool(p, row);
}

void
report_pools_free(struct report_pools *p)
{
	reply_free(&p->status);
	free(p->list);
	memset(p, 0, sizeof(*p));
}

const struct report_pool *
report_pools_find(const struct report_pools *p, const uint8_t publisher[8], uint16_t number)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->list[i].number == number && memcmp(p->list[i].publisher, publisher, 8) == 0)
			return &p->list[i];
	return NULL;
}

/* The pools of the products of that name or UUID. */
static unsigned
choose_product(struct report_pools *p, const char *text)
{
	const struct reply_row *row = NULL;
	unsigned found = 0;
	const char *name, *id;

	while ((row = reply_next(&p->status, "product", row)) != NULL) {
		name = reply_text(row, "name");
		id = reply_text(row, "id");
		if ((name == NULL || strcasecmp(name, text) != 0) &&
		    (id == NULL || strcasecmp(id, text) != 0))
			continue;
		for (unsigned i = 0; i < p->count; i++)
			if (of_pool(row, &p->list[i])) {
				p->list[i].chosen = true;
				found++;
			}
	}
	return found;
}

int
report_pools_choose(struct ctl *ctl, struct report_pools *p, const char *pool, const char *product)
{
	unsigned found = 0, left = 0;

	if (pool == NULL && product == NULL)
		return CTL_OK;
	p->all = false;
	if (!p->running)
		return fail(ctl, KMS_E_NOT_RUNNING,
		    "pools and products have names only while kmsd runs: systemctl start kmsd, or leave out --pool and --product");
	if (product != NULL)
		found = choose_product(p, product);
	for (unsigned i = 0; i < p->count; i++) {
		bool named =
		    pool == NULL || pool_is_named(pool, p->list[i].publisher_name, p->list[i].name);

		if (product == NULL)
			found += p->list[i].chosen = named;
		else if (!named)
			p->list[i].chosen = false;
		left += p->list[i].chosen;
	}
	if (found == 0)
		return fail(ctl, KMS_E_NOT_FOUND,
		    product != NULL ? "no installed policy pack names the product \"%s\""
				    : "no installed policy pack has a pool \"%s\": kmsctl status",
		    product != NULL ? product : pool);
	if (left == 0)
		return fail(ctl, KMS_E_NOT_FOUND,
		    "no pool \"%s\" counts the product \"%s\": kmsctl policy show", pool, product);
	return CTL_OK;
}

void
report_pool_products(
    const struct report_pools *p, const struct report_pool *pool, char out[POOL_PRODUCTS])
{
	const struct reply_row *row = NULL;
	size_t at = 0;

	out[0] = '\0';
	while (pool != NULL && at < POOL_PRODUCTS &&
	       (row = reply_next(&p->status, "product", row)) != NULL)
		if (of_pool(row, pool) && reply_text(row, "name") != NULL)
			at += (size_t)snprintf(out + at, POOL_PRODUCTS - at, "%s%s",
			    at > 0 ? ", " : "", reply_text(row, "name"));
}

bool
report_pools_wanted(const struct report_pools *p, const uint8_t publisher[8], uint16_t number)
{
	const struct report_pool *pool = report_pools_find(p, publisher, number);

	return p->all || (pool != NULL && pool->chosen);
}

void
report_pool_names(const struct report_pools *p, const uint8_t publisher[8], uint16_t number,
    char publisher_name[POOL_TEXT], char name[POOL_TEXT])
{
	static const uint8_t none[8];
	const struct report_pool *pool = report_pools_find(p, publisher, number);

	if (pool != NULL) {
		snprintf(publisher_name, POOL_TEXT, "%s", pool->publisher_name);
		snprintf(name, POOL_TEXT, "%s", pool->name);
	} else if (memcmp(publisher, none, sizeof(none)) == 0) {
		snprintf(publisher_name, POOL_TEXT, "(none)");
		snprintf(name, POOL_TEXT, "(none)");
	} else {
		hex_format(publisher_name, publisher, 8);
		snprintf(name, POOL_TEXT, "%u", number);
	}
}
