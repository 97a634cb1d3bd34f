/*
 * replay.c - see replay.h.
 */
#include "kmsctl/ledger/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"
#include "policy/values.h"

#define VICTIM_STEPS 1000 /* seats that are looked at for one to take */
#define VICTIM_TRIES 100  /* of these, with which is decided: a class may keep its seats */

_Static_assert(REPLAY_CLASSES == CONFIG_CLASSES, "one bit and one number for each");
_Static_assert(REPLAY_CLASSES <= 64, "bits of a world");

/* -- the keys of a pool -- */

enum pool_key {
	CAPACITY,
	WINDOW,
	STATELESS,
	OVERDRAFT,
	BORROW,
	BORROW_SEATS,
	WHEN_FULL,
	POOL_KEYS
};

static const char *const key_names[POOL_KEYS] = { "capacity", "window", "stateless", "overdraft",
	"borrow", "borrow-seats", "when-full" };

static uint32_t
value_of(const struct policy_pool *p, enum pool_key key)
{
	const uint32_t values[POOL_KEYS] = { p->capacity, p->window, p->stateless_refuse,
		p->overdraft, p->borrow, p->borrow_seats, p->reclaim };

	return values[key];
}

/* The key's value from the other pool. */
static void
take_key(struct policy_pool *p, const struct policy_pool *from, enum pool_key key)
{
	switch (key) {
	case CAPACITY:
		p->capacity = from->capacity;
		break;
	case WINDOW:
		p->window = from->window;
		break;
	case STATELESS:
		p->stateless_refuse = from->stateless_refuse;
		break;
	case OVERDRAFT:
		p->overdraft = from->overdraft;
		break;
	case BORROW:
		p->borrow = from->borrow;
		break;
	case BORROW_SEATS:
		p->borrow_seats = from->borrow_seats;
		break;
	case WHEN_FULL:
		p->reclaim = from->reclaim;
		break;
	case POOL_KEYS:
		break;
	}
}

/* As a pack writes it. */
static void
write_value(char out[REPLAY_VALUE], const struct policy_pool *p, enum pool_key key)
{
	uint32_t value = value_of(p, key);
	char minutes[VALUE_MINUTES + 1];

	value_minutes_format(minutes, value);
	switch (key) {
	case CAPACITY:
	case BORROW_SEATS:
		if (value == 0)
			snprintf(out, REPLAY_VALUE, "all");
		else
			snprintf(out, REPLAY_VALUE, "%" PRIu32, value);
		break;
	case WINDOW:
	case BORROW:
		snprintf(out, REPLAY_VALUE, "%s", value != 0 ? minutes : "none");
		break;
	case STATELESS:
		snprintf(out, REPLAY_VALUE, "%s", value ? "refuse" : "allow");
		break;
	case OVERDRAFT:
		snprintf(out, REPLAY_VALUE, "%" PRIu32 "%%", value);
		break;
	case WHEN_FULL:
	case POOL_KEYS:
		if (value == 0)
			snprintf(out, REPLAY_VALUE, "refuse");
		else
			snprintf(out, REPLAY_VALUE, "longest-unseen %s", minutes);
		break;
	}
}

/* -- the worlds -- */

static int
find_pool(const struct policy_pack *pack, uint16_t number)
{
	for (unsigned i = 0; pack != NULL && i < pack->pool_count; i++)
		if (pack->pools[i].number == number)
			return (int)i;
	return -1;
}

/* Under that pack, as it is. */
static struct replay_world *
add_world(struct replay *r, const char *key, const struct policy_pack *pack, unsigned pool)
{
	struct replay_world *w = &r->worlds[r->count++];

	snprintf(w->key, sizeof(w->key), "%s", key);
	w->pack = (struct policy_pack *)pack;
	w->pool = &pack->pools[pool];
	return w;
}

static int
add_key(struct replay *r, enum pool_key key, unsigned was, const struct policy_pool *next)
{
	struct policy_pack *pack = malloc(sizeof(*pack));
	struct replay_world *w;

	if (pack == NULL)
		return KMS_E_NO_MEMORY;
	*pack = *r->in->pack;
	take_key(&pack->pools[was], next, key);
	w = add_world(r, key_names[key], pack, was);
	w->made = true;
	write_value(w->was, &r->in->pack->pools[was], key);
	write_value(w->is, next, key);
	return KMS_OK;
}

/* As kms.ini writes it. */
static void
write_class(char out[REPLAY_VALUE], const struct policy_class *class)
{
	char reserve[20] = "", limit[18] = "";

	if (class->reserve != 0)
		snprintf(reserve, sizeof(reserve), "reserve %" PRIu32, class->reserve);
	if (class->limit != 0)
		snprintf(limit, sizeof(limit), "limit %" PRIu32, class->limit);
	if (reserve[0] == '\0' && limit[0] == '\0')
		snprintf(out, REPLAY_VALUE, "no limit");
	else
		snprintf(out, REPLAY_VALUE, "%s%s%s", reserve,
		    reserve[0] != '\0' && limit[0] != '\0' ? ", " : "", limit);
}

static void
add_classes(struct replay *r, unsigned was)
{
	for (unsigned i = 0; i < r->classes.count; i++) {
		struct replay_world *w = add_world(r, "", r->in->pack, was);

		snprintf(w->key, sizeof(w->key), "class %s", r->classes.of[i]->name);
		snprintf(w->was, sizeof(w->was), "none");
		write_class(w->is, &r->classes.at[i]);
		w->classes = UINT64_C(1) << i;
	}
}

/* Is the new pack's renewal interval of a product of the pool shorter than that in force? */
static bool
renews_more_often(const struct policy_pack *before, const struct policy_pack *next, unsigned pool)
{
	for (unsigned i = 0; i < next->product_count; i++) {
		const struct policy_product *p = &next->products[i];
		const struct policy_product *was = policy_product_find(before, p->id);

		if (p->pool == pool && was != NULL && p->renewal_interval < was->renewal_interval)
			return true;
	}
	return false;
}

int
replay_init(struct replay *r, const struct publisher *in, const struct policy_pack *next,
    uint16_t number, const struct class_list *classes)
{
	int was = find_pool(in->pack, number), is = find_pool(next, number), rc = KMS_OK;
	const struct policy_pool *before, *after;

	memset(r, 0, sizeof(*r));
	r->in = in;
	r->number = number;
	if (was < 0 || is < 0)
		return KMS_OK;
	before = &in->pack->pools[was];
	after = &next->pools[is];
	memcpy(r->name, after->name, sizeof(r->name));
	if (classes != NULL)
		classes_in(&r->classes, classes, in, after);
	add_world(r, "", in->pack, (unsigned)was);
	for (unsigned key = 0; rc == KMS_OK && key < POOL_KEYS; key++)
		if (value_of(before, key) != value_of(after, key))
			rc = add_key(r, key, (unsigned)was, after);
	add_classes(r, (unsigned)was);
	if (r->count == 1) {
		r->count = 0;
		return rc;
	}
	add_world(r, "all", next, (unsigned)is)->classes =
	    r->classes.count < 64 ? (UINT64_C(1) << r->classes.count) - 1 : UINT64_MAX;
	r->sparse = renews_more_often(in->pack, next, (unsigned)is);
	return rc == KMS_OK ? replay_table_init(&r->table, r->count) : rc;
}

void
replay_free(struct replay *r)
{
	for (unsigned i = 0; i < REPLAY_WORLDS; i++)
		if (r->worlds[i].made)
			free(r->worlds[i].pack);
	replay_table_free(&r->table);
	memset(r, 0, sizeof(*r));
}

/* -- one request in one world -- */

struct asked {
	const struct entry_client *entry;
	uint32_t client;
	bool borrows;                   /* and for so long, when it is known */
	uint32_t borrow;                /* minutes; 0: not known */
	const struct class_client *who; /* NULL: its names are erased */
};

/* -- classes -- */

/* Of the classes in force in one world, what the decision knows. */
struct classes {
	unsigned count;
	struct policy_class at[REPLAY_CLASSES];
	uint8_t number[REPLAY_CLASSES]; /* as a seat has it */
};

static void
classes_of(const struct replay *r, unsigned world, struct classes *out)
{
	out->count = 0;
	for (unsigned i = 0; i < r->classes.count; i++) {
		if (!(r->worlds[world].classes >> i & 1))
			continue;
		out->at[out->count] = r->classes.at[i];
		out->at[out->count].counted = r->table.of_class[world][1 + i];
		out->number[out->count++] = (uint8_t)(1 + i);
	}
}

static const struct policy_class *
class_numbered(const struct classes *c, uint8_t number)
{
	for (unsigned i = 0; number != 0 && i < c->count; i++)
		if (c->number[i] == number)
			return &c->at[i];
	return NULL;
}

static uint8_t
number_of(const struct classes *c, const struct policy_class *class)
{
	return class != NULL ? c->number[class - c->at] : 0;
}

/* The first in force that the client matches. */
static const struct policy_class *
class_asked(const struct replay *r, const struct classes *c, const struct asked *a)
{
	for (unsigned i = 0; i < c->count; i++) {
		unsigned of = c->number[i] - 1u;

		if (a->who != NULL ? class_matches(r->classes.of[of], a->who)
				   : r->classes.number[of] == a->entry->class)
			return &c->at[i];
	}
	return NULL;
}

/* -- the decision -- */

/*
 * The seat that was not seen for longest, and for long enough, or the next one behind last;
 * REPLAY_NONE: there is none.
 */
static uint32_t
victim_of(const struct replay *r, unsigned world, const struct asked *a, uint32_t last)
{
	uint64_t least = r->worlds[world].pool->reclaim * UINT64_C(60), now = a->entry->time;
	uint32_t at = last == REPLAY_NONE ? r->table.plain[world].first
					  : replay_seat(&r->table, world, last)->after;

	if (least == 0)
		return REPLAY_NONE;
	for (unsigned i = 0; at != REPLAY_NONE && i < VICTIM_STEPS; i++) {
		const struct replay_seat *s = replay_seat(&r->table, world, at);

		if (at != a->client && s->seen <= now && now - s->seen >= least)
			return at;
		at = s->after;
	}
	return REPLAY_NONE;
}

static void
fill_counters(const struct replay *r, unsigned world, const struct asked *a, uint32_t victim,
    const struct classes *c, struct policy_counters *out)
{
	const struct replay_list *plain = &r->table.plain[world], *lent = &r->table.lent[world];
	uint32_t next[2];

	next[0] = plain->count > 0 ? replay_seat(&r->table, world, plain->first)->until : 0;
	next[1] = lent->count > 0 ? replay_seat(&r->table, world, lent->first)->until : 0;
	*out = (struct policy_counters){
		.counted = replay_counted(&r->table, world),
		.next = next[0] == 0 || (next[1] != 0 && next[1] < next[0]) ? next[1] : next[0],
		.borrowed = lent->count,
		.next_borrowed = next[1],
		.victim = victim != REPLAY_NONE,
		.classes = c->at,
		.class_count = c->count,
		.class = class_asked(r, c, a),
		.seat_class = class_numbered(c, replay_seat(&r->table, world, a->client)->class),
	};
	if (victim != REPLAY_NONE)
		out->victim_class = class_numbered(c, replay_seat(&r->table, world, victim)->class);
}

static void
fill_request(const struct replay_world *w, const struct asked *a, struct message_request *out)
{
	static const uint8_t some[MESSAGE_BINDING_SIZE] = { 1 };
	const struct entry_client *e = a->entry;

	*out = (struct message_request){
		.operation = e->operation == MESSAGE_RENEW ? MESSAGE_RENEW : MESSAGE_ACTIVATE,
		.flags = (uint16_t)((e->flags & ENTRY_VM ? MESSAGE_VM : 0) |
				    (e->flags & ENTRY_STATELESS ? MESSAGE_STATELESS : 0)),
		.time = e->time,
		.sequence = e->sequence,
		.binding = e->bound ? e->binding : some,
	};
	if (a->borrows)
		out->borrow = a->borrow != 0         ? a->borrow
			      : w->pool->borrow != 0 ? w->pool->borrow
						     : 1;
	memcpy(out->product, e->product, 16);
}

/*
 * History is judged by the keys of the pool and its classes alone: dates of certificates are left
 * out. *class: that of the seat, when one is given.
 */
static void
decide(const struct replay *r, unsigned world, const struct asked *a, uint32_t victim,
    const struct policy_product *product, struct policy_decision *out, uint8_t *class)
{
	const struct replay_world *w = &r->worlds[world];
	const struct replay_seat *seat = replay_seat(&r->table, world, a->client);
	const struct policy_host host = { .installed = true,
		.confirmed = true,
		.covered = true,
		.not_after = UINT64_MAX,
		.capacity = r->in->confirmed ? r->in->certificate.capacity : 0 };
	const struct policy_client client = { .known = true,
		.counted = seat->until != 0,
		.overdraft = seat->overdraft,
		.borrowed = seat->borrowed_end != 0 ? seat->until : 0,
		.borrowed_end = seat->borrowed_end };
	struct policy_counters counters;
	struct message_request request;
	struct classes classes;

	classes_of(r, world, &classes);
	fill_counters(r, world, a, victim, &classes, &counters);
	fill_request(w, a, &request);
	policy_decide(out, w->pack, product, &host, &counters, &client, &request, a->entry->time);
	*class = number_of(&classes, out->keep_class ? counters.seat_class : counters.class);
}

static void
give(struct replay *r, unsigned world, const struct asked *a, uint32_t victim,
    const struct policy_decision *d, uint8_t class)
{
	struct replay_world *w = &r->worlds[world];
	const struct replay_seat *was = replay_seat(&r->table, world, a->client);
	const struct replay_seat seat = { .until = d->until,
		.seen = a->entry->time,
		.borrowed_end = d->borrowed ? d->expires : 0,
		.overdraft = d->overdraft,
		.class = class };

	w->overdraft += was->until == 0 && d->overdraft;
	w->borrowed += was->borrowed_end == 0 && d->borrowed;
	if (d->reclaim) {
		replay_take(&r->table, world, victim);
		w->reclaimed++;
	}
	replay_give(&r->table, world, a->client, &seat);
	if (replay_counted(&r->table, world) > w->peak) {
		w->peak = replay_counted(&r->table, world);
		w->peak_time = a->entry->time;
	}
}

static void
refuse(struct replay_world *w, uint32_t status)
{
	w->refused +=
	    status == KMS_E_CAPACITY || status == KMS_E_RECLAIMED || status == KMS_E_CLASS_FULL;
	w->refused_class += status == KMS_E_CLASS_FULL;
	w->refused_borrow += status == KMS_E_BORROW || status == KMS_E_BORROWED_OUT;
	w->refused_stateless += status == KMS_E_STATELESS;
}

static void
ask(struct replay *r, unsigned world, const struct asked *a)
{
	struct replay_world *w = &r->worlds[world];
	const struct policy_product *product = policy_product_find(w->pack, a->entry->product);
	uint32_t victim = victim_of(r, world, a, REPLAY_NONE);
	struct policy_decision d;
	uint8_t class;

	if (product == NULL || &w->pack->pools[product->pool] != w->pool) {
		replay_take(&r->table, world, a->client);
		return;
	}
	decide(r, world, a, victim, product, &d, &class);
	for (unsigned i = 0; d.outcome == POLICY_DENY && victim != REPLAY_NONE && i < VICTIM_TRIES;
	     i++) {
		victim = victim_of(r, world, a, victim);
		decide(r, world, a, victim, product, &d, &class);
	}
	if (d.outcome == POLICY_GRANT || d.outcome == POLICY_RECORD)
		give(r, world, a, victim, &d, class);
	else
		refuse(w, d.status);
}

/* -- entries -- */

/* Refusals that a key of the pool decides. */
static bool
about_seats(uint32_t status)
{
	return status == KMS_E_CAPACITY || status == KMS_E_RECLAIMED ||
	       status == KMS_E_CLASS_FULL || status == KMS_E_STATELESS || status == KMS_E_BORROW ||
	       status == KMS_E_BORROWED_OUT;
}

/* Is the entry of the publisher, and its product of the pool in some world? */
static bool
is_mine(const struct replay *r, const struct entry_client *e)
{
	if (r->failed != KMS_OK || memcmp(e->publisher, r->in->public.key.id, 8) != 0)
		return false;
	for (unsigned i = 0; i < r->count; i++) {
		const struct replay_world *w = &r->worlds[i];
		const struct policy_product *p = policy_product_find(w->pack, e->product);

		if (p != NULL && &w->pack->pools[p->pool] == w->pool)
			return true;
	}
	return false;
}

/* A lease that is lent ends when it was asked to, and a renewal keeps that end. */
static void
find_borrowing(const struct replay *r, struct asked *a)
{
	const struct entry_client *e = a->entry;
	const struct replay_seat *was = replay_seat(&r->table, 0, a->client);

	if (e->kind == ENTRY_REFUSAL) {
		a->borrows = e->status == KMS_E_BORROW || e->status == KMS_E_BORROWED_OUT;
		return;
	}
	a->borrows = (e->flags & ENTRY_BORROWED) != 0 && e->kind == ENTRY_LEASE &&
		     e->expires > e->time && was->borrowed_end != e->expires;
	if (a->borrows)
		a->borrow = (uint32_t)((e->expires - e->time + 59) / 60);
}

void
replay_client(struct replay *r, const struct entry_client *e, const struct class_client *who)
{
	struct asked a = { .entry = e, .who = who };

	if (!is_mine(r, e) || (e->kind == ENTRY_REFUSAL && !about_seats(e->status)))
		return;
	for (unsigned i = 0; i < r->count; i++)
		replay_expire(&r->table, i, policy_minute(e->time));
	if (e->kind == ENTRY_RELEASE && !replay_knows(&r->table, e->cmid))
		return;
	if ((r->failed = replay_hold(&r->table, e->cmid, &a.client)) != KMS_OK)
		return;
	find_borrowing(r, &a);
	r->requests++;
	for (unsigned i = 0; i < r->count; i++) {
		if (e->kind == ENTRY_RELEASE)
			replay_take(&r->table, i, a.client);
		else
			ask(r, i, &a);
	}
	replay_drop(&r->table, a.client);
}

/* What the host took back by itself is left to the worlds. */
void
replay_about(struct replay *r, const struct entry_about *e)
{
	uint32_t client;

	if (r->failed != KMS_OK || !entry_about_ends_seat(e->kind) || e->kind == ENTRY_RECLAIM ||
	    !replay_knows(&r->table, e->cmid) || replay_hold(&r->table, e->cmid, &client) != KMS_OK)
		return;
	for (unsigned i = 0; i < r->count; i++)
		replay_take(&r->table, i, client);
	replay_drop(&r->table, client);
}
