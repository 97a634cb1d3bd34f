/*
 * status.c - everything an administrator asks first: is it running, is it confined, is the ledger
 * written, which publishers does it serve, and how far are the counts.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/activate_confine.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/activate/share/sharing.h"
#include "kmsd/activate/web_peer.h"
#include "kmsd/common/confine.h"
#include "libkms/base/address.h"

static void
row_service(struct activate *a, struct control_buf *b)
{
	struct session_keys_info cache;

	session_keys_info(a->cache, &cache);
	control_row(b, "service");
	control_text(b, "version", PACKAGE_VERSION);
	control_number(b, "pid", (uint64_t)getpid());
	control_number(b, "started", a->started);
	control_text(b, "host-name", a->host_name);
	control_hex(b, "host-id", host_identity_id(a->key), 16);
	control_number(b, "config-started", a->config.marks[true]);
	control_number(b, "config-read", a->config.marks[false]);
	control_number(b, "port", a->config.port);
	control_number(b, "fronts", a->config.fronts);
	control_text(b, "key-sealed", identity_kind_name(host_identity_kind(a->key)));
	control_number(b, "locked", host_identity_locked(a->key));
	if (a->exchange != NULL)
		control_number(b, "exchange-until", exchange_keys_newest(a->exchange)->until);
	control_number(b, "requests", a->counts.requests);
	control_number(b, "refused", a->counts.refused);
	control_number(b, "batches", a->counts.batches);
	control_number(b, "entries", a->counts.entries);
	control_number(b, "largest-batch", a->counts.largest);
	control_number(b, "ledger-failures", a->counts.ledger_failures);
	control_number(b, "sessions", cache.entries);
	control_number(b, "sessions-most", cache.size);
	control_number(b, "session-octets", cache.octets + kmsdb_remembered(a->db));
	control_number(b, "session-hits", cache.hits);
	control_number(b, "session-misses", cache.misses);
}

static void
row_sandbox(
    struct control_buf *b, const char *process, uint32_t in_force, uint32_t wanted, bool required)
{
	char names[128];

	control_row(b, "sandbox");
	control_text(b, "process", process);
	confine_names(names, sizeof(names), in_force);
	control_text(b, "layers", names);
	confine_names(names, sizeof(names), wanted & ~in_force);
	control_text(b, "missing", names);
	control_number(b, "required", required);
}

/* Each front has a list of its own: shown as missing is what every process needs. */
#define FRONT_WANTED                                                                               \
	(CONFINE_NO_NEW_PRIVS | CONFINE_UID | CONFINE_CHROOT | CONFINE_LANDLOCK |                  \
	    CONFINE_SECCOMP | CONFINE_RLIMITS | CONFINE_NO_CORE)

struct walk {
	struct activate *a;
	struct control_buf *b;
};

static void
front_sandbox(const struct front_peer *p, void *arg)
{
	struct walk *w = arg;
	char name[32];

	if (!p->ready)
		return;
	snprintf(name, sizeof(name), "kmsd-front %u", p->index);
	row_sandbox(w->b, name, p->layers, FRONT_WANTED, w->a->config.sandbox_required);
}

static void
row_front(const struct front_peer *p, void *arg)
{
	struct control_buf *b = ((struct walk *)arg)->b;

	control_row(b, "front");
	control_number(b, "number", p->index);
	control_number(b, "ready", p->ready);
	control_number(b, "in-flight", p->in_flight);
	control_number(b, "credits", p->credits);
	control_number(b, "answered", p->replies);
	control_text(b, "answer", front_peer_fresh(p) ? "in time" : "no answer");
	/* Old figures, or zeros, would be taken for those of now. */
	if (!front_peer_fresh(p))
		return;
	control_number(b, "open", p->stats.open);
	control_number(b, "accepted", p->stats.accepted);
	control_number(b, "closed", p->stats.closed);
	control_number(b, "requests", p->stats.requests);
	control_number(b, "replies", p->stats.replies);
	control_number(b, "refused-frames", p->stats.refused_frames);
	control_number(b, "timeouts", p->stats.timeouts);
	control_number(b, "refused-connections", p->stats.refused_connections);
	control_number(b, "evicted-connections", p->stats.evicted);
}

/* What clients and restores say of the ledger's own history; nothing when there is nothing. */
static void
fields_history(struct activate *a, struct control_buf *b)
{
	struct kmsdb_history h;
	bool bad;

	if (kmsdb_history(a->db, &h) != KMS_OK)
		return;
	bad = h.grades[HISTORY_CONTRADICTION] + h.grades[HISTORY_UNEXPLAINED] > 0;
	control_number(b, "witnesses-contradiction", h.grades[HISTORY_CONTRADICTION]);
	control_number(b, "witnesses-unexplained", h.grades[HISTORY_UNEXPLAINED]);
	control_number(b, "witnesses-note", h.grades[HISTORY_NOTE]);
	if (bad)
		control_number(b, "witness-last",
		    h.newest[HISTORY_CONTRADICTION] > h.newest[HISTORY_UNEXPLAINED]
			? h.newest[HISTORY_CONTRADICTION]
			: h.newest[HISTORY_UNEXPLAINED]);
	if (h.restores > 0) {
		control_number(b, "restores", h.restores);
		control_number(b, "restored", h.last_restored.time);
		control_number(b, "restored-to", h.last_restored.number);
		control_number(b, "restored-cause", h.last_restored.cause);
	}
	if (h.clock != 0)
		control_number(b, "clock-back", h.clock);
}

static void
row_ledger(struct activate *a, struct control_buf *b)
{
	struct kmsdb_info i;

	kmsdb_info(a->db, &i);
	control_row(b, "ledger");
	control_number(b, "clients", i.clients);
	control_number(b, "first-batch", i.first_batch);
	control_number(b, "last-batch", i.last_batch);
	control_number(b, "index-batch", i.index_batch);
	control_number(b, "overlay", i.overlay);
	control_number(b, "segments", i.segments);
	control_number(b, "journal-octets", i.journal_bytes);
	control_number(b, "index-octets", i.index_bytes);
	control_number(b, "map-octets", i.map_size);
	control_number(b, "checkpoints", i.checkpoints);
	control_number(b, "schema", i.schema);
	control_hex(b, "last-hash", i.last_hash, 32);
	if (a->failing_since != 0)
		control_number(b, "failing-since", a->failing_since);
	fields_history(a, b);
}

/* Limits that have refused something. */
static void
rows_limit(const struct activate *a, struct control_buf *b, bool names)
{
	char text[ADDRESS_TEXT];

	for (unsigned i = 0; i < BUDGET_LIMITS; i++) {
		const struct budget_bites *bites = &a->budget.bites[i];

		if (bites->count == 0)
			continue;
		control_row(b, "limit");
		control_text(b, "name", budget_name(i));
		control_number(b, "refused", bites->count);
		control_number(b, "last", bites->last);
		if (names)
			control_text(b, "address", address_text(text, bites->address));
	}
}

/* The newest rotation; the other key is that of its two which is not in kms.ini. */
static void
fill_rotations(const struct publisher_keys *k, struct control_buf *b)
{
	const struct rotation *r = &k->statements[k->count - 1];
	bool newest = memcmp(k->key.id, r->new.id, 8) == 0;

	control_number(b, "rotations", k->count);
	control_hex(b, "other-key", newest ? r->old.id : r->new.id, 8);
	control_number(b, "both-from", r->from);
	control_number(b, "both-until", r->until);
}

static void
row_publisher(const struct publisher *p, struct control_buf *b)
{
	const struct host_key *key = p->key_count > 0 ? &p->keys[p->key_count - 1] : NULL;

	if (p->confirmed && publisher_find_host_key(p, p->certificate.host_key_id) != NULL)
		key = publisher_find_host_key(p, p->certificate.host_key_id);
	control_row(b, "publisher");
	control_text(b, "name", p->name);
	control_hex(b, "id", p->public.key.id, 8);
	control_number(b, "installed", p->key_count > 0);
	control_number(b, "confirmed", p->confirmed);
	if (key != NULL) {
		control_uuid(b, "key", key->id);
		control_text(b, "customer", key->customer);
		control_text(b, "group", key->group);
	}
	if (p->confirmed) {
		control_number(b, "not-before", p->certificate.not_before);
		control_number(b, "not-after", p->certificate.not_after);
		control_number(b, "capacity", p->certificate.capacity);
	}
	if (p->public.count > 0)
		fill_rotations(&p->public, b);
	if (p->revocations != NULL)
		control_number(b, "revocations", p->revocations->number);
	if (p->revoked != NULL)
		control_text(b, "revoked", p->revoked->reason);
}

static void
row_seats(struct activate *a, const struct publisher *p, const struct policy_pool *pool,
    struct control_buf *b)
{
	uint32_t capacity = publisher_capacity(p, pool);
	struct kmsdb_pool seats;

	kmsdb_pool_get(a->db, p->public.key.id, pool->number, policy_minute(a->now), &seats);
	control_number(b, "counted", seats.counted);
	control_number(b, "capacity", capacity);
	control_number(b, "window-minutes", pool->window);
	if (pool->borrow != 0 || seats.borrowed != 0)
		control_number(b, "borrowed", seats.borrowed);
	if (pool->borrow != 0)
		control_number(b, "borrow-seats", pool->borrow_seats);
	if (capacity != 0 && seats.counted > capacity)
		control_number(b, "over", seats.counted - capacity);
	if (pool->overdraft != 0)
		control_number(b, "overdraft", policy_overdraft(pool, capacity));
	if (pool->reclaim != 0)
		control_number(b, "longest-unseen", pool->reclaim);
	if (capacity != 0 && seats.counted >= capacity && seats.next != 0)
		control_number(b, "next-seat", seats.next * UINT64_C(60));
}

/* The classes of kms.ini, and what they have of the pool. */
static void
rows_class(struct activate *a, const struct publisher *p, struct control_buf *b)
{
	for (unsigned i = 0; p->pack != NULL && i < p->pack->pool_count; i++) {
		const struct policy_pool *pool = &p->pack->pools[i];
		struct class_pool classes;

		classes_of_pool(&classes, &a->classes, p, pool, a->db, policy_minute(a->now));
		for (unsigned k = 0; k < classes.count; k++) {
			control_row(b, "class");
			control_text(b, "publisher", p->name);
			control_text(b, "pool", pool->name);
			control_text(b, "name", classes.of[k]->name);
			control_number(b, "number", classes.number[k]);
			control_number(b, "counted", classes.at[k].counted);
			control_number(b, "reserve", classes.at[k].reserve);
			control_number(b, "limit", classes.at[k].limit);
		}
	}
}

static uint32_t
pool_count(struct activate *a, const struct publisher *p, const struct policy_pool *pool)
{
	return kmsdb_pool_count(a->db, p->public.key.id, pool->number, policy_minute(a->now));
}

static void
rows_pool(struct activate *a, const struct publisher *p, struct control_buf *b)
{
	for (unsigned i = 0; p->pack != NULL && i < p->pack->pool_count; i++) {
		const struct policy_pool *pool = &p->pack->pools[i];

		control_row(b, "pool");
		control_text(b, "publisher", p->name);
		control_number(b, "number", pool->number);
		control_text(b, "name", pool->name);
		row_seats(a, p, pool, b);
	}
}

static void
rows_product(struct activate *a, const struct publisher *p, struct control_buf *b)
{
	for (unsigned i = 0; p->pack != NULL && i < p->pack->product_count; i++) {
		const struct policy_product *product = &p->pack->products[i];
		const struct policy_pool *pool = &p->pack->pools[product->pool];

		control_row(b, "product");
		control_text(b, "publisher", p->name);
		control_uuid(b, "id", product->id);
		control_text(b, "name", product->name);
		control_text(b, "group", p->pack->groups[product->group].name);
		control_text(b, "pool", pool->name);
		control_number(b, "counted", pool_count(a, p, pool));
		control_number(b, "required", product->threshold);
		control_number(b, "covered", p->confirmed && p->covered[i]);
	}
}

int
control_status(struct control_request *q)
{
	struct activate *a = q->activate;
	struct control_buf *b = q->out;
	struct walk walk = { a, b };
	uint32_t layers;

	/* What is shown here is on disk. */
	pending_finish(a);
	row_service(a, b);
	row_sandbox(b, "kmsd-activate", a->layers, ACTIVATE_LAYERS, a->config.sandbox_required);
	front_peer_each(a, front_sandbox, &walk);
	if (web_peer_layers(a, &layers))
		row_sandbox(b, "kmsd-web", layers, FRONT_WANTED, a->config.sandbox_required);
	if (a->share != NULL && share_layers(a->share, &layers))
		row_sandbox(b, "kmsd-share", layers, FRONT_WANTED, a->config.sandbox_required);
	row_ledger(a, b);
	rows_limit(a, b, q->names);
	for (unsigned i = 0; i < a->publishers.count; i++)
		row_publisher(&a->publishers.list[i], b);
	for (unsigned i = 0; i < a->publishers.count; i++)
		rows_pool(a, &a->publishers.list[i], b);
	for (unsigned i = 0; i < a->publishers.count; i++)
		rows_class(a, &a->publishers.list[i], b);
	for (unsigned i = 0; i < a->publishers.count; i++)
		rows_product(a, &a->publishers.list[i], b);
	front_peer_each(a, row_front, &walk);
	return KMS_OK;
}

int
control_checkpoint(struct control_request *q)
{
	int rc;

	pending_finish(q->activate);
	if ((rc = kmsdb_checkpoint(q->activate->db)) != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the index could not be brought up to date: %s",
		    kms_strerror((uint32_t)rc));
	return rc;
}
