/*
 * request.c - HELLO, and a REQUEST on its way through authentication and policy into the batch. No
 * allocation, no system call but the clock's.
 */
#include "kmsd/activate/request.h"

#include <sodium.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/challenge.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/activate/holders.h"
#include "kmsd/activate/refusal_log.h"
#include "kmsd/activate/share/sharing.h"
#include "kmsd/activate/testimony.h"
#include "kmsd/common/log.h"
#include "libkms/base/address.h"
#include "libkms/core/frame.h"

#define LOCKED_RETRY 30 /* seconds */

/* What the decision about one request needs. */
struct request {
	struct authenticated auth;
	struct publisher_product found;
	struct kmsdb_client row;
	bool recorded;              /* it has a row */
	uint16_t class;             /* of its entry */
	struct kmsdb_client victim; /* decision.reclaim: whose seat it gets */
	struct policy_host host;
	struct policy_client client;
	struct policy_decision decision;
};

static void
answer_error(
    struct activate *a, struct front_peer *p, uint64_t token, uint32_t status, uint8_t flags)
{
	struct frame_error e = {
		.status = status,
		.retry_after = status == KMS_E_LOCKED ? LOCKED_RETRY : 0,
		.time = a->now,
	};
	uint8_t *room = front_peer_reserve(p, FRAME_ERROR_SIZE);

	a->counts.refused++;
	activate_count_answer(a, status);
	if (room == NULL)
		return;
	frame_error_encode(room, &e);
	front_peer_commit(p, token, flags, FRAME_ERROR_SIZE);
}

/* Nothing can be opened or signed yet: all clients are told to try again later. */
static bool
locked(struct activate *a, struct front_peer *p, const struct ipc_frame *f)
{
	if (a->exchange != NULL)
		return false;
	refusal_log(f, KMS_E_LOCKED, "");
	answer_error(a, p, f->token, KMS_E_LOCKED, 0);
	return true;
}

static int
decode_hello(struct message_hello *out, const uint8_t *body, size_t len)
{
	struct frame header;
	int rc;

	if (len < FRAME_HEADER)
		return KMS_E_BAD_FRAME;
	if ((rc = frame_decode(&header, body, FRAME_MAX_REQUEST)) != KMS_OK)
		return rc;
	if (header.type != FRAME_HELLO || header.length != len - FRAME_HEADER)
		return KMS_E_BAD_FRAME;
	if (message_hello_decode(out, body + FRAME_HEADER, header.length) != KMS_OK)
		return KMS_E_BAD_FRAME;
	return KMS_OK;
}

/*
 * From the oldest of three keys to the newest: the client's, the one that signed the certificate,
 * and that of kms.ini, whose id is in every lease. A client follows the chain from its own key,
 * wherever that is.
 */
static void
add_rotations(struct message_hello_reply *reply, const struct publisher *p, const uint8_t id[8])
{
	int asked = publisher_keys_index(&p->public, id);
	int signer = publisher_keys_index(&p->public, p->certificate.publisher);
	int ours = publisher_keys_index(&p->public, p->public.key.id);
	int first = asked < signer ? asked : signer;

	first = first < ours ? first : ours;
	for (unsigned i = first < 0 ? 0 : (unsigned)first; i < p->public.count; i++)
		reply->rotations[reply->rotation_count++] = p->public.octets[i];
}

void
request_hello(struct activate *a, struct front_peer *p, const struct request_frame *in)
{
	const struct publisher *publisher;
	const struct ipc_frame *f = &in->from;
	struct message_hello_reply reply = { .time = a->now };
	struct message_hello hello;
	uint8_t *room;
	size_t len;
	int rc;

	if (locked(a, p, f))
		return;
	if ((rc = decode_hello(&hello, in->bytes, f->length)) != KMS_OK) {
		refusal_log(f, (uint32_t)rc, "");
		answer_error(a, p, f->token, (uint32_t)rc, IPC_CLOSE);
		return;
	}
	publisher = publishers_by_id(&a->publishers, hello.publisher);
	if (publisher == NULL || !publisher->confirmed) {
		rc = publisher != NULL && publisher->key_count > 0 ? KMS_E_NOT_CONFIRMED
								   : KMS_E_NOT_ENABLED;
		refusal_counts_add(&a->refusal_counts, NULL, 0, (uint32_t)rc, a->now);
		refusal_log(f, (uint32_t)rc, "");
		answer_error(a, p, f->token, (uint32_t)rc, 0);
		return;
	}
	if ((room = front_peer_reserve(p, FRAME_HEADER + FRAME_MAX_REPLY)) == NULL)
		return;
	reply.exchange = exchange_keys_statement(a->exchange);
	reply.certificate = publisher->certificate_octets;
	reply.certificate_len = publisher->certificate_len;
	add_rotations(&reply, publisher, hello.publisher);
	len = message_hello_reply_encode(room + FRAME_HEADER, FRAME_MAX_REPLY, &reply);
	frame_encode(room, FRAME_HELLO_REPLY, (uint32_t)len);
	front_peer_commit(p, f->token, 0, FRAME_HEADER + len);
}

/*
 * When the client got its lease for the product that it asks for; 0: it has none. A refusal that
 * came later leaves only the end of the lease to tell.
 */
static uint64_t
leased_at(const struct request *q)
{
	const struct kmsdb_client *c = &q->row;
	uint64_t validity;

	if (c->kind != ENTRY_LEASE || !holders_same_product(c, &q->auth.request))
		return 0;
	if (c->status == KMS_OK)
		return c->last_seen;
	validity = q->found.product->validity * UINT64_C(60);
	return c->expires < q->host.not_after && c->expires > validity ? c->expires - validity : 0;
}

/* Is its lease from before the certificate was installed? */
static bool
has_old_certificate(const struct request *q)
{
	const struct publisher *p = q->found.publisher;

	/* A number of another host's chain says nothing about this one. */
	return p->certified_batch != 0 && q->row.chain == 0 ? q->row.batch < p->certified_batch
							    : q->client.leased < p->certified;
}

/* What its row says of its seat in the pool of the product that it asks for. */
static void
fill_seat_of(const struct activate *a, struct request *q)
{
	struct policy_client *c = &q->client;
	const struct kmsdb_client *row = &q->row;

	c->counted = kmsdb_client_counts(
	    row, q->found.publisher->public.key.id, q->found.pool->number, policy_minute(a->now));
	c->reclaimed = row->kind == ENTRY_RECLAIM;
	if (!c->counted)
		return;
	c->overdraft = (row->flags & ENTRY_OVERDRAFT) != 0;
	if ((row->flags & ENTRY_BORROWED) == 0 || !holders_same_product(row, &q->auth.request))
		return;
	c->borrowed = row->until;
	c->borrowed_end = row->expires;
}

static void
fill_counters(struct activate *a, const struct request *q, struct policy_counters *out)
{
	struct kmsdb_pool pool;

	kmsdb_pool_get(a->db, q->found.publisher->public.key.id, q->found.pool->number,
	    policy_minute(a->now), &pool);
	out->counted = pool.counted;
	out->next = pool.next;
	out->borrowed = pool.borrowed;
	out->next_borrowed = pool.next_borrowed;
}

/* Its class is of those of the pool, of which most hosts have none. */
static void
fill_classes(struct activate *a, const struct request *q, const struct ipc_frame *f,
    struct class_pool *classes, struct policy_counters *out)
{
	const struct message_request *m = &q->auth.request;
	const struct class_client who = { .address = f->address, .name = m->name, .user = m->user };

	classes_of_pool(
	    classes, &a->classes, q->found.publisher, q->found.pool, a->db, policy_minute(a->now));
	out->classes = classes->at;
	out->class_count = classes->count;
	out->class = classes_match(classes, &who);
	if (q->client.counted)
		out->seat_class = classes_numbered(classes, q->row.class);
}

/* A release leaves the class that the seat has. */
static uint16_t
class_of(const struct request *q, const struct class_pool *classes,
    const struct policy_counters *counters)
{
	if (q->decision.keep_class || q->decision.outcome == POLICY_RELEASE_SEAT)
		return q->row.class;
	return counters->class_count > 0 ? classes_number(classes, counters->class) : 0;
}

/* Would it help to take a seat back? */
static bool
wants_seat(const struct request *q)
{
	const struct policy_decision *d = &q->decision;

	if (q->found.pool == NULL || q->found.pool->reclaim == 0 || q->client.counted)
		return false;
	return d->status == KMS_E_CAPACITY || d->status == KMS_E_RECLAIMED ||
	       d->status == KMS_E_CLASS_FULL || (d->overdraft && d->outcome != POLICY_DENY);
}

/*
 * Decides again with the longest unseen, until one may lose its seat: that of another class may be
 * reserved for it.
 */
static void
decide_reclaim(struct activate *a, struct request *q, const struct class_pool *classes,
    struct policy_counters *counters)
{
	struct policy_decision with;
	unsigned i = 0;

	counters->victim = true;
	while (unseen_next(a->unseen, &q->found, q->auth.session.cmid, &i, &q->victim)) {
		counters->victim_class =
		    counters->class_count > 0 ? classes_numbered(classes, q->victim.class) : NULL;
		policy_decide(&with, q->found.publisher->pack, q->found.product, &q->host, counters,
		    &q->client, &q->auth.request, a->now);
		if (!with.reclaim)
			continue;
		q->decision = with;
		return;
	}
}

/* A seat that the client does not have is not given now, whatever is free. */
static void
refuse_new(struct request *q)
{
	struct policy_decision *d = &q->decision;

	if ((d->outcome != POLICY_GRANT && d->outcome != POLICY_RECORD) || q->client.counted)
		return;
	d->outcome = POLICY_DENY;
	d->status = KMS_E_ALONE;
	d->reclaim = d->right = d->overdraft = d->borrowed = d->clone = d->caught_up =
	    d->bound_other = d->paced = false;
	d->retry_after = SHARE_RETRY;
}

/* What the share changes of a decision. */
static void
look_at_rights(struct activate *a, struct request *q, const struct policy_counters *counters)
{
	struct policy_decision *d = &q->decision;

	if (share_gives_none(a->share))
		refuse_new(q);
	/* Free seats may be other hosts' to give. */
	if (d->outcome != POLICY_DENY || d->status != KMS_E_CAPACITY || !counters->shared ||
	    counters->rights > 0 || counters->counted >= policy_capacity(q->found.pool, &q->host))
		return;
	d->status = share_wants(a->share, &q->found);
	d->retry_after = SHARE_RETRY;
}

static int
decide(struct activate *a, struct request *q, const struct ipc_frame *f)
{
	struct policy_counters counters = { 0 };
	struct class_pool classes;
	bool known = publishers_find(&a->publishers, q->auth.request.product, &q->found);
	int rc = kmsdb_client_get(a->db, q->auth.session.cmid, &q->row);

	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	q->recorded = rc == KMS_OK;
	publisher_host(q->found.publisher,
	    known &&
		q->found.publisher->covered[q->found.product - q->found.publisher->pack->products],
	    &q->host);
	q->host.renewals = a->config.renewals_per_interval;
	memset(&q->client, 0, sizeof(q->client));
	if (rc == KMS_OK) {
		/* A row that has only refusals is not yet a client. */
		q->client.known = q->row.kind != 0 || (q->row.flags & KMSDB_REVOKED) != 0;
		q->client.released = (q->row.flags & (KMSDB_RELEASED | KMSDB_ENDED)) != 0;
		q->client.revoked = (q->row.flags & KMSDB_REVOKED) != 0;
		if (known)
			fill_seat_of(a, q);
		q->client.seen =
		    q->row.kind == ENTRY_SEEN && holders_same_product(&q->row, &q->auth.request);
		q->client.leased = known ? leased_at(q) : 0;
		q->client.old_certificate = known && has_old_certificate(q);
		q->client.sequence = q->row.sequence;
		memcpy(q->client.request_id, q->row.request_id, 16);
		q->client.elsewhere = q->row.chain != 0 && q->row.kind == ENTRY_LEASE;
		rc = holders_look(a, &q->row, &q->auth.request, q->found.product, &q->client);
		if (rc != KMS_OK)
			return rc;
	} else {
		memset(&q->row, 0, sizeof(q->row));
	}
	if (known)
		fill_counters(a, q, &counters);
	if (known && a->share != NULL && !q->client.counted)
		share_fill_rights(a->share, &q->found, &counters);
	if (known && a->classes.count > 0)
		fill_classes(a, q, f, &classes, &counters);
	policy_decide(&q->decision, known ? q->found.publisher->pack : NULL, q->found.product,
	    &q->host, &counters, &q->client, &q->auth.request, a->now);
	if (wants_seat(q))
		decide_reclaim(a, q, &classes, &counters);
	q->class = class_of(q, &classes, &counters);
	if (a->share != NULL)
		look_at_rights(a, q, &counters);
	return KMS_OK;
}

/* The lease that a client below the threshold has from before ends then; 0: it has none. */
static uint64_t
held_until(const struct request *q)
{
	return holders_same_product(&q->row, &q->auth.request) ? q->row.expires : 0;
}

static void
fill_seat(const struct activate *a, const struct request *q, struct entry_client *e)
{
	const struct policy_decision *d = &q->decision;

	if (q->found.publisher != NULL) {
		memcpy(e->publisher, q->found.publisher->public.key.id, 8);
		e->pool = q->found.pool->number;
		e->class = q->class;
	}
	if (e->kind != ENTRY_LEASE && e->kind != ENTRY_SEEN)
		return;
	e->until = d->until;
	e->width = entry_slot_width(q->found.pool->window);
	e->expires = e->kind == ENTRY_LEASE ? d->expires : held_until(q);
	e->renew_after = e->kind == ENTRY_LEASE ? d->renew_after : 0;
}

/* A full bucket, as the administrator and the client hear of it. */
static void
say_limit(struct activate *a, const struct ipc_frame *f, enum budget_limit limit)
{
	char address[ADDRESS_TEXT];

	log_limited(LOG_WARNING, "limit-reached",
	    "%s: [limits] %s is reached: clients are told to try again later",
	    address_text(address, f->address), budget_name(limit));
}

/* Most clients that may count in the pool; without a limit, those that count now. */
static uint32_t
pool_size(const struct request *q)
{
	uint32_t limit = policy_capacity(q->found.pool, &q->host);

	return limit != 0 ? limit : q->decision.count;
}

/* A licence that one machine takes for itself shows here first. */
static void
look_at_share(struct activate *a, const struct request *q, const struct ipc_frame *f)
{
	uint32_t made = budget_made(&a->budget, &a->config, f->address, a->now);
	char source[ADDRESS_SOURCE_TEXT];

	if (made < POLICY_SHARE_LEAST || made < pool_size(q) / POLICY_SHARE_PART)
		return;
	address_source_text(source, f->address);
	log_limited(LOG_WARNING, "source-share",
	    "%s made %u new clients in a short time, and pool %s has %u seats: if it is one machine, kmsctl client forget --address %s shows the seats that can be freed",
	    source, made, q->found.pool->name, pool_size(q), source);
}

/* May the entry of this decision be written? */
static enum budget_limit
ask_budget(struct activate *a, const struct request *q, const struct ipc_frame *f)
{
	bool refusal = q->decision.outcome == POLICY_DENY;
	enum budget_entry entry = !q->recorded ? refusal ? BUDGET_REFUSED_NEW : BUDGET_NEW_CLIENT
				  : refusal    ? BUDGET_REFUSED
				  : q->decision.paced ? BUDGET_PACED
						      : BUDGET_OTHER;
	enum budget_limit limit;

	activate_look_at_disk(a);
	limit = budget_take(&a->budget, &a->config, entry, f->address, a->now);
	if (limit == BUDGET_FREE && entry == BUDGET_NEW_CLIENT)
		look_at_share(a, q, f);
	return limit;
}

static void
limited(struct activate *a, const struct ipc_frame *f, struct pending_slot *slot,
    enum budget_limit limit)
{
	a->counts.refused++;
	say_limit(a, f, limit);
	slot->settled = true;
	slot->reply.status = limit == BUDGET_DISK ? KMS_E_LEDGER : KMS_E_OVERLOAD;
	slot->reply.retry_after = budget_wait(&a->budget, limit);
}

/* Marks that a refusal cannot have are not in its decision. */
static uint16_t
entry_flags(const struct request *q)
{
	const struct policy_decision *d = &q->decision;
	bool stateless = (q->auth.request.flags & MESSAGE_STATELESS) != 0;

	return (uint16_t)((d->vm ? ENTRY_VM : 0) | (d->clone ? ENTRY_CLONE : 0) |
			  (d->caught_up ? ENTRY_CAUGHT_UP : 0) |
			  (d->bound_other ? ENTRY_BOUND_OTHER : 0) |
			  (d->borrowed ? ENTRY_BORROWED : 0) | (d->right ? ENTRY_RIGHT : 0) |
			  (d->overdraft ? ENTRY_OVERDRAFT : 0) | (stateless ? ENTRY_STATELESS : 0));
}

/* The machine's id is nobody's business when the product is not bound to it. */
static void
fill_binding(const struct request *q, struct entry_client *e)
{
	const uint8_t *binding = q->auth.request.binding;

	e->bound = binding != NULL && q->found.product != NULL && q->found.product->bind;
	if (e->bound)
		memcpy(e->binding, binding, sizeof(e->binding));
}

/* The same request may come again at once: nothing of it is in the ledger. */
static void
unwritten(struct pending_slot *slot)
{
	slot->reply.status = KMS_E_LEDGER;
	slot->reply.retry_after = 1;
}

static size_t
build_entry(const struct activate *a, const struct request *q, enum entry_kind kind,
    const struct aside *aside, uint8_t *out, size_t size)
{
	const struct policy_decision *d = &q->decision;
	const struct message_request *m = &q->auth.request;
	struct entry_client e = {
		.kind = (uint8_t)kind,
		.flags = entry_flags(q),
		.status = d->status,
		.time = a->now,
		.sequence = m->sequence,
		.count = d->count,
		.required = d->required,
		.operation = m->operation,
		.state = m->state,
		.grace_minutes = m->grace_minutes,
	};

	memcpy(e.cmid, q->auth.session.cmid, 16);
	memcpy(e.product, m->product, 16);
	memcpy(e.request_id, m->request_id, 16);
	aside_commit(&e.commitments, aside);
	fill_seat(a, q, &e);
	fill_binding(q, &e);
	return entry_client_encode(out, size, &e);
}

/* In the batch of the entry that gets the seat, before it. */
static int
stage_reclaim(struct activate *a, const struct request *q)
{
	const struct kmsdb_client *c = &q->victim;
	struct entry_about e = { .kind = ENTRY_RECLAIM,
		.through = c->sequence,
		.pool = c->pool,
		.class = c->class };
	char loser[33], winner[33];
	int rc;

	if (!kmsdb_has_room(a->db, 3)) /* with what a batch begins with */
		return KMS_E_TOO_LARGE;
	memcpy(e.cmid, c->cmid, 16);
	memcpy(e.other, q->auth.session.cmid, 16);
	memcpy(e.product, c->product, 16);
	memcpy(e.publisher, c->publisher, 8);
	if ((rc = activate_stage_about(a, &e)) != KMS_OK)
		return rc;
	sodium_bin2hex(loser, sizeof(loser), c->cmid, 16);
	sodium_bin2hex(winner, sizeof(winner), q->auth.session.cmid, 16);
	log_limited(LOG_NOTICE, "seat-reclaimed",
	    "pool %s is full: the seat of client %s, unseen for %llu minutes, goes to client %s",
	    q->found.pool->name, loser, (unsigned long long)(a->now - c->last_seen) / 60, winner);
	return KMS_OK;
}

/* Both entries, or none: a seat is not taken for nothing. */
static int
stage_entry(struct activate *a, const struct request *q, const struct item *item, uint32_t *leaf)
{
	bool reclaim = q->decision.reclaim;
	int rc;

	if (item->entry_len == 0 || item->aside_len == 0)
		return KMS_E_FORMAT;
	if (reclaim && (rc = stage_reclaim(a, q)) != KMS_OK)
		return rc;
	if ((rc = activate_stage(a, item, leaf)) != KMS_OK && reclaim)
		kmsdb_abandon(a->db);
	return rc;
}

static void
stage(struct activate *a, const struct request *q, const struct ipc_frame *f,
    struct pending_slot *slot, enum entry_kind kind)
{
	uint8_t entry[ENTRY_CLIENT_MAX], beside[ASIDE_MAX];
	struct item item = { .entry = entry, .aside = beside };
	struct aside aside = { 0 };
	enum budget_limit limit = ask_budget(a, q, f);
	int rc;

	if (limit != BUDGET_FREE) {
		if (kind != ENTRY_REFUSAL)
			limited(a, f, slot, limit);
		return;
	}
	memcpy(aside.salt, q->auth.request.salt, sizeof(aside.salt));
	memcpy(aside.address, f->address, 16);
	memcpy(aside.name, q->auth.request.name, sizeof(aside.name));
	memcpy(aside.user, q->auth.request.user, sizeof(aside.user));
	item.entry_len = build_entry(a, q, kind, &aside, entry, sizeof(entry));
	item.aside_len = aside_encode(beside, sizeof(beside), &aside);
	rc = stage_entry(a, q, &item, &slot->leaf);
	if (rc == KMS_OK) {
		if (kind == ENTRY_LEASE)
			slot->answer = PENDING_LEAF;
		return;
	}
	log_limited(
	    LOG_ERR, "entry-lost", "an entry of kind %d: %s", kind, kms_strerror((uint32_t)rc));
	if (kind == ENTRY_REFUSAL)
		return;
	unwritten(slot);
}

/*
 * The reply was lost. What the client was told follows from the kind of its last entry that
 * counted, which has its highest sequence number; the row's status may be that of a later refusal.
 * An entry of another host is on disk, and is none with a lease (policy_client.elsewhere).
 */
static void
repeat(struct activate *a, const struct request *q, const struct ipc_frame *f,
    struct pending_slot *slot)
{
	enum budget_limit limit;

	slot->reply.status = q->row.kind == ENTRY_SEEN ? KMS_E_COUNT_TOO_LOW : KMS_OK;
	slot->settled = q->row.chain != 0 || q->row.batch <= a->last_batch;
	slot->number = q->row.chain == 0 && slot->settled ? q->row.batch : 0;
	if (q->row.kind != ENTRY_LEASE)
		return;
	slot->leaf = q->row.leaf;
	slot->sequence = q->row.sequence;
	if (!slot->settled) {
		slot->answer = PENDING_LEAF;
		return;
	}
	limit = budget_take_read(&a->budget, &a->config, q->auth.session.cmid, f->address, a->now);
	if (limit == BUDGET_FREE)
		slot->answer = PENDING_JOURNAL;
	else
		limited(a, f, slot, limit);
}

/* May change with entries of the batch under way, which may still fail. */
static bool
may_be_undone(uint32_t status)
{
	static const uint32_t statuses[] = { KMS_E_SEQUENCE, KMS_E_CLONE, KMS_E_CAPACITY,
		KMS_E_TOO_SOON, KMS_E_BINDING, KMS_E_CLASS_FULL, KMS_E_RECLAIMED,
		KMS_E_BORROWED_OUT };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i] == status)
			return true;
	return false;
}

/* The challenge is for the number that the row has: it is right until a request is served. */
static void
challenge(const struct activate *a, const struct request *q, struct pending_slot *slot)
{
	challenge_make(
	    slot->challenge, a->challenge, q->auth.session.cmid, q->row.sequence, a->now);
	slot->reply.challenge = slot->challenge;
	slot->reply.highest_sequence = q->decision.highest;
}

/* False: the hold cannot be written, and the client is told to try again. */
static bool
hold(struct activate *a, const struct request *q, const struct ipc_frame *f,
    struct pending_slot *slot)
{
	char cmid[33];
	enum budget_limit limit;
	int rc;

	activate_look_at_disk(a);
	limit = budget_take(&a->budget, &a->config, BUDGET_OTHER, f->address, a->now);
	if (limit != BUDGET_FREE) {
		limited(a, f, slot, limit);
		return false;
	}
	rc = holders_hold(a, q->auth.session.cmid, q->decision.hold_end);
	sodium_bin2hex(cmid, sizeof(cmid), q->auth.session.cmid, 16);
	if (rc == KMS_OK) {
		log_limited(LOG_WARNING, "clone-hold",
		    "two machines use the key of client %s in turn: neither gets a lease for %llu minutes; kmsctl clients --clones names them, kmsctl client forget %s ends the hold",
		    cmid, (unsigned long long)(q->decision.hold_end - a->now) / 60, cmid);
		return true;
	}
	log_limited(
	    LOG_ERR, "entry-lost", "the hold of client %s: %s", cmid, kms_strerror((uint32_t)rc));
	unwritten(slot);
	return false;
}

static void
sooner(uint32_t *retry, uint32_t seconds)
{
	if (seconds != 0 && (*retry == 0 || seconds < *retry))
		*retry = seconds;
}

static void
deny(struct activate *a, const struct request *q, const struct ipc_frame *f,
    struct pending_slot *slot)
{
	const struct policy_decision *d = &q->decision;
	uint32_t status = d->status;

	slot->settled = !may_be_undone(status);
	if (d->hold_end != 0 && !hold(a, q, f, slot))
		return;
	a->counts.refused++;
	if (q->found.publisher != NULL)
		refusal_counts_add(&a->refusal_counts, q->found.publisher->public.key.id,
		    q->found.pool->number, status, a->now);
	else
		refusal_counts_add(&a->refusal_counts, NULL, 0, status, a->now);
	refusal_log(f, status, q->auth.request.name);
	slot->reply.retry_after = d->retry_after;
	if (wants_seat(q))
		sooner(&slot->reply.retry_after, unseen_wait(a->unseen, &q->found));
	if (d->highest != 0)
		challenge(a, q, slot);
	if (status == KMS_E_TOO_SOON)
		budget_bite(&a->budget, BUDGET_PACE, f->address, a->now);
	/* After a hold there may be no room in the batch. */
	if (!d->stale && !kmsdb_full(a->db) &&
	    refusal_due(a->refusals, q->auth.session.cmid, status, a->now))
		stage(a, q, f, slot, ENTRY_REFUSAL);
}

/*
 * Counted before, or by the entry that is staged: what others say of this host's history costs it
 * nothing.
 */
static bool
is_counted(const struct request *q, const struct pending_slot *slot)
{
	const struct policy_decision *d = &q->decision;

	return q->client.counted || ((d->outcome == POLICY_GRANT || d->outcome == POLICY_RECORD) &&
					slot->reply.status == d->status);
}

static void
hear_witness(struct activate *a, const struct request *q, const struct ipc_frame *f,
    struct pending_slot *slot)
{
	const struct message_request *m = &q->auth.request;
	const struct testimony w = { .cmid = q->auth.session.cmid,
		.address = f->address,
		.name = m->name,
		.claim = m->witness,
		.header = m->header };

	if (m->witness != NULL && !testimony_is_last(m->witness, &q->row) && is_counted(q, slot))
		slot->reply.show = testimony_take(a, &w);
}

static void
settle(struct activate *a, struct request *q, const struct ipc_frame *f, struct pending_slot *slot)
{
	const struct policy_decision *d = &q->decision;

	if (a->share != NULL && !share_serves(a->share)) {
		a->counts.refused++;
		slot->settled = true;
		slot->reply.status = KMS_E_LEDGER;
		slot->reply.retry_after = SHARE_RETRY;
		return;
	}
	if (decide(a, q, f) != KMS_OK) {
		log_limited(LOG_CRIT, "ledger-error", "a client's record cannot be read");
		slot->settled = true;
		unwritten(slot);
		return;
	}
	slot->reply.status = d->status;
	slot->reply.count = d->count;
	slot->reply.required = d->required;
	slot->reply.activation_interval = d->activation_interval;
	slot->reply.renewal_interval = d->renewal_interval;
	switch (d->outcome) {
	case POLICY_GRANT:
		stage(a, q, f, slot, ENTRY_LEASE);
		break;
	case POLICY_RECORD:
		stage(a, q, f, slot, ENTRY_SEEN);
		break;
	case POLICY_RELEASE_SEAT:
		stage(a, q, f, slot, ENTRY_RELEASE);
		break;
	case POLICY_REPEAT:
		repeat(a, q, f, slot);
		break;
	case POLICY_DENY:
		deny(a, q, f, slot);
		break;
	}
	hear_witness(a, q, f, slot);
}

static struct pending_slot *
next_slot(struct activate *a)
{
	struct pending_slot *slot;

	/* Now, before the decision: what is staged then belongs to the next batch. */
	if (kmsdb_full(a->db))
		pending_finish(a);
	if ((slot = pending_take(a->pending)) != NULL)
		return slot;
	pending_finish(a);
	return pending_take(a->pending);
}

void
request_take(struct activate *a, struct front_peer *p, const struct request_frame *in)
{
	const struct ipc_frame *f = &in->from;
	struct pending_slot *slot;
	struct request q;
	int rc = in->status;

	a->counts.requests++;
	if (locked(a, p, f))
		return;
	if (rc == KMS_OK)
		rc = authenticate(
		    &q.auth, host_identity_id(a->key), a->exchange, a->cache, &in->view, a->now);
	if (rc != KMS_OK && rc != KMS_E_BAD_REQUEST && rc != KMS_E_NOT_OFFERED &&
	    rc != KMS_E_DOWNGRADE) {
		refusal_log(f, (uint32_t)rc, "");
		answer_error(a, p, f->token, (uint32_t)rc,
		    rc == KMS_E_UNKNOWN_HOST || rc == KMS_E_UNKNOWN_KEY ? 0 : IPC_CLOSE);
		goto done;
	}
	slot = next_slot(a);
	slot->peer = p;
	slot->token = f->token;
	slot->keys = q.auth.session.keys;
	slot->reply.time = a->now;
	memcpy(slot->reply.request_id, q.auth.request.request_id, 16);
	if (rc == KMS_OK) {
		settle(a, &q, f, slot);
	} else {
		slot->settled = true;
		slot->reply.status = (uint32_t)rc;
		refusal_log(f, (uint32_t)rc, "");
	}
done:
	sodium_memzero(&q.auth, sizeof(q.auth));
}

void
request_expect(const struct activate *a, struct request_frame *frames, size_t count)
{
	const struct session *session;
	const uint8_t *cmid[REQUEST_GROUP];
	uint32_t place[REQUEST_GROUP];
	size_t known = 0;

	for (size_t i = 0; i < count; i++) {
		struct request_frame *in = &frames[i];

		in->status = in->from.verb != IPC_REQUEST
				 ? KMS_E_NOT_FOUND
				 : authenticate_parse(&in->view, in->bytes, in->from.length);
		if (in->status == KMS_OK)
			place[i] = session_keys_announce(a->cache, in->view.client_pk);
	}
	for (size_t i = 0; i < count; i++) {
		session =
		    frames[i].status != KMS_OK ? NULL : session_keys_expect(a->cache, place[i]);
		if (session != NULL)
			cmid[known++] = session->cmid;
	}
	kmsdb_expect(a->db, cmid, known);
}
