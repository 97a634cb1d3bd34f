/*
 * simulate.c - the two passes over the ledger.
 */
#include "kmsctl/ledger/simulate.h"

#include <string.h>

#include "libkms/kms_error.h"

static struct simulate_product *
product_of(struct simulation *s, const uint8_t id[16])
{
	for (unsigned i = 0; i < s->product_count; i++) {
		const struct policy_product *p =
		    s->products[i].after != NULL ? s->products[i].after : s->products[i].before;

		if (memcmp(p->id, id, 16) == 0)
			return &s->products[i];
	}
	return NULL;
}

static struct simulate_pool *
pool_of(struct simulation *s, uint16_t number)
{
	for (unsigned i = 0; i < s->pool_count; i++) {
		const struct policy_pool *p =
		    s->pools[i].after != NULL ? s->pools[i].after : s->pools[i].before;

		if (p->number == number)
			return &s->pools[i];
	}
	return NULL;
}

void
simulate_init(
    struct simulation *s, const struct publisher *in, const struct policy_pack *next, uint64_t now)
{
	struct simulate_product *product;
	struct simulate_pool *pool;

	memset(s, 0, sizeof(*s));
	s->in = in;
	s->next = next;
	s->now = now;
	for (unsigned i = 0; i < next->product_count; i++)
		s->products[s->product_count++].after = &next->products[i];
	for (unsigned i = 0; i < next->pool_count; i++)
		s->pools[s->pool_count++].after = &next->pools[i];
	for (unsigned i = 0; in->pack != NULL && i < in->pack->product_count; i++) {
		if ((product = product_of(s, in->pack->products[i].id)) == NULL)
			product = &s->products[s->product_count++];
		product->before = &in->pack->products[i];
	}
	for (unsigned i = 0; in->pack != NULL && i < in->pack->pool_count; i++) {
		if ((pool = pool_of(s, in->pack->pools[i].number)) == NULL)
			pool = &s->pools[s->pool_count++];
		pool->before = &in->pack->pools[i];
	}
	for (unsigned i = 0; i < s->product_count; i++) {
		product = &s->products[i];
		product->covered =
		    in->confirmed &&
		    certificate_covers(&in->certificate,
			(product->after != NULL ? product->after : product->before)->id);
	}
}

/* One client with everything that the simulation needs. */
struct candidate {
	const struct kmsdb_client *client;
	const struct kmsdb_cold *cold; /* NULL: unknown */
	struct simulate_product *product;
	struct simulate_pool *before, *after; /* its product's; NULL: the pack does not name it */
	bool counted_before;                  /* in the pool of the pack in force */
	bool comes;  /* was seen within the new window: is expected to ask again */
	bool seated; /* already has its seat in the new pool */
};

static bool
counted(const struct simulation *s, const struct kmsdb_client *c, const struct policy_pool *pool)
{
	return kmsdb_client_counts(c, s->in->public.key.id, pool->number, policy_minute(s->now));
}

/* Would a client that was last seen then still count, by that pool's window? */
static bool
seen_within(
    const struct simulation *s, const struct kmsdb_client *c, const struct policy_pool *pool)
{
	return entry_counts_until(c->last_seen, pool->window) > policy_minute(s->now);
}

static bool
has_lease(const struct simulation *s, const struct kmsdb_client *c)
{
	return c->kind == ENTRY_LEASE && c->expires > s->now;
}

/* False: this client is not judged. */
static bool
consider(struct simulation *s, const struct kmsdb_client *c, struct candidate *out)
{
	bool lately;

	memset(out, 0, sizeof(*out));
	if (memcmp(c->publisher, s->in->public.key.id, 8) != 0 || (c->flags & KMSDB_REVOKED) != 0 ||
	    (c->flags & (KMSDB_RELEASED | KMSDB_ENDED)) != 0 ||
	    (out->product = product_of(s, c->product)) == NULL)
		return false;
	out->client = c;
	if (out->product->before != NULL)
		out->before = pool_of(s, s->in->pack->pools[out->product->before->pool].number);
	if (out->product->after != NULL)
		out->after = pool_of(s, s->next->pools[out->product->after->pool].number);
	out->counted_before = out->before != NULL && counted(s, c, out->before->before);
	out->seated = out->after != NULL && counted(s, c, out->after->after);
	out->comes = out->after != NULL && seen_within(s, c, out->after->after);
	lately = out->comes || (out->before != NULL && seen_within(s, c, out->before->before));
	return lately || has_lease(s, c);
}

static bool
refused_as_machine(const struct candidate *c)
{
	return (c->client->flags & ENTRY_VM) != 0 && c->product->after->vm == POLICY_REFUSE;
}

static int
count_one(const struct kmsdb_client *client, const struct kmsdb_cold *host, void *arg)
{
	struct simulation *s = arg;
	struct candidate c;
	struct simulate_pool *pool;
	static const uint8_t nobody[8];

	if (memcmp(client->publisher, nobody, 8) == 0 && client->status == KMS_E_UNKNOWN_PRODUCT)
		s->nameless++;
	/* A seat counts in the pool that the ledger has, whatever its product is called now. */
	if ((pool = pool_of(s, client->pool)) != NULL && pool->before != NULL &&
	    counted(s, client, pool->before))
		pool->counted_before++;
	if (!consider(s, client, &c)) {
		s->away += memcmp(client->publisher, s->in->public.key.id, 8) == 0;
		return 0;
	}
	s->clients++;
	c.product->clients++;
	if (c.after == NULL || !c.comes || !c.product->covered || refused_as_machine(&c))
		return 0;
	if (c.seated)
		c.after->seated++;
	else
		c.after->coming++;
	return 0;
}

/* The final count of each pool: clients with a seat, and as many others as there is room for. */
static void
settle_pools(struct simulation *s)
{
	for (unsigned i = 0; i < s->pool_count; i++) {
		struct simulate_pool *p = &s->pools[i];
		uint32_t limit, all = p->seated + p->coming;

		if (p->after == NULL)
			continue;
		limit = publisher_capacity(s->in, p->after);
		p->running = p->seated;
		p->counted_after = limit == 0 || all <= limit ? all
				   : p->seated > limit        ? p->seated
							      : limit;
	}
}

/*
 * What the ledger knows of the machine and of who holds the key. A client whose binding is not
 * known is taken for one that sends its machine's id: most machines have one.
 */
static void
fill_holders(
    struct policy_client *client, struct message_request *request, const struct candidate *c)
{
	static const uint8_t some[MESSAGE_BINDING_SIZE] = { 1 };
	const struct kmsdb_cold *cold = c->cold;

	request->binding = some;
	if (cold == NULL)
		return;
	if ((c->client->flags & KMSDB_HELD) != 0)
		client->held_until = cold->hold_end;
	client->bound = cold->bound;
	memcpy(client->binding, cold->binding, sizeof(client->binding));
	if (cold->bound)
		request->binding = cold->binding;
}

static void
ask(const struct simulation *s, const struct candidate *c, const struct policy_pack *pack,
    const struct policy_product *product, bool counted_now, uint32_t count,
    struct policy_decision *out)
{
	struct policy_host host;
	struct policy_client client = {
		.known = c->client->kind != 0,
		.counted = counted_now,
		.sequence = c->client->sequence,
	};
	struct message_request request = {
		.operation = c->client->kind == ENTRY_LEASE ? MESSAGE_RENEW : MESSAGE_ACTIVATE,
		.flags = c->client->flags & ENTRY_VM ? MESSAGE_VM : 0,
		.time = s->now,
		.sequence = c->client->sequence + 1,
	};
	struct policy_counters counters = { .counted = count };

	publisher_host(s->in, c->product->covered, &host);
	fill_holders(&client, &request, c);
	memcpy(request.product, c->client->product, 16);
	policy_decide(out, pack, product, &host, &counters, &client, &request, s->now);
}

static void
ask_after(struct simulation *s, const struct candidate *c, struct policy_decision *out)
{
	struct simulate_pool *p = c->after;
	uint32_t count = 0;
	bool seat = c->seated;

	if (p != NULL) {
		/* A new client that finds a place gets the final count, including itself. */
		count = p->counted_after;
		if (!seat && c->comes && p->running < p->counted_after) {
			count--;
			p->running++;
		}
	}
	ask(s, c, s->next, c->product->after, seat, count, out);
}

/*
 * When the client will notice: at the end of its lease, or, without a lease, at its next request.
 */
static uint64_t
when(const struct simulation *s, const struct candidate *c, bool gain, bool *lease)
{
	const struct kmsdb_client *k = c->client;
	uint64_t next;

	*lease = has_lease(s, k);
	if (*lease && !gain)
		return k->expires;
	*lease = false;
	next = c->product->before == NULL
		   ? k->last_seen
		   : k->last_seen + 60 * (uint64_t)(k->kind == ENTRY_LEASE
							? c->product->before->renewal_interval
							: c->product->before->activation_interval);
	return next > s->now ? next : s->now;
}

static int
judge_one(const struct kmsdb_client *client, const struct kmsdb_cold *host, void *arg)
{
	struct simulation *s = arg;
	struct policy_decision before, after;
	struct simulate_change change;
	struct candidate c;
	bool was, is;

	if (!consider(s, client, &c))
		return 0;
	c.cold = host;
	ask(s, &c, s->in->pack, c.product->before, c.counted_before,
	    c.before != NULL ? c.before->counted_before : 0, &before);
	ask_after(s, &c, &after);
	was = before.outcome == POLICY_GRANT;
	is = after.outcome == POLICY_GRANT;
	c.product->activated_before += was;
	c.product->activated_after += is;
	if (was == is)
		return 0;
	change = (struct simulate_change){ .gain = is,
		.client = client,
		.host = host,
		.product = c.product->after != NULL ? c.product->after : c.product->before,
		.status = is ? before.status : after.status };
	change.from = when(s, &c, is, &change.lease);
	*(is ? &c.product->gain : &c.product->lose) += 1;
	*(is ? &s->gain : &s->lose) += 1;
	return s->change(&change, s->arg);
}

int
simulate_run(struct simulation *s, struct kmsdb *db, simulate_change_fn change, void *arg)
{
	int rc;

	s->change = change;
	s->arg = arg;
	if ((rc = kmsdb_each_client(db, count_one, s)) != KMS_OK)
		return rc;
	settle_pools(s);
	return kmsdb_each_client(db, judge_one, s);
}
