/*
 * budget.c - see budget.h.
 */
#include "kmsd/activate/budget.h"

#include <string.h>

#include "libkms/base/address.h"

/* A client costs so many tokens, of which one comes back a second: 864 clients a day. */
#define MADE_COST 100
#define WITNESS_COST 100
#define MADE_FULL (1u << 30)
#define WAIT_LEAST 60 /* seconds; as many again is the spread */
#define WAIT_READ 1   /* seconds: a client repeats a request that was served */

static const struct rate relayed_rate = { BUDGET_RELAYED_BURST, BUDGET_RELAYED_REFILL },
			 front_rate = { BUDGET_FRONT_BURST, BUDGET_FRONT_REFILL },
			 read_client = { BUDGET_READS_CLIENT, 1 },
			 read_source = { BUDGET_READS_SOURCE, BUDGET_READS_SOURCE / 8 },
			 read_all = { BUDGET_READS_ALL, BUDGET_READS_ALL / 2 },
			 witness_client = { BUDGET_WITNESS_CLIENT * WITNESS_COST, 1 },
			 witness_source = { BUDGET_WITNESS_SOURCE, BUDGET_WITNESS_SOURCE / 2 },
			 witness_all = { BUDGET_WITNESS_ALL, BUDGET_WITNESS_ALL },
			 refusal_rate = { BUDGET_REFUSALS, 2 }, made_rate = { MADE_FULL, 1 };

static const char *const names[BUDGET_LIMITS] = {
	[BUDGET_SOURCE] = "new_clients_per_source",
	[BUDGET_CLIENTS] = "new_clients",
	[BUDGET_ENTRIES] = "entries",
	[BUDGET_DISK] = "disk_reserve",
	[BUDGET_PACE] = "renewals_per_interval",
	[BUDGET_READS] = "repeats",
	[BUDGET_RELAYED] = "relayed",
	[BUDGET_REFUSAL] = "refusals",
};

const char *
budget_name(enum budget_limit limit)
{
	return names[limit];
}

void
budget_init(struct budget *b, uint64_t seed)
{
	memset(b, 0, sizeof(*b));
	buckets_init(&b->sources, seed);
	buckets_init(&b->wide, seed);
	buckets_init(&b->relayed, seed);
	buckets_init(&b->refusals, seed);
	buckets_init(&b->made, seed);
	buckets_init(&b->reads_sources, seed);
	buckets_init(&b->reads_clients, seed);
	buckets_init(&b->witness_sources, seed);
	buckets_init(&b->witness_clients, seed);
}

static bool
same(const struct rate *a, const struct rate *b)
{
	return a->burst == b->burst && a->refill == b->refill;
}

bool
budget_differs(const struct config *a, const struct config *b)
{
	return !same(&a->new_clients_per_source, &b->new_clients_per_source) ||
	       !same(&a->new_clients, &b->new_clients) || !same(&a->entries, &b->entries);
}

void
budget_fill(struct budget *b)
{
	buckets_init(&b->sources, b->sources.seed);
	buckets_init(&b->wide, b->wide.seed);
	b->clients = b->entries = (struct bucket){ 0 };
}

void
budget_bite(struct budget *b, enum budget_limit limit, const uint8_t address[16], uint64_t now)
{
	struct budget_bites *bites = &b->bites[limit];

	bites->count++;
	bites->last = now;
	memcpy(bites->address, address, 16);
}

/* The limits of one kind of entry, in the order in which they are asked. */
struct asked {
	struct bucket *bucket; /* NULL: not asked */
	const struct rate *rate;
	enum budget_limit limit;
};

/* Takes a token of each, or of none. */
static enum budget_limit
take(struct budget *b, const struct asked *asked, unsigned count, const uint8_t address[16],
    uint64_t now)
{
	for (unsigned i = 0; i < count; i++)
		if (asked[i].bucket != NULL && !bucket_has(asked[i].bucket, asked[i].rate)) {
			budget_bite(b, asked[i].limit, address, now);
			return asked[i].limit;
		}
	for (unsigned i = 0; i < count; i++)
		if (asked[i].bucket != NULL)
			bucket_take(asked[i].bucket);
	return BUDGET_FREE;
}

/* The /48 of an IPv6 address. */
static uint64_t
wide(const uint8_t address[16])
{
	return address_source(address) & ~UINT64_C(0xffff);
}

static struct rate
wide_rate(const struct rate *rate)
{
	return (struct rate){ rate->burst * BUDGET_WIDE, rate->refill * BUDGET_WIDE };
}

static bool
is_new(enum budget_entry entry)
{
	return entry == BUDGET_NEW_CLIENT || entry == BUDGET_REFUSED_NEW;
}

static bool
is_refusal(enum budget_entry entry)
{
	return entry == BUDGET_REFUSED_NEW || entry == BUDGET_REFUSED;
}

enum budget_limit
budget_take(struct budget *b, const struct config *c, enum budget_entry entry,
    const uint8_t address[16], uint64_t now)
{
	uint64_t source = address_source(address);
	struct rate wider = wide_rate(&c->new_clients_per_source);
	struct asked asked[] = {
		{ NULL, &c->new_clients_per_source, BUDGET_SOURCE },
		{ NULL, &wider, BUDGET_SOURCE },
		{ is_new(entry) ? &b->clients : NULL, &c->new_clients, BUDGET_CLIENTS },
		{ NULL, &refusal_rate, BUDGET_REFUSAL },
		{ &b->entries, &c->entries, BUDGET_ENTRIES },
	};

	if (b->disk_low && entry != BUDGET_PACED) {
		budget_bite(b, BUDGET_DISK, address, now);
		return BUDGET_DISK;
	}
	if (entry != BUDGET_PACED && !networks_have(c->exempt.at, c->exempt.count, address)) {
		asked[0].bucket =
		    buckets_find(&b->sources, &c->new_clients_per_source, source, now);
		if (!address_is_ipv4(address))
			asked[1].bucket = buckets_find(&b->wide, &wider, wide(address), now);
		if (is_refusal(entry))
			asked[3].bucket = buckets_find(&b->refusals, &refusal_rate, source, now);
	}
	bucket_fill(&b->clients, &c->new_clients, now);
	bucket_fill(&b->entries, &c->entries, now);
	return take(b, asked, sizeof(asked) / sizeof(asked[0]), address, now);
}

enum budget_limit
budget_take_relayed(struct budget *b, const struct config *c, unsigned front,
    const uint8_t address[16], uint64_t now)
{
	struct bucket *of_front = &b->fronts[front % CONFIG_FRONTS];
	struct asked asked[] = {
		{ NULL, &relayed_rate, BUDGET_RELAYED },
		{ of_front, &front_rate, BUDGET_RELAYED },
	};

	if (b->disk_low) {
		budget_bite(b, BUDGET_DISK, address, now);
		return BUDGET_DISK;
	}
	if (!networks_have(c->exempt.at, c->exempt.count, address))
		asked[0].bucket =
		    buckets_find(&b->relayed, &relayed_rate, address_source(address), now);
	bucket_fill(of_front, &front_rate, now);
	return take(b, asked, sizeof(asked) / sizeof(asked[0]), address, now);
}

/* A CMID is already a hash. */
static uint64_t
cmid_key(const uint8_t cmid[16])
{
	uint64_t key;

	memcpy(&key, cmid, sizeof(key));
	return key;
}

enum budget_limit
budget_take_read(struct budget *b, const struct config *c, const uint8_t cmid[16],
    const uint8_t address[16], uint64_t now)
{
	struct asked asked[] = {
		{ buckets_find(&b->reads_clients, &read_client, cmid_key(cmid), now), &read_client,
		    BUDGET_READS },
		{ NULL, &read_source, BUDGET_READS },
		{ &b->reads, &read_all, BUDGET_READS },
	};

	if (!networks_have(c->exempt.at, c->exempt.count, address))
		asked[1].bucket =
		    buckets_find(&b->reads_sources, &read_source, address_source(address), now);
	bucket_fill(&b->reads, &read_all, now);
	return take(b, asked, sizeof(asked) / sizeof(asked[0]), address, now);
}

bool
budget_take_witness(struct budget *b, const struct config *c, const uint8_t cmid[16],
    const uint8_t address[16], uint64_t now)
{
	struct bucket *source = NULL;
	struct bucket *client =
	    buckets_find(&b->witness_clients, &witness_client, cmid_key(cmid), now);

	if (!networks_have(c->exempt.at, c->exempt.count, address))
		source = buckets_find(
		    &b->witness_sources, &witness_source, address_source(address), now);
	bucket_fill(&b->witnesses, &witness_all, now);
	if (client->left < WITNESS_COST || !bucket_has(&b->witnesses, &witness_all) ||
	    (source != NULL && !bucket_has(source, &witness_source)))
		return false;
	client->left -= WITNESS_COST;
	bucket_take(&b->witnesses);
	if (source != NULL)
		bucket_take(source);
	return true;
}

uint32_t
budget_wait(const struct budget *b, enum budget_limit limit)
{
	if (limit == BUDGET_READS)
		return WAIT_READ;
	return WAIT_LEAST + (uint32_t)(b->bites[limit].count % WAIT_LEAST);
}

uint32_t
budget_made(struct budget *b, const struct config *c, const uint8_t address[16], uint64_t now)
{
	struct bucket *bucket;

	if (networks_have(c->exempt.at, c->exempt.count, address))
		return 0;
	bucket = buckets_find(&b->made, &made_rate, address_source(address), now);
	bucket->left -= bucket->left < MADE_COST ? 0 : MADE_COST;
	return (MADE_FULL - bucket->left + MADE_COST - 1) / MADE_COST;
}
