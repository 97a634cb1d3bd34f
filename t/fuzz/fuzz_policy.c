/*
 * fuzz_policy.c - policy packs. What is accepted keeps every index inside its
 * array, and deciding with it stays sane.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/pack.h"
#include "t/fuzz/fuzz.h"

static void
check_products(const struct policy_pack *p)
{
	MUST(p->product_count > 0 && p->product_count <= POLICY_PRODUCTS);
	for (unsigned i = 0; i < p->product_count; i++) {
		const struct policy_product *product = &p->products[i];

		MUST(product->group < p->group_count && product->pool < p->pool_count);
		MUST(product->threshold > 0 && product->renewal_interval < product->validity);
		MUST(!policy_floating(&p->pools[product->pool]) ||
		     product->validity < p->pools[product->pool].window);
		MUST(policy_product_find(p, product->id) == product);
	}
}

static void
check_pools(const struct policy_pack *p)
{
	for (unsigned i = 0; i < p->pool_count; i++) {
		const struct policy_pool *pool = &p->pools[i];

		MUST(pool->overdraft <= 100 && pool->window >= 5);
		MUST(pool->borrow_seats == 0 || pool->borrow != 0);
	}
}

static void
check_groups(const struct policy_pack *p)
{
	MUST(p->group_count > 0 && p->group_count <= POLICY_GROUPS);
	for (unsigned i = 0; i < p->group_count; i++) {
		MUST(p->groups[i].covers & UINT32_C(1) << i);
		for (unsigned k = 0; k < p->group_count; k++) {
			if (!(p->groups[i].covers & UINT32_C(1) << k))
				continue;
			/* Closed: what is covered brings along what it covers. */
			MUST((p->groups[k].covers & ~p->groups[i].covers) == 0);
			MUST(k == i || !(p->groups[k].covers & UINT32_C(1) << i));
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_pack *p = malloc(sizeof(*p));
	struct fault err;

	if (p == NULL)
		return 0;
	if (policy_pack_parse(p, (const char *)data, size, &err) == KMS_OK) {
		check_groups(p);
		check_products(p);
		check_pools(p);
		MUST(policy_pack_succeeds(p, p) == KMS_E_EXISTS);
	} else {
		MUST(err.text[0] != '\0' && err.line >= 0);
		MUST(memchr(err.text, '\0', sizeof(err.text)) != NULL);
	}
	free(p);
	return 0;
}
