/*
 * decide.c - the decision about one request: policy.h's rules, top to bottom; the first that
 * applies decides. Pure: everything it needs is an argument.
 */
#include <string.h>

#include "libkms/core/entry.h"
#include "policy/policy.h"

struct question {
	const struct policy_pack *pack;
	const struct policy_product *product;
	const struct policy_host *host;
	const struct policy_counters *counters;
	const struct policy_client *client;
	const struct message_request *request;
	uint64_t now;
};

/* Saturates: a certificate without an end must not wrap into the past. */
static uint64_t
later(uint64_t time, uint32_t minutes)
{
	uint64_t seconds = (uint64_t)minutes * 60;

	return time > UINT64_MAX - seconds ? UINT64_MAX : time + seconds;
}

static uint64_t
earlier_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* For an unknown client, the rest means nothing. */
static bool
has_seat(const struct question *q)
{
	return q->client->known && q->client->counted;
}

/* Reasons that prevent every operation for this product on this host. */
static enum kms_status
check_host(const struct question *q)
{
	if (q->product == NULL)
		return KMS_E_UNKNOWN_PRODUCT;
	if (!q->host->installed)
		return KMS_E_NOT_ENABLED;
	if (!q->host->confirmed)
		return KMS_E_NOT_CONFIRMED;
	/* What a client gives back is taken also by a host that may give nothing. */
	if (q->host->revoked && q->request->operation != MESSAGE_RELEASE)
		return KMS_E_KEY_INVALID;
	if (!q->host->covered)
		return KMS_E_NOT_COVERED;
	if (q->now < q->host->not_before || q->now > q->host->not_after)
		return KMS_E_KEY_EXPIRED;
	return KMS_OK;
}

static enum kms_status
check_client(const struct question *q)
{
	uint64_t theirs = q->request->time;
	uint64_t off = theirs > q->now ? theirs - q->now : q->now - theirs;

	if (off > POLICY_SKEW)
		return KMS_E_TIME_SKEW;
	if (q->client->known && q->client->revoked)
		return KMS_E_REVOKED;
	return KMS_OK;
}

static bool
is_repeat(const struct question *q)
{
	return q->client->known && q->request->sequence == q->client->sequence &&
	       memcmp(q->request->request_id, q->client->request_id,
		   sizeof(q->client->request_id)) == 0;
}

/* With this client. */
static uint32_t
count_with(const struct question *q)
{
	uint32_t counted = q->counters->counted;

	return has_seat(q) || counted == UINT32_MAX ? counted : counted + 1;
}

/* Would the answer that the client did not get be another one now? */
static bool
was_too_few(const struct question *q)
{
	return q->client->seen && q->request->operation != MESSAGE_RELEASE &&
	       count_with(q) >= q->product->threshold;
}

static bool
has_sequence(const struct question *q)
{
	return q->client->known && q->client->sequence != 0;
}

static bool
is_held(const struct question *q)
{
	return q->client->known && q->client->held_until > q->now;
}

static enum kms_status
refuse_held(struct policy_decision *out, const struct question *q)
{
	uint64_t rest = q->client->held_until - q->now;

	out->retry_after = rest < UINT32_MAX ? (uint32_t)rest : UINT32_MAX;
	return KMS_E_CLONE;
}

/* A copy must not catch up with a product that allows it, and go on with one that does not. */
static const struct policy_product *
stricter(const struct question *q)
{
	const struct policy_product *now = q->product, *before = q->client->before;

	if (before == NULL || before->clones < now->clones)
		return now;
	return before->clones > now->clones || before->clone_hold > now->clone_hold ? before : now;
}

/* A clock that was wrong once must not make every later time one within the hold. */
static bool
caught_up_lately(const struct question *q, uint32_t hold)
{
	uint64_t last = q->client->caught_up;
	uint64_t apart = last > q->now ? last - q->now : q->now - last;

	return last != 0 && apart < hold * UINT64_C(60);
}

/*
 * The echo proves that somebody holds the key now, with an older state than the one that was served
 * last. That is a client restored from a backup, once. Who needs it again and again shares the key
 * with somebody who moves the number meanwhile.
 */
static enum kms_status
check_holders(struct policy_decision *out, const struct question *q)
{
	const struct policy_product *by = stricter(q);

	out->caught_up = true;
	if (by->clones == POLICY_ALLOW || !caught_up_lately(q, by->clone_hold))
		return KMS_OK;
	out->clone = true;
	if (by->clones == POLICY_FLAG)
		return KMS_OK;
	out->caught_up = false;
	out->hold_end = later(q->now, by->clone_hold);
	out->retry_after = by->clone_hold * 60;
	return KMS_E_CLONE;
}

/*
 * A number that was used before may be of a recorded message, of a copied image or of a client that
 * lost its state: only a holder of the key can answer the challenge. So may a higher number of one
 * that does not know what was served last: copies can raise their numbers elsewhere. Who knows it
 * was served last, whatever it echoes.
 *
 * In a hold each higher number is challenged too. So whoever tries in it has an echo to carry, and
 * no number of attempts leads past the challenge when the hold ends.
 */
static enum kms_status
check_sequence(struct policy_decision *out, const struct question *q)
{
	uint64_t ours = q->client->sequence, theirs = q->request->sequence;

	if (is_held(q) && (theirs <= ours || q->client->echoed))
		return refuse_held(out, q);
	if (!has_sequence(q))
		return KMS_OK;
	if (theirs > ours && !is_held(q) && q->client->after == POLICY_KNOWN)
		return KMS_OK;
	if (theirs > ours && q->client->echoed)
		return check_holders(out, q);
	if (theirs > ours && q->request->echo == NULL && !is_held(q) &&
	    q->client->after == POLICY_NOT_SAID)
		return KMS_OK;
	out->highest = theirs > ours ? theirs : ours;
	return KMS_E_SEQUENCE;
}

static enum kms_status
check_machine(struct policy_decision *out, const struct question *q)
{
	if (!(q->request->flags & MESSAGE_VM))
		return KMS_OK;
	out->vm = q->product->vm != POLICY_ALLOW;
	return q->product->vm == POLICY_REFUSE ? KMS_E_VM_REFUSED : KMS_OK;
}

/* A machine may lose its id, and images copy it: by default a change is only marked. */
static enum kms_status
check_binding(struct policy_decision *out, const struct question *q)
{
	const uint8_t *theirs = q->request->binding;
	bool same;

	if (!q->product->bind)
		return KMS_OK;
	same = theirs != NULL &&
	       (!q->client->bound || memcmp(theirs, q->client->binding, MESSAGE_BINDING_SIZE) == 0);
	out->bound_other = !same && q->client->bound;
	return !same && q->product->bind_refuse ? KMS_E_BINDING : KMS_OK;
}

/* A client that came back from an old copy of its state, or lost its lease. */
static bool
needs_lease(const struct message_request *m)
{
	return m->state == MESSAGE_UNLICENSED || m->state == MESSAGE_GRACE ||
	       m->state == MESSAGE_EXPIRED;
}

/*
 * A program that renews in a loop would fill the journal. A lease that seems to be of later than
 * now was given when this host's clock was wrong: its renewal is served, and paid for.
 */
static enum kms_status
check_pace(struct policy_decision *out, const struct question *q)
{
	uint64_t least = q->host->renewals == 0
			     ? 0
			     : q->product->renewal_interval * UINT64_C(60) / q->host->renewals;
	uint64_t leased = q->client->leased;

	/* Nor is it soon for what another host served just now, and the client did not get. */
	if (!has_seat(q) || leased == 0 || (is_repeat(q) && q->client->elsewhere))
		return KMS_OK;
	/* Once under each certificate, and whenever the least time is over. */
	out->paced = q->client->old_certificate || (leased <= q->now && q->now - leased >= least);
	if (out->paced || leased > q->now || needs_lease(q->request) || q->request->borrow != 0)
		return KMS_OK;
	out->retry_after = (uint32_t)(least - (q->now - leased));
	return KMS_E_TOO_SOON;
}

/* -- seats -- */

static const struct policy_pool *
pool_of(const struct question *q)
{
	return &q->pack->pools[q->product->pool];
}

static uint32_t
capacity_of(const struct question *q)
{
	return policy_capacity(pool_of(q), q->host);
}

/* When the next seat that would help is expected back. */
static uint32_t
expected(const struct question *q, uint32_t next)
{
	uint64_t at = next * UINT64_C(60);

	return at > q->now && at - q->now < UINT32_MAX ? (uint32_t)(at - q->now) : 0;
}

static bool
has_borrowed(const struct question *q)
{
	return has_seat(q) && q->client->borrowed != 0;
}

/* A client that keeps no state could not give back what it borrowed: a crash would lose the seat.
 */
static enum kms_status
check_borrow(struct policy_decision *out, const struct question *q)
{
	const struct policy_pool *pool = pool_of(q);
	bool stateless = (q->request->flags & MESSAGE_STATELESS) != 0;

	if (stateless && pool->stateless_refuse)
		return KMS_E_STATELESS;
	if (q->request->borrow == 0)
		return KMS_OK;
	if (stateless || q->request->borrow > pool->borrow)
		return KMS_E_BORROW;
	if (pool->borrow_seats == 0 || q->counters->borrowed < pool->borrow_seats ||
	    has_borrowed(q))
		return KMS_OK;
	out->retry_after = expected(q, q->counters->next_borrowed);
	return KMS_E_BORROWED_OUT;
}

static bool
is_full(const struct policy_class *class)
{
	return class != NULL && class->limit != 0 && class->counted >= class->limit;
}

/* A client that has its seat keeps it, in the class that it has, until that of now has room. */
static enum kms_status
check_class(struct policy_decision *out, const struct question *q)
{
	const struct policy_class *now = q->counters->class;

	if (!is_full(now) || (has_seat(q) && now == q->counters->seat_class))
		return KMS_OK;
	if (has_seat(q)) {
		out->keep_class = true;
		return KMS_OK;
	}
	out->retry_after = expected(q, now->next);
	return KMS_E_CLASS_FULL;
}

/* Free seats that are kept for classes other than the client's. */
static uint64_t
kept_for_others(const struct question *q)
{
	uint64_t kept = 0;

	for (unsigned i = 0; i < q->counters->class_count; i++) {
		const struct policy_class *class = &q->counters->classes[i];

		if (class != q->counters->class && class->counted < class->reserve)
			kept += class->reserve - class->counted;
	}
	return kept;
}

enum room { ROOM_NONE, ROOM_FREE, ROOM_OVERDRAFT };

/* For one more, when so many are counted. */
static enum room
room_for(const struct question *q, uint32_t counted)
{
	uint32_t capacity = capacity_of(q);
	uint64_t kept = kept_for_others(q), used = counted + kept;

	if (capacity == 0)
		return ROOM_FREE;
	/* A seat that ended is free when all have heard of it: as a right. */
	if (q->counters->shared && q->counters->rights <= kept)
		return ROOM_NONE;
	if (q->counters->shared)
		return counted < capacity ? ROOM_FREE : ROOM_OVERDRAFT;
	if (used < capacity)
		return ROOM_FREE;
	return counted >= capacity &&
		       used < (uint64_t)capacity + policy_overdraft(pool_of(q), capacity)
		   ? ROOM_OVERDRAFT
		   : ROOM_NONE;
}

/* A seat for a seat: none is taken for a lease that the threshold forbids, or from a reserve. */
static bool
may_reclaim(const struct question *q)
{
	const struct policy_class *class = q->counters->victim_class;

	return q->counters->victim && q->counters->counted >= q->product->threshold &&
	       (class == NULL || class == q->counters->class || class->counted > class->reserve);
}

static enum kms_status
check_capacity(struct policy_decision *out, const struct question *q)
{
	uint32_t counted = q->counters->counted, capacity = capacity_of(q);
	enum room room;

	if (has_seat(q)) {
		out->overdraft = q->client->overdraft && capacity != 0 && counted > capacity;
		return KMS_OK;
	}
	room = room_for(q, counted);
	if (room != ROOM_FREE && may_reclaim(q) && room_for(q, counted - 1) != ROOM_NONE) {
		out->reclaim = true;
		room = room_for(q, counted - 1);
	}
	out->overdraft = room == ROOM_OVERDRAFT;
	out->right = q->counters->shared && capacity != 0 && room != ROOM_NONE;
	if (room != ROOM_NONE)
		return KMS_OK;
	out->retry_after = expected(q, q->counters->next);
	if (q->counters->shared ? q->counters->rights > 0 : counted < capacity)
		return KMS_E_CLASS_FULL;
	return q->client->known && q->client->reclaimed ? KMS_E_RECLAIMED : KMS_E_CAPACITY;
}

/*
 * What was borrowed stays, until what the client gets without it reaches as far: its row has one
 * end of a seat and one of a lease, and whichever of the two is still the borrowed one is exact.
 */
static void
keep_borrowed(struct policy_decision *out, const struct question *q)
{
	const struct policy_client *c = q->client;
	uint64_t end = earlier_of(c->borrowed_end, c->borrowed * UINT64_C(60));

	if (!has_borrowed(q) || (c->borrowed <= out->until && end <= out->expires))
		return;
	out->borrowed = true;
	if (c->borrowed > out->until)
		out->until = entry_counts_through(c->borrowed * UINT64_C(60), pool_of(q)->window);
	if (end > out->expires)
		out->expires = end;
}

/* With a lease, or only counted. */
static void
fill_seat(struct policy_decision *out, const struct question *q, bool lease)
{
	uint32_t window = pool_of(q)->window;

	out->until = entry_counts_until(q->now, window);
	out->expires = lease ? later(q->now, q->product->validity) : q->now;
	if (lease && q->request->borrow != 0) {
		out->borrowed = true;
		out->expires = later(q->now, q->request->borrow);
	} else {
		keep_borrowed(out, q);
	}
	out->expires = lease ? earlier_of(out->expires, q->host->not_after) : 0;
	if (lease && q->request->borrow != 0)
		out->until = entry_counts_through(out->expires, window);
	if (lease)
		out->renew_after =
		    earlier_of(later(q->now, q->product->renewal_interval), out->expires);
}

static void
decide_release(struct policy_decision *out, const struct question *q)
{
	if (!q->client->known || q->client->released) {
		out->status = KMS_E_UNKNOWN_CLIENT;
		return;
	}
	out->outcome = POLICY_RELEASE_SEAT;
	out->status = KMS_OK;
	if (has_seat(q) && out->count > 0)
		out->count--;
}

static void
decide_activation(struct policy_decision *out, const struct question *q)
{
	if ((out->status = check_machine(out, q)) != KMS_OK ||
	    (out->status = check_binding(out, q)) != KMS_OK ||
	    (out->status = check_pace(out, q)) != KMS_OK ||
	    (out->status = check_borrow(out, q)) != KMS_OK ||
	    (out->status = check_class(out, q)) != KMS_OK ||
	    (out->status = check_capacity(out, q)) != KMS_OK)
		return;
	out->count = out->reclaim ? q->counters->counted : count_with(q);
	if (out->count < q->product->threshold) {
		out->outcome = POLICY_RECORD;
		out->status = KMS_E_COUNT_TOO_LOW;
		fill_seat(out, q, false);
		return;
	}
	out->outcome = POLICY_GRANT;
	fill_seat(out, q, true);
}

void
policy_decide(struct policy_decision *out, const struct policy_pack *pack,
    const struct policy_product *product, const struct policy_host *host,
    const struct policy_counters *counters, const struct policy_client *client,
    const struct message_request *request, uint64_t now)
{
	const struct question q = { pack, product, host, counters, client, request, now };
	bool repeat = is_repeat(&q);

	memset(out, 0, sizeof(*out));
	out->outcome = POLICY_DENY;
	out->count = counters->counted;
	out->stale = has_sequence(&q) && request->sequence <= client->sequence;
	if (product != NULL) {
		out->required = product->threshold;
		out->activation_interval = product->activation_interval;
		out->renewal_interval = product->renewal_interval;
	}
	if ((out->status = check_host(&q)) != KMS_OK || (out->status = check_client(&q)) != KMS_OK)
		return;
	/* Another host's lease cannot be handed out as one of this host: it gives its own. */
	if (repeat && !was_too_few(&q) && !client->elsewhere) {
		out->outcome = POLICY_REPEAT;
		return;
	}
	if (repeat && is_held(&q))
		out->status = refuse_held(out, &q);
	else if (!repeat)
		out->status = check_sequence(out, &q);
	if (out->status != KMS_OK)
		return;
	if (request->operation == MESSAGE_RELEASE)
		decide_release(out, &q);
	else
		decide_activation(out, &q);
	out->caught_up = out->caught_up && out->outcome != POLICY_DENY;
}
