/*
 * shares.c - see shares.h.
 */
#include "kmsctl/ledger/shares.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/ledger/client_filter.h"
#include "libkms/base/address.h"
#include "libkms/base/grow.h"
#include "libkms/kms_error.h"
#include "policy/policy.h"

/* A client that counts: in which pool, and where it came from. */
struct shares_client {
	uint8_t publisher[8];
	uint8_t pool[2];
	uint8_t source[8];
	uint8_t address[16];
};
#define OF_POOL offsetof(struct shares_client, source)
#define OF_SOURCE offsetof(struct shares_client, address)

int
shares_add(struct shares *q, const struct kmsdb_client *c, const struct kmsdb_cold *cold)
{
	struct shares_client *more, *one;
	uint64_t source = address_source(cold->address);

	if (!client_counts(c, q->now))
		return 0;
	if ((more = grow_list(q->list, q->count, &q->room, sizeof(*more))) == NULL)
		return KMS_E_NO_MEMORY;
	q->list = more;
	one = &q->list[q->count++];
	memcpy(one->publisher, c->publisher, 8);
	one->pool[0] = (uint8_t)(c->pool >> 8);
	one->pool[1] = (uint8_t)c->pool;
	memcpy(one->source, &source, sizeof(source));
	memcpy(one->address, cold->address, 16);
	return 0;
}

static int
by_pool_and_source(const void *a, const void *b)
{
	return memcmp(a, b, OF_SOURCE);
}

/* How many from at on are equal in their first octets. */
static size_t
run(const struct shares *q, size_t at, size_t octets)
{
	size_t n = 1;

	while (at + n < q->count && memcmp(&q->list[at], &q->list[at + n], octets) == 0)
		n++;
	return n;
}

/* The largest source of the pool whose clients are n from at on. */
static struct share
largest(const struct shares *q, const struct config_networks *exempt, size_t at, size_t n)
{
	static const uint8_t erased[16];
	struct share s = { .counted = n };
	size_t end = at + n, m;

	for (; at < end; at += m) {
		const struct shares_client *c = &q->list[at];

		m = run(q, at, OF_SOURCE);
		if (m <= s.clients || memcmp(c->address, erased, 16) == 0 ||
		    networks_have(exempt->at, exempt->count, c->address))
			continue;
		s.clients = m;
		s.pool = (uint16_t)(c->pool[0] << 8 | c->pool[1]);
		memcpy(s.publisher, c->publisher, 8);
		memcpy(s.address, c->address, 16);
	}
	return s;
}

size_t
shares_find(struct shares *q, const struct config_networks *exempt, struct share *out, size_t max)
{
	size_t n, found = 0;

	if (q->count > 0)
		qsort(q->list, q->count, sizeof(*q->list), by_pool_and_source);
	for (size_t at = 0; at < q->count && found < max; at += n) {
		n = run(q, at, OF_POOL);
		out[found] = largest(q, exempt, at, n);
		found += out[found].clients >= POLICY_SHARE_LEAST &&
			 out[found].clients >= n / POLICY_SHARE_PART;
	}
	return found;
}

void
shares_free(struct shares *q)
{
	free(q->list);
	q->list = NULL;
	q->count = q->room = 0;
}
