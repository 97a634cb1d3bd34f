/*
 * classes.c - see classes.h.
 */
#include "kmsd/activate/classes.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/glob.h"

uint16_t
class_number(const char *name)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	unsigned number;

	crypto_hash_sha256(hash, (const uint8_t *)name, strlen(name));
	number = (unsigned)hash[0] << 8 | hash[1];
	return (uint16_t)(number != 0 ? number : 1);
}

void
classes_take(struct class_list *out, const struct config *c)
{
	out->count = c->class_count;
	for (unsigned i = 0; i < c->class_count; i++) {
		out->at[i].of = &c->classes[i];
		out->at[i].number = class_number(c->classes[i].name);
	}
}

/* -- what can be wrong -- */

static int
check_numbers(const struct class_list *all, struct fault *f)
{
	for (unsigned i = 0; i < all->count; i++)
		for (unsigned k = 0; k < i; k++)
			if (all->at[i].number == all->at[k].number)
				return fault_set(f, KMS_E_CONFIG,
				    "[class %s] and [class %s] would have the same number in the journal: rename one of them",
				    all->at[k].of->name, all->at[i].of->name);
	return KMS_OK;
}

static bool
is_of(const struct config_class *class, const struct publisher *publisher,
    const struct policy_pool *pool)
{
	return strcmp(class->pool, pool->name) == 0 &&
	       (class->publisher[0] == '\0' || strcmp(class->publisher, publisher->name) == 0);
}

static const struct policy_pool *
pool_of(const struct config_class *class, const struct publisher *p)
{
	for (unsigned i = 0; p->pack != NULL && i < p->pack->pool_count; i++)
		if (is_of(class, p, &p->pack->pools[i]))
			return &p->pack->pools[i];
	return NULL;
}

static int
check_pools(const struct class_list *all, const struct publishers *s, struct fault *f)
{
	for (unsigned i = 0; i < all->count; i++) {
		const struct config_class *class = all->at[i].of;
		const struct publisher *first = NULL;

		for (unsigned k = 0; k < s->count; k++) {
			if (pool_of(class, &s->list[k]) == NULL)
				continue;
			if (first != NULL)
				return fault_set(f, KMS_E_CONFIG,
				    "[class %s] is of pool %s, which publishers %s and %s both have: add publisher = NAME",
				    class->name, class->pool, first->name, s->list[k].name);
			first = &s->list[k];
		}
	}
	return KMS_OK;
}

static int
check_reserves(const struct class_list *all, const struct publisher *p,
    const struct policy_pool *pool, struct fault *f)
{
	uint32_t capacity = publisher_capacity(p, pool);
	uint64_t kept = 0;

	for (unsigned i = 0; i < all->count; i++)
		kept += is_of(all->at[i].of, p, pool) ? all->at[i].of->reserve : 0;
	if (capacity == 0 || kept <= capacity)
		return KMS_OK;
	return fault_set(f, KMS_E_CONFIG,
	    "the classes of pool %s of publisher %s reserve %llu seats, %llu more than its capacity of %u",
	    pool->name, p->name, (unsigned long long)kept, (unsigned long long)(kept - capacity),
	    capacity);
}

int
classes_check(const struct class_list *all, const struct publishers *s, struct fault *f)
{
	int rc = check_numbers(all, f);

	if (rc == KMS_OK)
		rc = check_pools(all, s, f);
	for (unsigned i = 0; i < s->count && all->count > 0; i++) {
		const struct publisher *p = &s->list[i];

		for (unsigned k = 0; rc == KMS_OK && p->pack != NULL && k < p->pack->pool_count;
		     k++)
			rc = check_reserves(all, p, &p->pack->pools[k], f);
	}
	return rc;
}

/* -- of one pool -- */

void
classes_in(struct class_pool *out, const struct class_list *all, const struct publisher *publisher,
    const struct policy_pool *pool)
{
	out->count = 0;
	for (unsigned i = 0; i < all->count; i++) {
		const struct config_class *of = all->at[i].of;

		if (!is_of(of, publisher, pool))
			continue;
		out->at[out->count] =
		    (struct policy_class){ .reserve = of->reserve, .limit = of->limit };
		out->number[out->count] = all->at[i].number;
		out->of[out->count++] = of;
	}
}

void
classes_of_pool(struct class_pool *out, const struct class_list *all,
    const struct publisher *publisher, const struct policy_pool *pool, struct kmsdb *db,
    uint32_t minute)
{
	struct kmsdb_class counts[CONFIG_CLASSES];

	classes_in(out, all, publisher, pool);
	if (out->count == 0)
		return;
	for (unsigned i = 0; i < out->count; i++)
		counts[i].class = out->number[i];
	kmsdb_class_counts(db, publisher->public.key.id, pool->number, minute, counts, out->count);
	for (unsigned i = 0; i < out->count; i++) {
		out->at[i].counted = counts[i].counted;
		out->at[i].next = counts[i].next;
	}
}

bool
class_matches(const struct config_class *class, const struct class_client *c)
{
	const struct config_patterns *names = &class->names;
	bool named = names->count == 0;

	if (class->networks.count > 0 &&
	    !networks_have(class->networks.at, class->networks.count, c->address))
		return false;
	for (unsigned i = 0; !named && i < names->count; i++)
		named = glob_match(names->at[i], c->name) ||
			(c->user[0] != '\0' && glob_match(names->at[i], c->user));
	return named;
}

const struct policy_class *
classes_match(const struct class_pool *p, const struct class_client *c)
{
	for (unsigned i = 0; i < p->count; i++)
		if (class_matches(p->of[i], c))
			return &p->at[i];
	return NULL;
}

const struct policy_class *
classes_numbered(const struct class_pool *p, uint16_t number)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->number[i] == number)
			return &p->at[i];
	return NULL;
}

uint16_t
classes_number(const struct class_pool *p, const struct policy_class *class)
{
	return class != NULL ? p->number[class - p->at] : 0;
}
