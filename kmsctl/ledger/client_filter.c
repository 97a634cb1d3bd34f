/*
 * client_filter.c - see client_filter.h.
 */
#include "kmsctl/ledger/client_filter.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/pool_words.h"
#include "libkms/base/glob.h"
#include "libkms/base/number.h"
#include "libkms/kms_error.h"
#include "policy/policy.h"
#include "policy/values.h"

static const struct {
	const char *name;
	enum client_flag flag;
	uint16_t entry; /* of its act; 0: see client_flags */
} flags[] = {
	{ "vm", CLIENT_VM, ENTRY_VM },
	{ "clone", CLIENT_CLONE, ENTRY_CLONE },
	{ "overdraft", CLIENT_OVERDRAFT, ENTRY_OVERDRAFT },
	{ "stateless", CLIENT_STATELESS, ENTRY_STATELESS },
	{ "borrowed", CLIENT_BORROWED, ENTRY_BORROWED },
};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))

/* A bare number would be minutes to one reader and days to the other. */
bool
client_filter_span(void *field, const char *text)
{
	size_t len = strlen(text);

	return len > 0 && !isdigit((unsigned char)text[len - 1]) &&
	       value_minutes_parse(field, text) && *(uint64_t *)field > 0;
}

bool
client_filter_flag(void *field, const char *text)
{
	for (size_t i = 0; i < FLAGS; i++)
		if (strcmp(flags[i].name, text) == 0) {
			*(uint64_t *)field |= flags[i].flag;
			return true;
		}
	return false;
}

bool
client_filter_time(void *field, const char *text)
{
	return value_time_parse(field, text, false);
}

bool
client_filter_given(const struct client_filter *f)
{
	return f->name != NULL || f->address != NULL || f->pool != NULL || f->product != NULL ||
	       f->unseen != 0 || f->flags != 0;
}

static bool
is_number(const char *text)
{
	uint64_t n;

	return number_parse(&n, UINT16_MAX, text);
}

static int
no_pool(struct ctl *ctl, const struct client_filter *f)
{
	char list[256] = "";
	size_t at = 0;

	if (f->products->pool_count == 0)
		return fail(ctl, KMS_E_NOT_FOUND,
		    "\"%s\" is not a number, and names of pools are known only while kmsd runs with a policy pack",
		    f->pool);
	for (unsigned i = 0; i < f->products->pool_count && at < sizeof(list); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", i > 0 ? ", " : "",
		    f->products->pools[i].name);
	return fail(ctl, KMS_E_NOT_FOUND,
	    "no installed policy pack has a pool of the name \"%s\". There are: %s", f->pool, list);
}

static bool
pool_known(const struct products *p, const char *name)
{
	for (unsigned i = 0; i < p->pool_count; i++)
		if (pool_is_named(name, p->pools[i].publisher, p->pools[i].name))
			return true;
	return false;
}

int
client_filter_ready(struct ctl *ctl, struct client_filter *f, const struct products *products)
{
	f->now = (uint64_t)time(NULL);
	f->products = products;
	if (f->address != NULL && !network_parse(&f->network, f->address))
		return fail(ctl, KMS_E_ARGUMENT,
		    "--address takes an address, or a network such as 10.1.0.0/16, not \"%s\"",
		    f->address);
	if (f->product != NULL && !products_find(products, f->product, f->product_id))
		return fail(ctl, KMS_E_NOT_FOUND,
		    products->count > 0
			? "no installed policy pack names the product \"%s\""
			: "\"%s\" is not a UUID, and product names are known only while kmsd runs",
		    f->product);
	if (f->pool != NULL && !is_number(f->pool) && !pool_known(products, f->pool))
		return no_pool(ctl, f);
	return CTL_OK;
}

/* As the name that an administrator types for a client: with or without its domain. */
static bool
name_matches(const char *pattern, const char *name)
{
	char label[MESSAGE_NAME + 1];

	snprintf(label, sizeof(label), "%.*s", (int)strcspn(name, "."), name);
	return glob_match(pattern, name) || glob_match(pattern, label);
}

static bool
pool_is(const struct client_filter *f, const struct kmsdb_client *c)
{
	const struct pool_name *pool = products_pool(f->products, c);
	uint64_t n;

	if (number_parse(&n, UINT16_MAX, f->pool))
		return c->pool == n;
	return pool != NULL && pool_is_named(f->pool, pool->publisher, pool->name);
}

static bool
names_match(const struct client_filter *f, const struct kmsdb_cold *cold)
{
	return (f->name == NULL || name_matches(f->name, cold->name)) &&
	       (f->named == NULL || client_name_is(cold->name, f->named, f->whole_name)) &&
	       (f->address == NULL || network_has(&f->network, cold->address));
}

static bool
times_match(
    const struct client_filter *f, const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	return (f->unseen == 0 || c->last_seen + f->unseen * 60 <= f->now) &&
	       c->last_seen >= f->seen_since && cold->first_seen >= f->first_since &&
	       (f->first_until == 0 || cold->first_seen <= f->first_until);
}

bool
client_counts(const struct kmsdb_client *c, uint64_t now)
{
	return c->seated && kmsdb_client_counts(c, c->publisher, c->pool, policy_minute(now));
}

unsigned
client_flags(const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	unsigned set = 0;

	for (size_t i = 0; i < FLAGS; i++)
		if ((c->flags & flags[i].entry) != 0)
			set |= flags[i].flag;
	if ((c->flags & KMSDB_HELD) != 0 || (cold != NULL && cold->last_clone != 0))
		set |= CLIENT_CLONE;
	return set;
}

bool
client_filter_has(
    const struct client_filter *f, const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	if (kmsdb_client_gone(c))
		return false;
	return (f->product == NULL || memcmp(c->product, f->product_id, 16) == 0) &&
	       (f->pool == NULL || (c->seated && pool_is(f, c))) && names_match(f, cold) &&
	       times_match(f, c, cold) && (client_flags(c, cold) & f->flags) == f->flags &&
	       (!f->active || strcmp(kmsdb_client_state(c, f->now), "activated") == 0) &&
	       (!f->counted || client_counts(c, f->now));
}
