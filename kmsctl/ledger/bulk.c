/*
 * bulk.c - see bulk.h. Both go through the index once.
 */
#include "kmsctl/ledger/bulk.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/ledger/clients.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/kms_error.h"
#include "policy/policy.h"

/* -- clients to be forgotten -- */

struct choice {
	const struct bulk_wanted *wanted;
	uint32_t minute;
	struct bulk *out;
};

static bool
counts(const struct kmsdb_client *c, uint32_t minute)
{
	return c->seated && kmsdb_client_counts(c, c->publisher, c->pool, minute);
}

static int
choose(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	const struct choice *q = arg;
	struct bulk *b = q->out;
	struct bulk_client *more;

	if (!counts(c, q->minute) || cold->first_seen < q->wanted->since ||
	    cold->first_seen > q->wanted->until ||
	    (q->wanted->name != NULL &&
		!client_name_is(cold->name, q->wanted->name, q->wanted->whole_name)) ||
	    (!q->wanted->any && !network_has(&q->wanted->network, cold->address)))
		return 0;
	if (b->count == b->room) {
		size_t room = b->room == 0 ? 256 : 2 * b->room;

		if ((more = realloc(b->at, room * sizeof(*more))) == NULL)
			return KMS_E_NO_MEMORY;
		b->at = more;
		b->room = room;
	}
	b->at[b->count++] = (struct bulk_client){ *c, *cold };
	return 0;
}

int
bulk_choose(struct ctl *ctl, const struct bulk_wanted *wanted, uint64_t now, struct bulk *out,
    struct fault *fault)
{
	struct choice q = { wanted, policy_minute(now), out };

	memset(out, 0, sizeof(*out));
	return ledger_each_client(ctl, choose, &q, fault);
}

void
bulk_free(struct bulk *b)
{
	free(b->at);
	memset(b, 0, sizeof(*b));
}

/* -- shares -- */

/* A client that counts: in which pool, and where it came from. */
struct counted {
	uint8_t publisher[8];
	uint8_t pool[2];
	uint8_t source[8];
	uint8_t address[16];
};
#define OF_POOL offsetof(struct counted, source)
#define OF_SOURCE offsetof(struct counted, address)

struct count {
	uint32_t minute;
	struct counted *list;
	size_t count, room;
};

static int
take(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct count *q = arg;
	struct counted *more, *one;
	uint64_t source = address_source(cold->address);

	if (!counts(c, q->minute))
		return 0;
	if (q->count == q->room) {
		size_t room = q->room == 0 ? 1024 : 2 * q->room;

		if ((more = realloc(q->list, room * sizeof(*more))) == NULL)
			return KMS_E_NO_MEMORY;
		q->list = more;
		q->room = room;
	}
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
run(const struct count *q, size_t at, size_t octets)
{
	size_t n = 1;

	while (at + n < q->count && memcmp(&q->list[at], &q->list[at + n], octets) == 0)
		n++;
	return n;
}

/* The largest source of the pool whose clients are n from at on. */
static struct share
largest(const struct count *q, const struct config_networks *exempt, size_t at, size_t n)
{
	static const uint8_t erased[16];
	struct share s = { .counted = n };
	size_t end = at + n, m;

	for (; at < end; at += m) {
		const struct counted *c = &q->list[at];

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

int
shares_find(struct kmsdb *db, const struct config_networks *exempt, uint64_t now, struct share *out,
    size_t max, size_t *count)
{
	struct count q = { .minute = policy_minute(now) };
	int rc = kmsdb_each_client(db, take, &q);
	size_t n;

	*count = 0;
	if (rc == KMS_OK && q.count > 0)
		qsort(q.list, q.count, sizeof(*q.list), by_pool_and_source);
	for (size_t at = 0; rc == KMS_OK && at < q.count && *count < max; at += n) {
		n = run(&q, at, OF_POOL);
		out[*count] = largest(&q, exempt, at, n);
		*count += out[*count].clients >= POLICY_SHARE_LEAST &&
			  out[*count].clients >= n / POLICY_SHARE_PART;
	}
	free(q.list);
	return rc;
}
