/*
 * pack.c - kms.policy(5) text into struct policy_pack. Names are resolved after the whole text is
 * read, so that sections may be in any order.
 */
#include "policy/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/uuid.h"
#include "libkms/core/limits.h"
#include "policy/ini_values.h"
#include "policy/values.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DAY_MINUTES 1440
#define WINDOW_MIN 5 /* minutes */
#define WINDOW_MAX PACK_YEAR
#define AUDIT_KEEP_MAX (3660 * DAY_MINUTES)
#define CLONE_HOLD_MIN 60                    /* minutes */
#define CLONE_HOLD_DEFAULT (7 * DAY_MINUTES) /* as kms.policy(5) says */

/* A name that a line referred to, until all names are known. */
struct reference {
	char name[33];
	int line;
};

struct parse {
	struct policy_pack *out;
	struct reference product_group[POLICY_PRODUCTS];
	struct reference product_pool[POLICY_PRODUCTS];
	int product_line[POLICY_PRODUCTS];
	char covers[POLICY_GROUPS][INI_LINE_MAX + 1];
	int covers_line[POLICY_GROUPS];
	int requires_host_line;
	int bind_change_line[POLICY_PRODUCTS]; /* 0: not given, as the next two */
	int borrow_seats_line[POLICY_POOLS];
	int newer_line; /* first key that kmsd 0.1 did not always know */
	char newer[16];
};

static int
pool_find(const struct policy_pack *p, const char *name)
{
	for (unsigned i = 0; i < p->pool_count; i++)
		if (strcmp(p->pools[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* -- reading -- */

/* Next word of a blank-separated list; NULL at its end. */
static const char *
next_word(const char *at, size_t *len)
{
	at += strspn(at, " \t,");
	*len = strcspn(at, " \t,");
	return *len > 0 ? at : NULL;
}

static bool
read_version(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct policy_pack *p = record;

	return value_version_parse(&p->major, &p->minor, value) ||
	       ini_expected(r, key, value, "a version such as 1.2");
}

static bool
read_versions(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct policy_pack *p = record;
	bool requires = key->offset == offsetof(struct policy_pack, requires_any);
	char(*list)[16] = requires ? p->requires_any : p->replaces;
	unsigned *count = requires ? &p->requires_count : &p->replaces_count;
	const char *at = value;
	size_t n;

	while ((at = next_word(at, &n)) != NULL) {
		uint16_t major, minor;
		char word[16];

		snprintf(word, sizeof(word), "%.*s", (int)(n < 15 ? n : 15), at);
		if (n > 15 || *count == POLICY_REQUIRES ||
		    !value_version_parse(&major, &minor, word))
			return ini_expected(r, key, value, "up to 8 versions such as 1.0 1.1");
		snprintf(list[(*count)++], sizeof(list[0]), "%u.%u", major, minor);
		at += n;
	}
	return true;
}

static bool
read_requires_host(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct parse *p = r->arg;
	uint16_t release[3];

	if (!value_release_parse(release, value))
		return ini_expected(r, key, value, "a version of kmsd such as 0.3 or 0.3.1");
	p->requires_host_line = r->line;
	memcpy(p->out->requires_host, release, sizeof(release));
	return true;
}

/* The key is one that older versions take for a mistake. */
static void
note_newer(struct ini_reader *r, const struct ini_key *key)
{
	struct parse *p = r->arg;

	if (p->newer_line != 0)
		return;
	p->newer_line = r->line;
	snprintf(p->newer, sizeof(p->newer), "%s", key->name);
}

/* A bare number is days, as it always was. */
static bool
read_window(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	bool bare = value[0] != '\0' && value[strspn(value, "0123456789")] == '\0';
	struct policy_pool *pool = record;
	uint64_t minutes;

	if (!value_minutes_parse(&minutes, value) || minutes > WINDOW_MAX ||
	    (bare && minutes > WINDOW_MAX / DAY_MINUTES) ||
	    (bare ? minutes * DAY_MINUTES : minutes) < WINDOW_MIN)
		return ini_expected(r, key, value,
		    "a number of days from 1 to 366, or a time from 5m to 366d such as 90m, 12h or 30d");
	pool->window = (uint32_t)(bare ? minutes * DAY_MINUTES : minutes);
	if (policy_floating(pool))
		note_newer(r, key);
	return true;
}

static bool
read_rule(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	static const char *const names[] = { "allow", "flag", "refuse" };

	for (size_t i = 0; i < COUNT(names); i++) {
		enum policy_rule rule = (enum policy_rule)i;

		if (strcmp(value, names[i]) != 0)
			continue;
		memcpy((char *)record + key->offset, &rule, sizeof(rule));
		return true;
	}
	return ini_expected(r, key, value, "allow, flag or refuse");
}

/* One of two words: the field is true for the second. */
static bool
read_choice(struct ini_reader *r, const struct ini_key *key, void *record, const char *value,
    const char *const words[2], const char *expected)
{
	bool second = strcmp(value, words[1]) == 0;

	if (!second && strcmp(value, words[0]) != 0)
		return ini_expected(r, key, value, expected);
	memcpy((char *)record + key->offset, &second, sizeof(second));
	note_newer(r, key);
	return true;
}

static bool
read_bind(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	static const char *const words[] = { "no", "machine" };

	return read_choice(r, key, record, value, words, "no or machine");
}

static bool
read_bind_change(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	static const char *const words[] = { "mark", "refuse" };
	struct parse *p = r->arg;

	p->bind_change_line[p->out->product_count - 1] = r->line;
	return read_choice(r, key, record, value, words, "mark or refuse");
}

/* A bare number could be meant as days, as that of window is: it needs its unit. */
static bool
parse_time_to(uint32_t *out, const char *value, unsigned min, unsigned max)
{
	uint64_t minutes;

	if (value[strspn(value, "0123456789")] == '\0' || !value_minutes_parse(&minutes, value) ||
	    minutes < min || minutes > max)
		return false;
	*out = (uint32_t)minutes;
	return true;
}

static bool
parse_time(uint32_t *out, const char *value, unsigned min)
{
	return parse_time_to(out, value, min, PACK_YEAR);
}

static bool
read_audit_keep(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct policy_pack *p = record;

	note_newer(r, key);
	if (strcmp(value, "0") == 0)
		p->audit_keep = 0;
	else if (!parse_time_to(&p->audit_keep, value, 0, AUDIT_KEEP_MAX))
		return ini_expected(
		    r, key, value, "0, or a time up to 3660d with its unit, such as 400d");
	return true;
}

static bool
read_clone_hold(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct policy_product *product = record;

	if (!parse_time(&product->clone_hold, value, CLONE_HOLD_MIN))
		return ini_expected(
		    r, key, value, "a time from 1h to 366d with its unit, such as 12h or 7d");
	note_newer(r, key);
	return true;
}

static bool
read_stateless(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	static const char *const words[] = { "allow", "refuse" };

	return read_choice(r, key, record, value, words, "allow or refuse");
}

static bool
read_borrow(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct policy_pool *pool = record;

	if (!parse_time(&pool->borrow, value, WINDOW_MIN))
		return ini_expected(
		    r, key, value, "a time from 5m to 366d with its unit, such as 12h or 14d");
	note_newer(r, key);
	return true;
}

static bool
read_borrow_seats(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct parse *p = r->arg;

	p->borrow_seats_line[p->out->pool_count - 1] = r->line;
	note_newer(r, key);
	return ini_number(r, key, record, value);
}

static bool
read_when_full(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	static const char unseen[] = "longest-unseen";
	struct policy_pool *pool = record;
	const char *time = value + strlen(unseen);

	note_newer(r, key);
	pool->reclaim = 0;
	if (strcmp(value, "refuse") == 0)
		return true;
	if (strncmp(value, unseen, strlen(unseen)) == 0 && strspn(time, " \t") > 0 &&
	    parse_time(&pool->reclaim, time + strspn(time, " \t"), WINDOW_MIN))
		return true;
	return ini_expected(r, key, value,
	    "refuse, or longest-unseen and a time from 5m to 366d with its unit, such as longest-unseen 8h");
}

static bool
read_overdraft(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct policy_pool *pool = record;
	size_t digits = strspn(value, "0123456789");
	unsigned percent = digits > 0 && digits <= 3 ? (unsigned)strtoul(value, NULL, 10) : 101;

	if (strcmp(value + digits, "%") != 0 || percent > 100)
		return ini_expected(r, key, value, "a part of the capacity from 0% to 100%");
	pool->overdraft = (uint8_t)percent;
	note_newer(r, key);
	return true;
}

static bool
read_covers(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct parse *p = r->arg;
	unsigned i = p->out->group_count - 1;

	snprintf(p->covers[i], sizeof(p->covers[i]), "%s", value);
	p->covers_line[i] = r->line;
	return true;
}

/* group and pool of a product. */
static bool
read_reference(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct parse *p = r->arg;
	bool group = key->offset == offsetof(struct policy_product, group);
	struct reference *ref =
	    &(group ? p->product_group : p->product_pool)[p->out->product_count - 1];
	const struct ini_key name = { .name = key->name, .size = sizeof(ref->name) };

	ref->line = r->line;
	return ini_name(r, &name, ref->name, value);
}

static void *
open_policy(struct ini_reader *r, const char *argument)
{
	return ((struct parse *)r->arg)->out;
}

static void *
open_group(struct ini_reader *r, const char *argument)
{
	struct policy_pack *p = ((struct parse *)r->arg)->out;
	struct policy_group *g = &p->groups[p->group_count];

	if (p->group_count == POLICY_GROUPS)
		ini_fail(r, r->line, "more than %d groups", POLICY_GROUPS);
	else if (!value_name_ok(argument, sizeof(g->name) - 1))
		ini_fail(r, r->line,
		    "'%.40s' is not a name for a group: letters, digits, '.', '_', '-'", argument);
	else if (policy_group_find(p, argument) >= 0)
		ini_fail(r, r->line, "second [group %s]", argument);
	else {
		snprintf(g->name, sizeof(g->name), "%s", argument);
		p->group_count++;
		return g;
	}
	return NULL;
}

static void *
open_pool(struct ini_reader *r, const char *argument)
{
	struct policy_pack *p = ((struct parse *)r->arg)->out;
	struct policy_pool *pool = &p->pools[p->pool_count];

	if (p->pool_count == POLICY_POOLS)
		ini_fail(r, r->line, "more than %d pools", POLICY_POOLS);
	else if (!value_name_ok(argument, sizeof(pool->name) - 1))
		ini_fail(r, r->line,
		    "'%.40s' is not a name for a pool: letters, digits, '.', '_', '-'", argument);
	else if (pool_find(p, argument) >= 0)
		ini_fail(r, r->line, "second [pool %s]", argument);
	else {
		snprintf(pool->name, sizeof(pool->name), "%s", argument);
		p->pool_count++;
		return pool;
	}
	return NULL;
}

static void *
open_product(struct ini_reader *r, const char *argument)
{
	struct parse *p = r->arg;
	struct policy_product *product = &p->out->products[p->out->product_count];

	if (p->out->product_count == POLICY_PRODUCTS) {
		ini_fail(r, r->line, "more than %d products", POLICY_PRODUCTS);
		return NULL;
	}
	if (!uuid_parse_not_nil(product->id, argument)) {
		ini_fail(r, r->line, "'%.40s' is not a UUID: write [product %s]", argument,
		    "9f3c1d60-52a7-4a6e-9b1c-0d5e8a7f4b21");
		return NULL;
	}
	for (unsigned i = 0; i < p->out->product_count; i++) {
		if (memcmp(p->out->products[i].id, product->id, 16) != 0)
			continue;
		ini_fail(r, r->line, "second [product %s]: the first is in line %d", argument,
		    p->product_line[i]);
		return NULL;
	}
	product->clone_hold = CLONE_HOLD_DEFAULT;
	p->product_line[p->out->product_count++] = r->line;
	return product;
}

static void *
open_contact(struct ini_reader *r, const char *argument)
{
	struct policy_pack *p = ((struct parse *)r->arg)->out;
	struct policy_contact *c = &p->contacts[p->contact_count];

	if (p->contact_count == POLICY_CONTACTS) {
		ini_fail(r, r->line, "more than %d contacts", POLICY_CONTACTS);
		return NULL;
	}
	if (strspn(argument, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2 || argument[2] != '\0') {
		ini_fail(r, r->line, "'%.40s' is not a country: two capital letters (ISO 3166-1)",
		    argument);
		return NULL;
	}
	memcpy(c->country, argument, sizeof(c->country));
	p->contact_count++;
	return c;
}

#define AT(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)

static const struct ini_key policy_keys[] = {
	{ "id", ini_name, AT(policy_pack, id), 0, 0, NULL, false },
	{ "title", ini_text, AT(policy_pack, title), 1, 0, NULL, false },
	{ "version", read_version, AT(policy_pack, major), 0, 0, NULL, false },
	{ "issued", ini_time, AT(policy_pack, issued), 0, 0, NULL, false },
	{ "requires-host", read_requires_host, AT(policy_pack, requires_host), 0, 0, "", false },
	{ "requires", read_versions, AT(policy_pack, requires_any), 0, 0, "", false },
	{ "replaces", read_versions, AT(policy_pack, replaces), 0, 0, "", false },
	{ "audit-keep", read_audit_keep, AT(policy_pack, audit_keep), 0, 0, "", false },
};
static const struct ini_key group_keys[] = {
	{ "covers", read_covers, AT(policy_group, covers), 0, 0, "", false },
};
static const struct ini_key pool_keys[] = {
	{ "number", ini_number, AT(policy_pool, number), 1, UINT16_MAX, NULL, false },
	{ "capacity", ini_number, AT(policy_pool, capacity), 0, UINT32_MAX, "0", false },
	{ "window", read_window, AT(policy_pool, window), 0, 0, "30", false },
	{ "stateless", read_stateless, AT(policy_pool, stateless_refuse), 0, 0, "", false },
	{ "borrow", read_borrow, AT(policy_pool, borrow), 0, 0, "", false },
	{ "borrow-seats", read_borrow_seats, AT(policy_pool, borrow_seats), 1, UINT32_MAX, "",
	    false },
	{ "overdraft", read_overdraft, AT(policy_pool, overdraft), 0, 0, "", false },
	{ "when-full", read_when_full, AT(policy_pool, reclaim), 0, 0, "", false },
};
static const struct ini_key product_keys[] = {
	{ "name", ini_text, AT(policy_product, name), 1, 0, NULL, false },
	{ "group", read_reference, AT(policy_product, group), 0, 0, NULL, false },
	{ "pool", read_reference, AT(policy_product, pool), 0, 0, NULL, false },
	{ "threshold", ini_number, AT(policy_product, threshold), 1, 1000000, NULL, false },
	{ "activation-interval", ini_minutes, AT(policy_product, activation_interval), 1,
	    PACK_ACTIVATION_MAX, "2h", false },
	{ "renewal-interval", ini_minutes, AT(policy_product, renewal_interval), 1,
	    PACK_RENEWAL_MAX, "7d", false },
	{ "validity", ini_minutes, AT(policy_product, validity), 1, PACK_VALIDITY_MAX, "180d",
	    false },
	{ "grace", ini_minutes, AT(policy_product, grace), 0, PACK_YEAR, "30d", false },
	{ "virtual-machines", read_rule, AT(policy_product, vm), 0, 0, "allow", false },
	{ "clones", read_rule, AT(policy_product, clones), 0, 0, "refuse", false },
	{ "clone-hold", read_clone_hold, AT(policy_product, clone_hold), 0, 0, "", false },
	{ "bind", read_bind, AT(policy_product, bind), 0, 0, "", false },
	{ "bind-change", read_bind_change, AT(policy_product, bind_refuse), 0, 0, "", false },
};
static const struct ini_key contact_keys[] = {
	{ "text", ini_text, AT(policy_contact, text), 1, 0, NULL, false },
};

static const struct ini_section sections[] = {
	{ "policy", NULL, true, open_policy, policy_keys, COUNT(policy_keys) },
	{ "group", "NAME", true, open_group, group_keys, COUNT(group_keys) },
	{ "pool", "NAME", true, open_pool, pool_keys, COUNT(pool_keys) },
	{ "product", "UUID", true, open_product, product_keys, COUNT(product_keys) },
	{ "contact", "COUNTRY", false, open_contact, contact_keys, COUNT(contact_keys) },
};

/* -- once all is read -- */

static bool
fail_at(struct fault *err, int line, const char *what, const char *name)
{
	fault_at(err, line, KMS_E_FORMAT, "%s '%.40s'", what, name);
	return false;
}

/* covers of every group as bits, then closed: what a covered group covers is covered too. */
static bool
close_groups(struct parse *p, struct fault *err)
{
	struct policy_pack *out = p->out;

	for (unsigned i = 0; i < out->group_count; i++) {
		const char *at = p->covers[i];
		size_t n;

		for (; (at = next_word(at, &n)) != NULL; at += n) {
			char name[INI_LINE_MAX + 1];
			int other;

			snprintf(name, sizeof(name), "%.*s", (int)n, at);
			if ((other = policy_group_find(out, name)) < 0)
				return fail_at(
				    err, p->covers_line[i], "covers: there is no group", name);
			out->groups[i].covers |= UINT32_C(1) << other;
		}
	}
	for (unsigned k = 0; k < out->group_count; k++)
		for (unsigned i = 0; i < out->group_count; i++)
			if (out->groups[i].covers & UINT32_C(1) << k)
				out->groups[i].covers |= out->groups[k].covers;
	for (unsigned i = 0; i < out->group_count; i++) {
		if (out->groups[i].covers & UINT32_C(1) << i)
			return fail_at(err, p->covers_line[i],
			    "covers leads in a circle back to group", out->groups[i].name);
	}
	for (unsigned i = 0; i < out->group_count; i++)
		out->groups[i].covers |= UINT32_C(1) << i;
	return true;
}

static bool
check_pools(const struct parse *p, struct fault *err)
{
	const struct policy_pack *out = p->out;

	for (unsigned i = 0; i < out->pool_count; i++) {
		const struct policy_pool *pool = &out->pools[i];

		for (unsigned j = 0; j < i; j++)
			if (pool->number == out->pools[j].number)
				return fail_at(
				    err, 0, "two pools have the same number; one is", pool->name);
		if (pool->borrow_seats != 0 && pool->borrow == 0)
			return fail_at(err, p->borrow_seats_line[i],
			    "borrow-seats is given without borrow, the longest time: pool",
			    pool->name);
		if (pool->capacity != 0 && pool->borrow_seats > pool->capacity)
			return fail_at(err, p->borrow_seats_line[i],
			    "borrow-seats is above the capacity: pool", pool->name);
	}
	return true;
}

/*
 * A seat that floats is free again once its client was not seen for the window: a lease that lives
 * longer would be used beside the one of who gets the seat.
 */
static bool
check_floating(struct parse *p, unsigned i, const struct policy_pool *pool, struct fault *err)
{
	const struct policy_product *product = &p->out->products[i];

	if (!policy_floating(pool) || product->validity < pool->window)
		return true;
	fault_at(err, p->product_line[i], KMS_E_FORMAT,
	    "validity must be below the window of %um of pool '%s', which is no whole number of days: write, for example, validity = %um and renewal-interval = %um: product '%s'",
	    pool->window, pool->name, pool->window / 2, pool->window / 4, product->name);
	return false;
}

static bool
resolve_products(struct parse *p, struct fault *err)
{
	for (unsigned i = 0; i < p->out->product_count; i++) {
		struct policy_product *product = &p->out->products[i];
		int group = policy_group_find(p->out, p->product_group[i].name);
		int pool = pool_find(p->out, p->product_pool[i].name);

		if (group < 0)
			return fail_at(err, p->product_group[i].line, "there is no group",
			    p->product_group[i].name);
		if (pool < 0)
			return fail_at(err, p->product_pool[i].line, "there is no pool",
			    p->product_pool[i].name);
		if (product->renewal_interval >= product->validity)
			return fail_at(err, p->product_line[i],
			    "renewal-interval must be shorter than validity: product",
			    product->name);
		if (p->out->pools[pool].capacity != 0 &&
		    p->out->pools[pool].capacity < product->threshold)
			return fail_at(err, p->product_line[i],
			    "threshold is above the capacity of its pool: product", product->name);
		if (!check_floating(p, i, &p->out->pools[pool], err))
			return false;
		if (p->bind_change_line[i] != 0 && !product->bind)
			return fail_at(err, p->bind_change_line[i],
			    "bind-change needs bind = machine: product", product->name);
		product->group = (uint8_t)group;
		product->pool = (uint8_t)pool;
	}
	return true;
}

/* So that an older kmsd says that it is too old, and not that the pack has a mistake. */
static int
check_newer(const struct parse *p, struct fault *err)
{
	static const uint16_t any[3];

	if (p->newer_line == 0 || memcmp(p->out->requires_host, any, sizeof(any)) != 0)
		return KMS_OK;
	return fault_at(err, p->newer_line, KMS_E_FORMAT,
	    "older versions of kmsd do not know the key \"%s\": add requires-host = %s to [policy]",
	    p->newer, PACKAGE_VERSION);
}

static int
by_id(const void *a, const void *b)
{
	return memcmp(
	    ((const struct policy_product *)a)->id, ((const struct policy_product *)b)->id, 16);
}

/*
 * A pack for a newer kmsd may hold what this one takes for mistakes: the version is what has to be
 * said, whatever else is wrong.
 */
static int
check_release(struct parse *p, struct fault *err, int rc)
{
	const uint16_t *needs = p->out->requires_host;
	uint16_t ours[3];
	char patch[8] = "";

	if (!value_release_parse(ours, PACKAGE_VERSION))
		return fault_set(err, KMS_E_FORMAT, "this is kmsd %s, which is not a valid version",
		    PACKAGE_VERSION);
	for (unsigned i = 0; i < 3; i++) {
		if (needs[i] == ours[i])
			continue;
		if (needs[i] < ours[i])
			return rc;
		*err = (struct fault){ 0 };
		if (needs[2] != 0)
			snprintf(patch, sizeof(patch), ".%u", needs[2]);
		return fault_at(err, p->requires_host_line, KMS_E_PREREQUISITE,
		    "the pack needs kmsd %u.%u%s or newer; this is %s", needs[0], needs[1], patch,
		    PACKAGE_VERSION);
	}
	return rc;
}

static int
parse(struct policy_pack *out, const char *text, size_t len, bool careful, struct fault *err)
{
	const struct ini_format format = { .sections = sections,
		.section_count = COUNT(sections),
		.max = PACK_MAX,
		.careful = careful };
	struct parse *p = calloc(1, sizeof(*p));
	int rc;

	memset(out, 0, sizeof(*out));
	out->audit_keep = POLICY_AUDIT_KEEP;
	*err = (struct fault){ 0 };
	if (p == NULL)
		return fault_set(err, KMS_E_NO_MEMORY, NULL);
	p->out = out;
	rc = ini_read_format(&format, p, text, len, err);
	rc = check_release(p, err, rc);
	if (rc == KMS_OK &&
	    (!close_groups(p, err) || !check_pools(p, err) || !resolve_products(p, err)))
		rc = KMS_E_FORMAT;
	if (rc == KMS_OK)
		rc = check_newer(p, err);
	if (rc == KMS_OK)
		qsort(out->products, out->product_count, sizeof(out->products[0]), by_id);
	free(p);
	return rc;
}

int
policy_pack_parse(struct policy_pack *out, const char *text, size_t len, struct fault *err)
{
	return parse(out, text, len, false, err);
}

int
policy_pack_proofread(struct policy_pack *out, const char *text, size_t len, struct fault *err)
{
	return parse(out, text, len, true, err);
}
