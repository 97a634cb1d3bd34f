/*
 * apply.c - an entry's effect: the rules of apply.h as code.
 */
#include "kmsdb/apply.h"

#include <string.h>

#include "libkms/core/entry_blobs.h"
#include "libkms/kms_error.h"

static int
decode_about(struct apply_entry *out, const struct item *item)
{
	static const uint8_t all[16];
	int rc = entry_about_decode(&out->about, item->entry, item->entry_len);

	memcpy(out->key, out->about.cmid, 16);
	out->time = out->about.time;
	out->effect = memcmp(out->key, all, 16) == 0 ? APPLY_FLOOR : APPLY_ABOUT;
	return rc;
}

static void
take_admin(struct apply_entry *out, const struct entry_admin *in)
{
	memcpy(out->key, in->subject, 16);
	out->time = in->time;
	out->effect = in->kind == ENTRY_CLOCK ? APPLY_CLOCK : APPLY_NOTHING;
	if (in->kind == ENTRY_COUNTERS) {
		out->effect = APPLY_COUNTERS;
		out->blob = in->blob;
		out->blob_len = in->blob_len;
		return;
	}
	if (in->kind == ENTRY_BASE) {
		out->effect = APPLY_BASE;
		return;
	}
	if (entry_kind_is_share(in->kind)) {
		out->effect = APPLY_SHARE;
		return;
	}
	if (in->kind == ENTRY_RELAYED || in->kind == ENTRY_RELAYED_NAME) {
		out->effect = APPLY_OBSERVED;
		return;
	}
	own_row(&out->own, in, out->place.batch, out->place.leaf);
	if (out->own.table == OWN_NONE)
		return;
	out->effect = APPLY_OWN;
	memcpy(out->key, out->own.key, 16);
}

int
apply_decode(struct apply_entry *out, const struct item *item, const struct apply_place *place)
{
	struct entry_admin admin;
	int rc;

	out->kind = (uint8_t)entry_kind(item->entry, item->entry_len);
	out->place = *place;
	out->named = out->spoilt = false;
	if (entry_kind_is_about(out->kind))
		return decode_about(out, item);
	if (entry_kind_is_client(out->kind)) {
		rc = entry_client_decode(&out->client, item->entry, item->entry_len);
		memcpy(out->key, out->client.cmid, 16);
		out->time = out->client.time;
		out->effect = APPLY_CLIENT;
	} else {
		if (out->kind == 0)
			return entry_check(item->entry, item->entry_len);
		rc = entry_admin_decode(&admin, item->entry, item->entry_len);
		if (rc == KMS_OK)
			take_admin(out, &admin);
	}
	if (rc == KMS_OK && item->aside_len > 0) {
		int found = aside_decode(&out->aside, item->aside, item->aside_len);

		out->named = found == KMS_OK;
		out->spoilt = found == KMS_E_FORMAT;
	}
	return rc;
}

/* -- the order of acts -- */

static bool
is_act(const struct apply_entry *e)
{
	return e->effect == APPLY_CLIENT ? e->kind != ENTRY_REFUSAL
					 : entry_about_ends_seat(e->kind);
}

static int
compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Is the entry an act that comes after the row's, or the same? */
static bool
wins(const struct client_row *row, const struct apply_entry *e)
{
	uint64_t sequence = e->effect == APPLY_CLIENT ? e->client.sequence : e->about.through;
	int order;

	if (!is_act(e))
		return false;
	if (row->c.kind == 0)
		return true;
	order = compare(sequence, row->c.sequence);
	if (order == 0)
		order = compare(e->effect == APPLY_ABOUT, entry_kind_is_about(row->c.kind));
	if (order == 0)
		order = merge_order(e->place.chains, e->place.chain, row->c.chain);
	if (order == 0)
		order = compare(e->place.batch, row->c.batch);
	if (order == 0)
		order = compare(e->place.leaf, row->c.leaf);
	return order >= 0;
}

/* -- the hot row -- */

/* Flags that no act takes away. */
#define KEPT_FLAGS (KMSDB_REVOKED | KMSDB_HELD | KMSDB_STATELESS)

static void
take_place(struct kmsdb_client *c, const struct apply_entry *e)
{
	c->kind = e->kind;
	c->chain = e->place.chain;
	c->batch = e->place.batch;
	c->leaf = e->place.leaf;
	memcpy(c->header, e->place.header, sizeof(c->header));
}

static void
take_seat(struct kmsdb_client *c, const struct entry_client *in)
{
	memcpy(c->product, in->product, 16);
	memcpy(c->publisher, in->publisher, 8);
	c->pool = in->pool;
	c->class = in->class;
	c->seated = true;
	c->flags = (uint16_t)((c->flags & KEPT_FLAGS) | (in->flags & 0xff));
}

static void
drop_seat(struct kmsdb_client *c)
{
	memset(c->product, 0, 16);
	memset(c->publisher, 0, 8);
	c->pool = c->class = 0;
	c->seated = false;
	c->flags &= KEPT_FLAGS;
}

/* LEASE, SEEN, RELEASE. */
static void
take_act(struct kmsdb_client *c, const struct apply_entry *e)
{
	take_seat(c, &e->client);
	take_place(c, e);
	c->sequence = e->client.sequence;
	memcpy(c->request_id, e->client.request_id, 16);
	c->until = e->client.until;
	c->expires = e->client.expires;
	if (e->kind == ENTRY_RELEASE)
		c->flags |= KMSDB_RELEASED;
}

/* REVOKE, UNREVOKE, FORGET, RECLAIM. */
static void
take_end(struct kmsdb_client *c, const struct apply_entry *e)
{
	const struct entry_about *in = &e->about;
	static const uint8_t unknown[8];

	drop_seat(c);
	take_place(c, e);
	memcpy(c->product, in->product, 16);
	memcpy(c->publisher, in->publisher, 8);
	c->pool = in->pool;
	c->class = in->class;
	c->seated = memcmp(in->publisher, unknown, sizeof(unknown)) != 0;
	c->sequence = in->through;
	memset(c->request_id, 0, 16);
	c->until = 0;
	c->expires = 0;
	c->flags |= KMSDB_ENDED | (e->kind == ENTRY_FORGET ? KMSDB_FORGOTTEN : 0);
}

/* The order of refusals behind time and status. */
static int
compare_refusals(const struct kmsdb_client *c, const struct entry_client *in)
{
	int order = memcmp(in->product, c->product, 16);

	if (order == 0)
		order = memcmp(in->publisher, c->publisher, 8);
	if (order == 0)
		order = compare(in->pool, c->pool);
	if (order == 0)
		order = compare(in->class, c->class);
	return order != 0 ? order : compare(in->flags & 0xff, c->flags & 0xff);
}

/* A refusal of a client that has nothing else; before last seen and status are taken. */
static void
take_refusal(struct kmsdb_client *c, const struct apply_entry *e)
{
	int order = compare(e->time, c->last_seen);

	if (order == 0)
		order = compare(e->client.status, c->status);
	if (order < 0 || (order == 0 && c->seated && compare_refusals(c, &e->client) < 0))
		return;
	if (e->client.status == KMS_E_UNKNOWN_PRODUCT)
		drop_seat(c);
	else
		take_seat(c, &e->client);
}

static void
take_seen(struct kmsdb_client *c, const struct apply_entry *e)
{
	if (e->time < c->last_seen || (e->time == c->last_seen && e->client.status < c->status))
		return;
	c->last_seen = e->time;
	c->status = e->client.status;
}

/* -- the cold row -- */

bool
apply_needs_cold(
    const struct client_row *row, bool exists, const struct apply_entry *e, uint64_t floor)
{
	const struct entry_client *in = &e->client;

	/*
	 * Of what a client does, a renewal is nearly everything, and changes nothing there. One
	 * whose names are erased blanks them, also where its commitments are those that are shown.
	 */
	return !exists || e->effect != APPLY_CLIENT || !wins(row, e) || !e->named ||
	       e->time < row->c.last_seen || row->c.last_seen <= floor ||
	       (in->flags & (ENTRY_CLONE | ENTRY_CAUGHT_UP)) != 0 || row->shown == 0 ||
	       row->shown != row_shown(&in->commitments, in->bound ? in->binding : NULL);
}

static void
later(uint64_t *field, uint64_t time)
{
	if (time > *field)
		*field = time;
}

/* Of two entries of one time, the aside that is higher behind its salt. */
static int
compare_names(const struct kmsdb_cold *c, const struct aside *a)
{
	int order = memcmp(a->address, c->address, 16);

	if (order == 0)
		order = strcmp(a->name, c->name);
	return order != 0 ? order : strcmp(a->user, c->user);
}

void
apply_blank(struct kmsdb_cold *cold)
{
	memset(cold->address, 0, sizeof(cold->address));
	memset(cold->name, 0, sizeof(cold->name));
	memset(cold->user, 0, sizeof(cold->user));
}

static bool
names_gone(const struct kmsdb_cold *cold, uint64_t time)
{
	return time <= cold->erased || time < cold->forgotten;
}

/* True: the cold row shows this entry's names. Before last seen is taken. */
static bool
take_names(struct kmsdb_cold *cold, const struct kmsdb_client *c, const struct apply_entry *e)
{
	if (e->time < c->last_seen)
		return false;
	if (names_gone(cold, e->time) || !e->named) {
		if (e->time > c->last_seen)
			apply_blank(cold);
		return false;
	}
	if (e->time == c->last_seen && compare_names(cold, &e->aside) < 0)
		return false;
	memcpy(cold->address, e->aside.address, sizeof(cold->address));
	memcpy(cold->name, e->aside.name, sizeof(cold->name));
	memcpy(cold->user, e->aside.user, sizeof(cold->user));
	return true;
}

static void
take_binding(struct kmsdb_cold *cold, const struct entry_client *in)
{
	cold->bound = in != NULL && in->bound;
	memset(cold->binding, 0, sizeof(cold->binding));
	if (cold->bound)
		memcpy(cold->binding, in->binding, sizeof(cold->binding));
}

static void
client_cold(struct client_row *row, struct kmsdb_cold *cold, bool won, const struct apply_entry *e)
{
	const struct entry_client *in = &e->client;
	bool shown = take_names(cold, &row->c, e);

	if (cold->first_seen == 0 || e->time < cold->first_seen)
		cold->first_seen = e->time;
	if (in->flags & ENTRY_CLONE)
		later(&cold->last_clone, e->time);
	if ((in->flags & ENTRY_CAUGHT_UP) && e->time / 60 > cold->caught_up)
		cold->caught_up = (uint32_t)(e->time / 60);
	if (won)
		take_binding(cold, in);
	row->shown = shown ? row_shown(&in->commitments, cold->bound ? cold->binding : NULL) : 0;
}

/* -- registers -- */

/* The counters of one host differ, so the same counter of one host is the same entry. */
static bool
write_register(struct kmsdb_register *r, const struct apply_entry *e)
{
	uint64_t counter = e->about.counter;
	int order = compare(counter, r->counter);

	if (order == 0)
		order = merge_order(e->place.chains, e->place.chain, r->chain);
	if (order < 0)
		return false;
	r->counter = counter;
	r->chain = e->place.chain;
	return true;
}

static void
set_flag(struct kmsdb_client *c, uint16_t flag, bool on)
{
	c->flags = (uint16_t)(on ? c->flags | flag : c->flags & ~flag);
}

static void
take_about(struct client_row *row, struct kmsdb_cold *cold, const struct apply_entry *e)
{
	const struct entry_about *in = &e->about;
	bool hold = e->kind == ENTRY_HOLD;

	if ((e->kind == ENTRY_REVOKE || e->kind == ENTRY_UNREVOKE) &&
	    write_register(&cold->revocation, e))
		set_flag(&row->c, KMSDB_REVOKED, e->kind == ENTRY_REVOKE);
	if ((hold || e->kind == ENTRY_FORGET) && write_register(&cold->hold, e)) {
		cold->hold_end = hold ? in->value : 0;
		set_flag(&row->c, KMSDB_HELD, hold);
	}
	if (e->kind == ENTRY_ERASE)
		later(&cold->erased, in->value);
	if (e->kind == ENTRY_FORGET)
		later(&cold->forgotten, e->time);
	if (names_gone(cold, row->c.last_seen))
		apply_blank(cold);
	if (wins(row, e)) {
		take_end(&row->c, e);
		take_binding(cold, NULL);
	}
	row->shown = 0;
}

void
apply(struct client_row *row, struct kmsdb_cold *cold, bool exists, const struct apply_entry *e)
{
	bool won;

	if (!exists) {
		memset(row, 0, sizeof(*row));
		memset(cold, 0, sizeof(*cold));
		memcpy(row->c.cmid, e->key, 16);
		memcpy(cold->cmid, e->key, 16);
	}
	if (e->effect == APPLY_ABOUT) {
		take_about(row, cold, e);
		return;
	}
	won = wins(row, e);
	if (cold != NULL)
		client_cold(row, cold, won, e);
	if (won)
		take_act(&row->c, e);
	else if (e->kind == ENTRY_REFUSAL && row->c.kind == 0)
		take_refusal(&row->c, e);
	if (is_act(e) && (e->client.flags & ENTRY_STATELESS) != 0)
		set_flag(&row->c, KMSDB_STATELESS, true);
	take_seen(&row->c, e);
}
