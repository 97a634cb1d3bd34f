/*
 * model.c - several hosts that count together, as random histories: does any of them sell more
 * seats than were bought?
 *
 *	model [--transfers] [--histories N] [--seed S] [--until-oversold] [--show]
 *
 * Rights are claimed in a list; with --transfers hosts give them to each other.
 *
 * Decisions, rows and rights are those of the shipped code (policy_decide, apply, rights.h). What
 *is modelled is the world around them: an engine that keeps batches, claims and heartbeats;
 *machines with clocks that are apart and are set; links that break; disks that are copied,
 *restored, and run beside their copies; clients that move, give back, borrow and come again;
 *administrators.
 *
 * After each step all chains of the engine, and what machines have written since, are merged, and
 *the clients that count are compared with the capacity, by every clock within eight hours of all
 * others. A machine whose key another machine has too is left out until it has heard the engine:
 * what it wrote is set aside then.
 *
 * A history is its seed. Exit 0: none oversold; 1: one did (with --until-oversold the other way
 * round).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsdb/apply.h"
#include "policy/policy.h"
#include "policy/rights.h"

#define HOSTS 3
#define MACHINES 6
#define CLIENTS 12
#define ACTS 400
#define POOLS 3 /* by the day with overdraft, by the day, floating */
#define CLAIMS 400
#define SHADOWS 400
#define STEPS 300
#define START UINT64_C(1767225600) /* 2026-01-01 */
#define WITHIN (4 * 3600)          /* seconds that a clock is wrong by, either way */
#define RESERVE 3                  /* rights that a host claims ahead */

static const uint8_t publisher[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

/* -- chance -- */

static uint64_t chance;

static uint32_t
pick(uint32_t below)
{
	chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((chance >> 33) % below);
}

/* Seconds; the worst ones often. */
static int64_t
wrong_by(void)
{
	switch (pick(4)) {
	case 0:
		return -WITHIN;
	case 1:
		return WITHIN;
	default:
		return (int64_t)pick(2 * WITHIN) - WITHIN;
	}
}

/* -- the world -- */

/* An entry, which is a batch of its own. */
struct act {
	uint64_t id; /* of the model: two that are equal are the same */
	unsigned client;
	struct apply_entry e;
	/* With --transfers: rights given to a host, or that may have been used and lost. */
	enum { NOTHING_GIVEN, GIVEN, HELD } gives;
	unsigned to, pool;
	uint64_t rights;
	uint64_t until; /* HELD: seconds by its own clock */
};
struct chain {
	struct act acts[ACTS];
	unsigned count;
};
struct claim {
	unsigned host, pool;
	int64_t rights;
	uint64_t
	    until; /* seconds by the claimer's clock; given back: nobody may have them before */
};
struct beat {
	uint64_t time;
	uint64_t heard[HOSTS];
};
/* It keeps what it is given, and gives it to all. */
static struct engine {
	struct chain chains[HOSTS];
	struct claim claims[CLAIMS];
	unsigned claim_count;
	struct beat beats[HOSTS];
} engine;

/* A loser whose seat may still be seen, and the winner that not all have heard. */
struct shadow {
	unsigned client;
	struct rights_act loser, winner;
};
/* What is on a machine's disk. */
struct disk {
	unsigned host;
	struct chain own;
	unsigned heard[HOSTS];    /* of the engine's chains */
	unsigned claims;          /* of the engine's list */
	struct beat beats[HOSTS]; /* up to whose heads it has all batches */
	bool row_is[CLIENTS];
	struct client_row rows[CLIENTS];
	struct kmsdb_cold cold[CLIENTS];
	struct shadow shadows[SHADOWS];
	unsigned shadow_count;
	uint64_t counter, clock;
};
static struct machine {
	bool exists, linked;
	bool ready; /* it has heard the engine since it started */
	bool twin;  /* another machine has its key, too */
	int64_t wrong;
	struct disk disk;
} machines[MACHINES];
static struct disk backups[HOSTS];
static bool has_backup[HOSTS];
static uint64_t sequences[CLIENTS]; /* of the clients' states */
static uint64_t now, ids;
static struct policy_pack pack;
static uint32_t bought;
static bool shown, transfers;
static struct {
	uint64_t histories, grants, free, refused, claimed, aside, again, lost, restored;
} totals;

static uint64_t
clock_of(const struct machine *m)
{
	return now + (uint64_t)m->wrong;
}

static void
make_pack(void)
{
	memset(&pack, 0, sizeof(pack));
	pack.pool_count = pack.product_count = POOLS;
	for (unsigned i = 0; i < POOLS; i++) {
		pack.pools[i] = (struct policy_pool){
			.number = (uint16_t)(1 + i), .window = 2 * 1440, .borrow = 5 * 1440
		};
		pack.products[i] = (struct policy_product){ .pool = (uint8_t)i,
			.threshold = 1,
			.renewal_interval = 60,
			.validity = 1440,
			.clones = POLICY_ALLOW };
		pack.products[i].id[0] = (uint8_t)(1 + i);
	}
}

static void
cmid_of(uint8_t cmid[16], unsigned client)
{
	memset(cmid, 0, 16);
	cmid[0] = 0x40;
	cmid[15] = (uint8_t)client;
}

/* What may be given of a pool in all. */
static uint32_t
most(unsigned pool)
{
	return bought + policy_overdraft(&pack.pools[pool], bought);
}

/* -- rows -- */

static struct rights_act
act_of_row(const struct client_row *row)
{
	struct rights_act a = { .pool = row->c.pool, .chain = row->c.chain, .batch = row->c.batch };

	a.until = kmsdb_client_counts(&row->c, publisher, row->c.pool, 0) ? row->c.until : 0;
	return a;
}

static struct rights_act
act_of_entry(const struct apply_entry *e)
{
	struct rights_act a = { .chain = e->place.chain, .batch = e->place.batch };

	if (e->effect == APPLY_CLIENT && e->kind == ENTRY_LEASE) {
		a.pool = e->client.pool;
		a.until = e->client.until;
	}
	return a;
}

static void
add_shadow(struct disk *d, unsigned client, const struct rights_act *loser,
    const struct rights_act *winner)
{
	if (d->shadow_count == SHADOWS)
		abort();
	d->shadows[d->shadow_count++] = (struct shadow){ client, *loser, *winner };
}

/* An entry reaches the rows of a machine. */
static void
take(struct disk *d, const struct act *a)
{
	struct client_row *row = &d->rows[a->client];
	struct rights_act before = { 0 }, entry = act_of_entry(&a->e), after;
	bool known = d->row_is[a->client];

	if (a->e.effect == APPLY_NOTHING)
		return;
	if (known)
		before = act_of_row(row);
	apply(row, &d->cold[a->client], known, &a->e);
	d->row_is[a->client] = true;
	after = act_of_row(row);
	if (after.chain == entry.chain && after.batch == entry.batch) {
		if (known && rights_lingers(&before, &after))
			add_shadow(d, a->client, &before, &after);
	} else if (rights_lingers(&entry, &after)) {
		add_shadow(d, a->client, &entry, &after);
	}
}

/* What it heard alone makes the rows: in the order of the chains, which does not matter. */
static void
make_rows(struct disk *d)
{
	memset(d->row_is, 0, sizeof(d->row_is));
	d->shadow_count = 0;
	for (unsigned h = 0; h < HOSTS; h++) {
		const struct chain *c = h == d->host ? &d->own : &engine.chains[h];
		unsigned count = h == d->host ? c->count : d->heard[h];

		for (unsigned i = 0; i < count; i++)
			take(d, &c->acts[i]);
	}
}

static bool
counts(const struct disk *d, unsigned client, unsigned pool, uint32_t minute)
{
	return d->row_is[client] &&
	       kmsdb_client_counts(&d->rows[client].c, publisher, (uint16_t)(pool + 1), minute);
}

/* -- rights -- */

static uint64_t
used(const struct chain *c, unsigned count, unsigned pool)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct apply_entry *e = &c->acts[i].e;

		n += e->effect == APPLY_CLIENT && (e->client.flags & ENTRY_RIGHT) != 0 &&
		     e->client.pool == pool + 1;
	}
	return n;
}

static struct rights_member
member(const struct disk *d, unsigned host, unsigned pool)
{
	struct rights_member m = { .beat = engine.beats[host].time };
	int64_t claimed = 0;

	for (unsigned i = 0; i < d->claims; i++)
		if (engine.claims[i].host == host && engine.claims[i].pool == pool)
			claimed += engine.claims[i].rights;
	m.claimed = claimed > 0 ? (uint64_t)claimed : 0;
	m.used = host == d->host ? used(&d->own, d->own.count, pool)
				 : used(&engine.chains[host], d->heard[host], pool);
	return m;
}

/* Clients that some member may see as counted, as far as heartbeats tell. */
static void
find_taken(const struct disk *d, unsigned pool, bool taken[CLIENTS])
{
	struct rights_member list[HOSTS];
	uint64_t heard[HOSTS][HOSTS];
	uint32_t since;

	for (unsigned h = 0; h < HOSTS; h++) {
		list[h] = (struct rights_member){ .beat = d->beats[h].time };
		for (unsigned k = 0; k < HOSTS; k++)
			heard[k][h] = d->beats[h].heard[k];
	}
	since = rights_since(list, HOSTS);
	for (unsigned c = 0; c < CLIENTS; c++)
		taken[c] = counts(d, c, pool, since);
	for (unsigned i = 0; i < d->shadow_count; i++) {
		const struct shadow *s = &d->shadows[i];

		if (s->loser.pool == pool + 1 && s->loser.until > since &&
		    !rights_heard(&s->winner, heard[s->winner.chain], HOSTS))
			taken[s->client] = true;
	}
}

/* Is a before b in the order of a client's acts (apply.h)? Both used a right. */
static bool
before(const struct act *a, unsigned of_a, const struct act *b, unsigned of_b)
{
	if (a->e.client.sequence != b->e.client.sequence)
		return a->e.client.sequence < b->e.client.sequence;
	return of_a != of_b ? of_a < of_b : a->e.place.batch < b->e.place.batch;
}

/*
 * Is the right that the client binds in the pool this host's? That of the highest act which used
 * one is, as kmsdb/share_rights.h has it from the index: here from a plain scan.
 */
static bool
holds(const struct disk *d, unsigned client, unsigned pool)
{
	const struct act *best = NULL;
	unsigned of = HOSTS;

	for (unsigned h = 0; h < HOSTS; h++) {
		const struct chain *c = h == d->host ? &d->own : &engine.chains[h];
		unsigned count = h == d->host ? c->count : d->heard[h];

		for (unsigned i = 0; i < count; i++) {
			const struct act *a = &c->acts[i];

			if (a->client == client && a->e.effect == APPLY_CLIENT &&
			    (a->e.client.flags & ENTRY_RIGHT) != 0 &&
			    a->e.client.pool == pool + 1 &&
			    (best == NULL || before(best, of, a, h))) {
				best = a;
				of = h;
			}
		}
	}
	return of == d->host;
}

static uint64_t
left_of(const struct disk *d, unsigned pool, uint64_t clock)
{
	struct rights_purse p = { .first = d->host == 0 ? most(pool) : 0 };
	bool taken[CLIENTS];

	find_taken(d, pool, taken);
	for (unsigned c = 0; c < CLIENTS; c++)
		p.bound += taken[c] && holds(d, c, pool);
	for (unsigned h = 0; h < HOSTS; h++) {
		bool own = h == d->host;
		const struct chain *c = own ? &d->own : &engine.chains[h];

		for (unsigned i = 0; i < (own ? c->count : d->heard[h]); i++) {
			const struct act *a = &c->acts[i];

			if (a->gives == NOTHING_GIVEN || a->pool != pool)
				continue;
			p.received += a->gives == GIVEN && a->to == d->host ? a->rights : 0;
			p.given += own && a->gives == GIVEN ? a->rights : 0;
			p.held += own && a->gives == HELD && a->until > clock ? a->rights : 0;
		}
	}
	return rights_left(&p);
}

static uint64_t
free_of(const struct disk *d, unsigned pool)
{
	struct rights_member m = member(d, d->host, pool);

	return transfers ? left_of(d, pool, d->clock) : rights_free(&m);
}

/* -- writing -- */

static void
append(struct machine *m, unsigned client, struct apply_entry *e)
{
	struct chain *own = &m->disk.own;
	struct act *a;

	if (own->count == ACTS)
		return;
	e->place = (struct apply_place){ .chain = (uint16_t)m->disk.host, .batch = own->count + 1 };
	a = &own->acts[own->count++];
	*a = (struct act){ .id = ++ids, .client = client, .e = *e };
	cmid_of(a->e.key, client);
	take(&m->disk, a);
}

static void
write_rights(
    struct machine *m, int gives, unsigned to, unsigned pool, uint64_t rights, uint64_t until)
{
	struct apply_entry e = { .effect = APPLY_NOTHING, .time = clock_of(m) };
	struct chain *own = &m->disk.own;

	if (own->count == ACTS)
		abort();
	append(m, 0, &e);
	own->acts[own->count - 1].gives = gives;
	own->acts[own->count - 1].to = to;
	own->acts[own->count - 1].pool = pool;
	own->acts[own->count - 1].rights = rights;
	own->acts[own->count - 1].until = until;
}

static void
write_seat(struct machine *m, unsigned client, unsigned pool, uint8_t kind, uint64_t sequence,
    const struct policy_decision *d, const uint8_t request_id[16])
{
	struct apply_entry e = { .effect = APPLY_CLIENT, .kind = kind, .time = clock_of(m) };
	struct entry_client *c = &e.client;

	c->kind = kind;
	c->time = e.time;
	cmid_of(c->cmid, client);
	memcpy(c->product, pack.products[pool].id, 16);
	memcpy(c->publisher, publisher, 8);
	memcpy(c->request_id, request_id, 16);
	c->pool = (uint16_t)(pool + 1);
	c->sequence = sequence;
	c->until = d->until;
	c->expires = d->expires;
	c->flags = (uint16_t)((d->right ? ENTRY_RIGHT : 0) | (d->borrowed ? ENTRY_BORROWED : 0) |
			      (d->overdraft ? ENTRY_OVERDRAFT : 0));
	append(m, client, &e);
}

/* -- the engine -- */

/* What the engine has in the place of this machine's last batches; the count that both have. */
static unsigned
common(const struct disk *d)
{
	const struct chain *c = &engine.chains[d->host];
	unsigned i = 0;

	while (i < c->count && i < d->own.count && c->acts[i].id == d->own.acts[i].id)
		i++;
	return i;
}

/* The seats of batches that were set aside are entered again. */
static void
enter_again(struct machine *m, const struct chain *aside, unsigned from)
{
	for (unsigned i = from; i < aside->count; i++) {
		const struct apply_entry *e = &aside->acts[i].e;
		struct policy_decision d = { .until = e->client.until,
			.expires = e->client.expires };
		unsigned pool = e->client.pool - 1u, client = aside->acts[i].client;
		enum rights_again again;

		if (e->effect != APPLY_CLIENT || e->kind != ENTRY_LEASE)
			continue;
		/* The client came again meanwhile: what it has now is there. */
		if (m->disk.row_is[client] && m->disk.rows[client].c.sequence >= e->client.sequence)
			continue;
		again = rights_again(counts(&m->disk, client, pool, policy_minute(clock_of(m))),
		    free_of(&m->disk, pool));
		totals.again += again != RIGHTS_AGAIN_NONE;
		totals.lost += again == RIGHTS_AGAIN_NONE;
		if (again == RIGHTS_AGAIN_NONE)
			continue;
		d.right = again == RIGHTS_AGAIN_RIGHT;
		write_seat(
		    m, client, pool, ENTRY_LEASE, e->client.sequence, &d, e->client.request_id);
	}
}

static void
set_aside(struct machine *m, unsigned from)
{
	static struct chain aside;
	struct disk *d = &m->disk;

	aside = d->own;
	totals.aside += aside.count - from;
	d->own = engine.chains[d->host];
	make_rows(d);
	enter_again(m, &aside, from);
}

/* False: another machine wrote in its place; it stops, and hears the engine first. */
static bool
store(struct machine *m)
{
	struct chain *c = &engine.chains[m->disk.host];
	unsigned same = common(&m->disk);

	if (same < c->count) {
		m->ready = false;
		return false;
	}
	for (; c->count < m->disk.own.count; c->count++)
		c->acts[c->count] = m->disk.own.acts[c->count];
	return true;
}

static void
fetch(struct machine *m, unsigned host, unsigned upto)
{
	struct disk *d = &m->disk;

	if (host == d->host)
		return;
	for (; d->heard[host] < upto; d->heard[host]++)
		take(d, &engine.chains[host].acts[d->heard[host]]);
}

static void
fetch_all(struct machine *m)
{
	for (unsigned h = 0; h < HOSTS; h++)
		fetch(m, h, engine.chains[h].count);
	m->disk.claims = engine.claim_count;
	memcpy(m->disk.beats, engine.beats, sizeof(m->disk.beats));
}

static void
tell(struct machine *m)
{
	struct beat *b = &engine.beats[m->disk.host];

	b->time = clock_of(m);
	for (unsigned h = 0; h < HOSTS; h++)
		b->heard[h] = h == m->disk.host ? m->disk.own.count : m->disk.heard[h];
	m->disk.beats[m->disk.host] = *b;
}

/* It is behind its own head: it may have given more than anybody heard. */
static void
give_up(struct machine *m)
{
	for (unsigned pool = 0; pool < POOLS; pool++) {
		uint64_t free = free_of(&m->disk, pool), until;

		until = clock_of(m) + (pack.pools[pool].window + RIGHTS_SLACK) * UINT64_C(60);
		if (transfers && free > 0)
			write_rights(m, HELD, 0, pool, free, until);
		if (transfers || free == 0 || engine.claim_count + 1 >= CLAIMS)
			continue;
		engine.claims[engine.claim_count++] = (struct claim){
			.host = m->disk.host, .pool = pool, .rights = -(int64_t)free, .until = until
		};
		m->disk.claims = engine.claim_count;
	}
}

/*
 * After each start, and after a contradiction: nothing is signed before. It writes START and stores
 * it: the place of its next batch is taken, so what another machine with its key wrote alone, and
 * stores later, contradicts.
 */
static void
hear(struct machine *m)
{
	struct disk *d = &m->disk;
	struct apply_entry start = {
		.effect = APPLY_NOTHING, .kind = ENTRY_START, .time = clock_of(m)
	};
	unsigned same = common(d);
	bool behind = same == d->own.count && same < engine.chains[d->host].count;

	fetch_all(m);
	if (behind) {
		d->own = engine.chains[d->host];
		make_rows(d);
		give_up(m);
	} else if (same < engine.chains[d->host].count) {
		set_aside(m, same);
	}
	append(m, 0, &start);
	m->ready = store(m);
	tell(m);
}

/* -- claims -- */

static void
claim(struct machine *m, unsigned pool)
{
	struct disk *d = &m->disk;
	struct rights_member list[RIGHTS_MEMBERS];
	bool taken[CLIENTS];
	unsigned count = 0, clients = 0;
	uint64_t room, want;

	if (free_of(d, pool) >= RESERVE || engine.claim_count == CLAIMS)
		return;
	for (unsigned h = 0; h < HOSTS; h++)
		list[count++] = member(d, h, pool);
	/* What was given back is nobody's yet. */
	for (unsigned i = 0; i < engine.claim_count && count < RIGHTS_MEMBERS; i++) {
		const struct claim *c = &engine.claims[i];

		if (c->rights < 0 && c->pool == pool && c->until > clock_of(m))
			list[count++] = (struct rights_member){ .claimed = (uint64_t)-c->rights };
	}
	if (count == RIGHTS_MEMBERS)
		return;
	find_taken(d, pool, taken);
	for (unsigned c = 0; c < CLIENTS; c++)
		clients += taken[c];
	room = rights_room(list, count, most(pool), clients);
	want = RESERVE - free_of(d, pool);
	if (room < want)
		want = room;
	if (want == 0)
		return;
	engine.claims[engine.claim_count++] =
	    (struct claim){ .host = d->host, .pool = pool, .rights = (int64_t)want };
	d->claims = engine.claim_count;
	totals.claimed += want;
}

/* Half of what it has, or one. */
static void
give(struct machine *m, unsigned pool)
{
	uint64_t free = free_of(&m->disk, pool);
	unsigned to = pick(HOSTS);

	if (free == 0 || to == m->disk.host)
		return;
	write_rights(m, GIVEN, to, pool, (free + 1) / 2, 0);
	totals.claimed += (free + 1) / 2;
}

/* -- clients -- */

static void
ask(struct machine *m)
{
	struct disk *d = &m->disk;
	unsigned client = pick(CLIENTS), pool = pick(8) == 0 ? pick(POOLS) : client % POOLS;
	const struct policy_host host = { .installed = true,
		.confirmed = true,
		.covered = true,
		.not_after = UINT64_MAX,
		.capacity = bought };
	struct policy_client c = { .after = POLICY_KNOWN };
	struct policy_counters n = { .shared = true };
	struct message_request r = {
		.operation = MESSAGE_RENEW, .time = clock_of(m), .state = MESSAGE_GRACE
	};
	struct policy_decision out;
	const struct client_row *row = &d->rows[client];
	uint32_t minute = policy_minute(clock_of(m));

	r.sequence = ++sequences[client];
	memcpy(r.request_id, &r.sequence, sizeof(r.sequence));
	if (pick(6) == 0)
		r.operation = MESSAGE_RELEASE;
	else if (pick(8) == 0)
		r.borrow = 1440 + pick(3 * 1440);
	if (d->row_is[client]) {
		c.known = row->c.kind != 0;
		c.released = (row->c.flags & (KMSDB_RELEASED | KMSDB_ENDED)) != 0;
		c.counted = counts(d, client, pool, minute);
		c.sequence = row->c.sequence;
		c.borrowed = c.counted && (row->c.flags & ENTRY_BORROWED) != 0 ? row->c.until : 0;
		c.borrowed_end = c.borrowed != 0 ? row->c.expires : 0;
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		n.counted += counts(d, i, pool, minute);
	n.rights = free_of(d, pool);
	policy_decide(&out, &pack, &pack.products[pool], &host, &n, &c, &r, clock_of(m));
	if (out.outcome == POLICY_GRANT) {
		totals.grants++;
		totals.free += !out.right;
		write_seat(m, client, pool, ENTRY_LEASE, r.sequence, &out, r.request_id);
	} else if (out.outcome == POLICY_RELEASE_SEAT) {
		out.until = 0;
		write_seat(m, client, pool, ENTRY_RELEASE, r.sequence, &out, r.request_id);
	} else {
		totals.refused++;
	}
}

static void
administer(struct machine *m)
{
	static const uint8_t kinds[] = { ENTRY_FORGET, ENTRY_RECLAIM };
	unsigned client = pick(CLIENTS);
	struct disk *d = &m->disk;
	struct apply_entry e = {
		.effect = APPLY_ABOUT, .kind = kinds[pick(2)], .time = clock_of(m)
	};

	if (!d->row_is[client])
		return;
	e.about.kind = e.kind;
	e.about.time = e.time;
	cmid_of(e.about.cmid, client);
	e.about.counter = ++d->counter;
	e.about.through = d->rows[client].c.sequence;
	append(m, client, &e);
}

/* -- accidents -- */

static struct machine *
another(void)
{
	for (unsigned i = 0; i < MACHINES; i++)
		if (!machines[i].exists)
			return &machines[i];
	return NULL;
}

static void
mark_twins(void)
{
	for (unsigned i = 0; i < MACHINES; i++) {
		machines[i].twin = false;
		for (unsigned k = 0; k < MACHINES; k++)
			machines[i].twin |= k != i && machines[i].exists && machines[k].exists &&
					    machines[i].disk.host == machines[k].disk.host;
	}
}

/* Its disk dies, and its backup takes its place; or the backup runs beside it. */
static void
restore(struct machine *m)
{
	unsigned host = m->disk.host;
	struct machine *to = pick(2) == 0 ? another() : m;

	if (!has_backup[host] || to == NULL)
		return;
	totals.restored++;
	to->exists = true;
	to->linked = true;
	to->ready = false;
	to->wrong = wrong_by();
	to->disk = backups[host];
	mark_twins();
}

static void
stop_twin(struct machine *m)
{
	if (m->twin)
		m->exists = false;
	mark_twins();
}

/* -- steps -- */

static void
rare(struct machine *m)
{
	switch (pick(8)) {
	case 0:
	case 1:
		has_backup[m->disk.host] = true;
		backups[m->disk.host] = m->disk;
		break;
	case 2:
		restore(m);
		break;
	case 3:
		stop_twin(m);
		break;
	case 4:
		m->ready = false;
		break;
	case 5:
	case 6:
		m->wrong = wrong_by();
		break;
	default:
		administer(m);
	}
}

static void
work(struct machine *m)
{
	unsigned other = pick(HOSTS);

	if (!m->ready) {
		if (m->linked)
			hear(m);
		return;
	}
	if (!m->linked) {
		ask(m);
		return;
	}
	if (!store(m))
		return;
	switch (pick(6)) {
	case 0:
		fetch_all(m);
		tell(m);
		if (transfers)
			give(m, pick(POOLS));
		else
			claim(m, pick(POOLS));
		store(m);
		break;
	case 1:
		fetch(m, other, engine.chains[other].count);
		break;
	case 2:
		tell(m);
		break;
	default:
		ask(m);
		store(m);
	}
}

static void
step(void)
{
	struct machine *m;

	do
		m = &machines[pick(MACHINES)];
	while (!m->exists);
	now += pick(8) == 0 ? pick(12 * 3600) : pick(600);
	if (pick(20) == 0)
		m->linked = !m->linked;
	if (pick(12) == 0)
		rare(m);
	m->disk.clock = clock_of(m);
	if (m->exists)
		work(m);
}

/* -- the count -- */

static struct disk merged;

static void
merge_all(void)
{
	memset(&merged, 0, sizeof(merged));
	merged.host = HOSTS;
	for (unsigned h = 0; h < HOSTS; h++)
		for (unsigned i = 0; i < engine.chains[h].count; i++)
			take(&merged, &engine.chains[h].acts[i]);
	for (unsigned i = 0; i < MACHINES; i++) {
		const struct machine *m = &machines[i];

		if (!m->exists || m->twin || common(&m->disk) < engine.chains[m->disk.host].count)
			continue;
		for (unsigned k = engine.chains[m->disk.host].count; k < m->disk.own.count; k++)
			take(&merged, &m->disk.own.acts[k]);
	}
	merged.shadow_count = 0;
}

static bool
oversold(uint64_t seed, unsigned at)
{
	merge_all();
	for (unsigned pool = 0; pool < POOLS; pool++)
		for (int64_t wrong = -WITHIN; wrong <= WITHIN; wrong += WITHIN / 2) {
			uint32_t minute = policy_minute(now + (uint64_t)wrong);
			unsigned count = 0;

			for (unsigned c = 0; c < CLIENTS; c++)
				count += counts(&merged, c, pool, minute);
			if (count <= most(pool))
				continue;
			if (shown)
				printf(
				    "# seed %llu, step %u: %u clients count in pool %u, %u may\n",
				    (unsigned long long)seed, at, count, pool + 1, most(pool));
			return true;
		}
	return false;
}

/* True: it oversold. */
static bool
history(uint64_t seed)
{
	chance = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	now = START;
	bought = 2 + pick(6);
	memset(&engine, 0, sizeof(engine));
	memset(machines, 0, sizeof(machines));
	memset(has_backup, 0, sizeof(has_backup));
	memset(sequences, 0, sizeof(sequences));
	for (unsigned h = 0; h < HOSTS; h++) {
		struct machine *m = &machines[h];

		m->exists = m->linked = true;
		m->wrong = wrong_by();
		m->disk.host = h;
	}
	for (unsigned i = 0; i < STEPS; i++) {
		step();
		if (oversold(seed, i))
			return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "histories", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "until-oversold", no_argument, NULL, 'u' }, { "show", no_argument, NULL, 'v' },
		{ "transfers", no_argument, NULL, 't' }, { NULL, 0, NULL, 0 } };
	uint64_t histories = 1000, seed = 1, bad = 0;
	bool until = false;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'n':
			histories = strtoull(optarg, NULL, 10);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 'u':
			until = true;
			break;
		case 'v':
			shown = true;
			break;
		case 't':
			transfers = true;
			break;
		default:
			return 2;
		}
	}
	make_pack();
	for (uint64_t i = 0; i < histories && (bad == 0 || !until); i++) {
		totals.histories++;
		bad += history(seed + i);
	}
	printf(
	    "%llu histories, %llu oversold: %llu grants, %llu of them without a right, %llu refused; "
	    "%llu rights moved; %llu restores, %llu batches set aside, %llu seats of them again, "
	    "%llu not\n",
	    (unsigned long long)totals.histories, (unsigned long long)bad,
	    (unsigned long long)totals.grants, (unsigned long long)totals.free,
	    (unsigned long long)totals.refused, (unsigned long long)totals.claimed,
	    (unsigned long long)totals.restored, (unsigned long long)totals.aside,
	    (unsigned long long)totals.again, (unsigned long long)totals.lost);
	return (bad > 0) == until ? 0 : 1;
}
