/*
 * purse.c - what entries do to the rights of this host (rights_state.h), and what the index says of
 * them at opening.
 */
#include <string.h>

#include "kmsdb/ledger.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/kms_error.h"

/* -- entries of the share -- */

static int
put_share(struct kmsdb *db, const uint8_t key[ROW_SHARE_KEY], const uint8_t *row, size_t len,
    struct undo *u)
{
	int rc = overlay_put(db->active->rows[GENERATION_SHARE], key, row, len,
	    &u->old[GENERATION_SHARE], u->rows + UNDO_SMALL);

	memcpy(u->key, key, sizeof(u->key));
	u->put[GENERATION_SHARE] = rc == KMS_OK;
	return rc;
}

static void
note(struct kmsdb *db, struct rights_undo *r, uint8_t kind, bool own)
{
	r->kind = kind;
	r->own = own;
	r->shares = db->rights.shares;
	r->first = db->rights.first;
}

/* GIVE, HELD: each once; a row that is there is in the sums. */
static int
apply_given(
    struct kmsdb *db, const struct apply_entry *e, const uint8_t *blob, size_t len, struct undo *u)
{
	bool own = e->place.chain == 0;
	uint8_t key[ROW_SHARE_KEY], row[ROW_SHARE];
	const uint8_t *before;
	struct entry_held held;
	struct entry_give give;
	size_t n;
	int rc;

	if (e->kind == ENTRY_GIVE)
		entry_give_get(&give, blob);
	if (!own && (e->kind == ENTRY_HELD || memcmp(give.to, db->chains.hosts[0], 16) != 0))
		return KMS_OK;
	share_row_key_at(key, e->kind, e->place.chain, e->place.batch, e->place.leaf);
	rc = ledger_row(db, GENERATION_SHARE, key, &before, &n);
	if (rc != KMS_E_NOT_FOUND)
		return rc;
	n = share_row_put(row, e->place.batch, e->place.leaf, blob, len);
	if ((rc = put_share(db, key, row, n, u)) != KMS_OK)
		return rc;
	if (e->kind == ENTRY_GIVE) {
		rc = rights_state_give(&db->rights, &give, own);
		u->rights.give = give;
	} else {
		entry_held_get(&held, blob);
		rc = rights_state_held(&db->rights, &held);
	}
	if (rc == KMS_OK)
		note(db, &u->rights, e->kind, own);
	return rc;
}

/* SHARE, ALONE: the last one of the chain. */
static int
apply_said(
    struct kmsdb *db, const struct apply_entry *e, const struct entry_admin *a, struct undo *u)
{
	uint8_t key[ROW_SHARE_KEY], row[ROW_SHARE], what[ROW_SHARE - ROW_SHARE_HEAD];
	const uint8_t *before;
	struct wire_writer w;
	size_t n;
	int rc;

	share_row_key(key, e->kind, e->place.chain);
	rc = ledger_row(db, GENERATION_SHARE, key, &before, &n);
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	if (rc == KMS_OK && share_row_order(before, e->place.batch, e->place.leaf) >= 0)
		return KMS_OK;
	wire_writer_init(&w, what, sizeof(what));
	wire_put_u8(&w, a->blob[0]);
	if (e->kind == ENTRY_SHARE)
		wire_put(&w, a->text, a->text_len);
	else
		wire_put_u64(&w, a->time);
	n = share_row_put(row, e->place.batch, e->place.leaf, what, wire_written(&w));
	if ((rc = put_share(db, key, row, n, u)) != KMS_OK || e->kind != ENTRY_SHARE ||
	    e->place.chain != 0)
		return rc;
	note(db, &u->rights, e->kind, true);
	db->rights.shares = true;
	db->rights.first = a->blob[0] == 1;
	return KMS_OK;
}

/*
 * Of chains that are followed, the highest batch. It is not undone: a batch whose other entries
 * cannot be applied now is on disk, and is applied later.
 */
static int
apply_heard(struct kmsdb *db, const struct apply_entry *e, const struct entry_admin *a)
{
	uint8_t key[ROW_SHARE_KEY], row[ROW_SHARE], old_row[ROW_SHARE];
	struct overlay_old old;
	const uint8_t *before;
	struct entry_heard h, was;
	size_t n;
	int rc = KMS_OK;

	for (unsigned i = 0; i < entry_heard_count(a->blob_len) && e->place.chain != 0; i++) {
		unsigned chain;

		entry_heard_get(&h, a->blob, i);
		if ((chain = chains_find(&db->chains, h.host)) == db->chains.count)
			continue;
		share_row_key_heard(key, e->place.chain, chain);
		rc = ledger_row(db, GENERATION_SHARE, key, &before, &n);
		if (rc == KMS_OK)
			entry_heard_get(&was, before + ROW_SHARE_HEAD, 0);
		if (rc == KMS_OK && was.number >= h.number)
			continue;
		n = share_row_put(row, e->place.batch, e->place.leaf,
		    a->blob + (size_t)i * ENTRY_HEARD_ONE, ENTRY_HEARD_ONE);
		rc = overlay_put(db->active->rows[GENERATION_SHARE], key, row, n, &old, old_row);
		if (rc != KMS_OK)
			return rc;
	}
	return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
}

int
purse_share(struct kmsdb *db, const struct apply_entry *e, const struct item *item, struct undo *u)
{
	struct entry_admin a;
	int rc = entry_admin_decode(&a, item->entry, item->entry_len);

	if (rc != KMS_OK)
		return rc;
	if (e->kind == ENTRY_HEARD)
		return apply_heard(db, e, &a);
	if (e->kind == ENTRY_SHARE || e->kind == ENTRY_ALONE)
		return apply_said(db, e, &a, u);
	return apply_given(db, e, a.blob, a.blob_len, u);
}

static void
undo_share(struct rights_state *s, const struct rights_undo *u)
{
	struct rights_given *p;

	switch (u->kind) {
	case ENTRY_SHARE:
		s->shares = u->shares;
		s->first = u->first;
		break;
	case ENTRY_GIVE:
		if ((p = rights_state_pool(s, u->give.publisher, u->give.pool, false)) == NULL)
			break; /* beyond the limit */
		p->given -= u->own ? u->give.rights : 0;
		p->received -= u->own ? 0 : u->give.rights;
		break;
	case ENTRY_HELD:
		s->held_count--;
		break;
	}
}

void
purse_undo(struct kmsdb *db, const struct rights_undo *u)
{
	undo_share(&db->rights, u);
	for (unsigned i = u->rows; i-- > 0;) {
		if (u->row[i].put)
			overlay_undo(db->active->rows[GENERATION_RIGHTS], u->row[i].key,
			    &u->row[i].old, u->row[i].row);
		lingering_drop(&db->rights.lingering, u->row[i].key);
		/* Its place in the table was free a moment ago, or its own. */
		if (u->row[i].lingered)
			lingering_put(&db->rights.lingering, &u->row[i].before);
	}
}

/* -- clients -- */

/* A pool that an entry touches: its row of rights, before and after. */
struct touched {
	struct right_row row;
	uint8_t key[ROW_RIGHT_KEY];
	bool changed;
	uint32_t shown; /* until when the client's row counts there, after the entry */
	uint32_t loses; /* the latest minute that it does not show */
};

static int
touch(struct kmsdb *db, struct touched *t, const uint8_t cmid[16], const uint8_t publisher[8],
    uint16_t pool)
{
	const uint8_t *row;
	size_t len;
	int rc;

	memset(t, 0, sizeof(*t));
	right_row_key(t->key, cmid, publisher, pool);
	rc = ledger_row(db, GENERATION_RIGHTS, t->key, &row, &len);
	if (rc == KMS_OK)
		rc = right_row_decode(&t->row, row, len);
	memcpy(t->row.cmid, cmid, 16);
	memcpy(t->row.publisher, publisher, 8);
	t->row.pool = pool;
	return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
}

static int
compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* The order of acts (apply.h); those that use rights are all of stage 0. */
static void
use_right(struct touched *t, const struct apply_entry *e)
{
	struct right_row *r = &t->row;
	int order = !r->used ? 1 : compare(e->client.sequence, r->sequence);

	if (order == 0)
		order = merge_order(e->place.chains, e->place.chain, r->chain);
	if (order == 0)
		order = compare(e->place.batch, r->batch);
	if (order == 0)
		order = compare(e->place.leaf, r->leaf);
	if (order <= 0)
		return;
	r->used = true;
	r->sequence = e->client.sequence;
	r->chain = e->place.chain;
	r->batch = e->place.batch;
	r->leaf = e->place.leaf;
	t->changed = true;
}

static uint8_t
holder_of(const struct right_row *r)
{
	return !r->used ? ROW_HOLDER_NONE : r->chain == 0 ? ROW_HOLDER_OWN : ROW_HOLDER_OTHER;
}

/* The minute until which the row counts its client, wherever. */
static uint32_t
counts_until(const struct client_row *row, bool exists)
{
	return exists && row->c.seated && (row->c.flags & KMSDB_REVOKED) == 0 ? row->c.until : 0;
}

static bool
of_pool(const struct client_row *row, bool exists, const struct right_row *r)
{
	return exists && row->c.seated && row->c.pool == r->pool &&
	       memcmp(row->c.publisher, r->publisher, 8) == 0;
}

static bool
same_pool(const struct client_row *a, const struct client_row *b)
{
	return a->c.seated && b->c.seated && a->c.pool == b->c.pool &&
	       memcmp(a->c.publisher, b->c.publisher, 8) == 0;
}

/* What must be heard before the loser is over. */
static void
set_winner(struct linger *l, const struct client_row *after, const struct apply_entry *e,
    const struct touched *t)
{
	bool won = after->c.chain == e->place.chain && after->c.batch == e->place.batch &&
		   after->c.leaf == e->place.leaf;

	l->chain = after->c.chain;
	l->batch = after->c.batch;
	if (e->effect == APPLY_ABOUT) {
		l->chain = e->place.chain;
		l->batch = e->place.batch;
	} else if (won && e->client.until > t->shown && of_pool(after, true, &t->row)) {
		/* It is revoked, by an entry that is not at hand. */
		l->batch = LINGERING_NEVER;
	}
}

/* In memory; and the row of rights, when it changed. */
static int
settle(struct kmsdb *db, struct touched *t, const struct client_row *after,
    const struct apply_entry *e, struct rights_undo *u)
{
	struct linger *is = lingering_find(&db->rights.lingering, t->key), l = { 0 };
	uint8_t row[ROW_RIGHT];
	unsigned i = u->rows;
	int rc = KMS_OK;

	if (t->loses > t->row.until) {
		t->row.until = t->loses;
		t->changed = true;
	}
	if (is == NULL && t->loses == 0 && !t->changed)
		return KMS_OK;
	u->rows++;
	memcpy(u->row[i].key, t->key, sizeof(u->row[i].key));
	u->row[i].put = false;
	if ((u->row[i].lingered = is != NULL))
		u->row[i].before = l = *is;
	if (is != NULL || t->loses != 0) {
		memcpy(l.key, t->key, sizeof(l.key));
		memcpy(l.publisher, t->row.publisher, 8);
		l.pool = t->row.pool;
		l.holder = holder_of(&t->row);
		l.shown = t->shown;
		if (t->loses != 0)
			set_winner(&l, after, e, t);
		if (t->loses > l.until)
			l.until = t->loses;
		rc = lingering_put(&db->rights.lingering, &l);
	}
	if (rc != KMS_OK || !t->changed)
		return rc;
	right_row_encode(row, &t->row);
	rc = overlay_put(db->active->rows[GENERATION_RIGHTS], t->key, row, ROW_RIGHT,
	    &u->row[i].old, u->row[i].row);
	u->row[i].put = rc == KMS_OK;
	return rc;
}

static void
lose(struct touched *t, uint32_t until)
{
	if (until > t->shown && until > t->loses)
		t->loses = until;
}

/* The pool of the client's row before the entry, which may not show what it did. */
static int
leave(struct kmsdb *db, const struct client_row *before, const struct client_row *after,
    const struct apply_entry *e, struct rights_undo *u)
{
	struct touched t;
	int rc = touch(db, &t, before->c.cmid, before->c.publisher, before->c.pool);

	if (rc != KMS_OK)
		return rc;
	t.shown = of_pool(after, true, &t.row) ? counts_until(after, true) : 0;
	lose(&t, counts_until(before, true));
	return settle(db, &t, after, e, u);
}

static bool
lingers(const struct kmsdb *db, const struct client_row *row)
{
	uint8_t key[ROW_RIGHT_KEY];

	right_row_key(key, row->c.cmid, row->c.publisher, row->c.pool);
	return lingering_find(&db->rights.lingering, key) != NULL;
}

/* A renewal, and nearly all that is not: the same pool, for longer, and no right used. */
static bool
plain(const struct kmsdb *db, const struct client_row *before, bool exists,
    const struct client_row *after, const struct apply_entry *e)
{
	return exists && same_pool(before, after) && e->effect == APPLY_CLIENT &&
	       (e->client.flags & ENTRY_RIGHT) == 0 &&
	       counts_until(after, true) >= counts_until(before, true) &&
	       counts_until(after, true) >= e->client.until && e->client.pool == after->c.pool &&
	       memcmp(e->client.publisher, after->c.publisher, 8) == 0 && !lingers(db, after);
}

int
purse_client(struct kmsdb *db, const struct client_row *before, bool exists,
    struct client_row *after, const struct apply_entry *e, struct undo *u)
{
	bool seat = e->effect == APPLY_CLIENT && (e->kind == ENTRY_LEASE || e->kind == ENTRY_SEEN);
	struct touched t;
	int rc = KMS_OK;

	after->holder = exists ? before->holder : ROW_HOLDER_NONE;
	if (plain(db, before, exists, after, e))
		return KMS_OK;
	if (seat) {
		rc = touch(db, &t, e->key, e->client.publisher, e->client.pool);
		if (rc != KMS_OK)
			return rc;
		if ((e->client.flags & ENTRY_RIGHT) != 0)
			use_right(&t, e);
		t.shown = of_pool(after, true, &t.row) ? counts_until(after, true) : 0;
		lose(&t, e->client.until);
		if (of_pool(before, exists, &t.row))
			lose(&t, counts_until(before, true));
		rc = settle(db, &t, after, e, &u->rights);
	}
	if (rc == KMS_OK && exists && before->c.seated && !(seat && of_pool(before, true, &t.row)))
		rc = leave(db, before, after, e, &u->rights);
	if (rc != KMS_OK)
		return rc;
	/* Whose right the row's own pool has. */
	if (!after->c.seated) {
		after->holder = ROW_HOLDER_NONE;
	} else if (seat && of_pool(after, true, &t.row)) {
		after->holder = holder_of(&t.row);
	} else if (!exists || !same_pool(before, after)) {
		rc = touch(db, &t, e->key, after->c.publisher, after->c.pool);
		after->holder = holder_of(&t.row);
	}
	return rc;
}

/* -- opening -- */

static int
load_share(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct kmsdb *db = arg;
	struct entry_give give;
	struct entry_held held;

	if (key_len != ROW_SHARE_KEY || len <= ROW_SHARE_HEAD)
		return KMS_E_ALTERED;
	row += ROW_SHARE_HEAD;
	len -= ROW_SHARE_HEAD;
	switch (key[0]) {
	case ENTRY_SHARE:
		if (key[1] == 0) {
			db->rights.shares = true;
			db->rights.first = row[0] == 1;
		}
		return KMS_OK;
	case ENTRY_GIVE:
		if (len != ENTRY_GIVE_BLOB)
			return KMS_E_ALTERED;
		entry_give_get(&give, row);
		return rights_state_give(&db->rights, &give, key[1] == 0);
	case ENTRY_HELD:
		if (len != ENTRY_HELD_BLOB)
			return KMS_E_ALTERED;
		entry_held_get(&held, row);
		return rights_state_held(&db->rights, &held);
	default:
		return KMS_OK;
	}
}

static int
load_right(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct kmsdb *db = arg;
	struct client_row client;
	struct right_row r;
	struct linger l = { 0 };
	const uint8_t *hot;
	size_t hot_len;
	int rc;

	if (key_len != ROW_RIGHT_KEY || right_row_decode(&r, row, len) != KMS_OK)
		return KMS_E_ALTERED;
	if (r.until == 0)
		return KMS_OK;
	memcpy(l.key, key, sizeof(l.key));
	memcpy(l.publisher, r.publisher, 8);
	l.pool = r.pool;
	l.holder = holder_of(&r);
	l.until = r.until;
	l.batch = LINGERING_NEVER;
	rc = index_get(db->index, INDEX_HOT, r.cmid, ROW_CMID, &hot, &hot_len);
	if (rc == KMS_OK)
		rc = seats_row_decode(&db->seats, &client, r.cmid, hot, hot_len);
	if (rc == KMS_OK) {
		l.shown = of_pool(&client, true, &r) ? counts_until(&client, true) : 0;
		if ((client.c.flags & KMSDB_REVOKED) == 0) {
			l.chain = client.c.chain;
			l.batch = client.c.batch;
		}
	}
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	return l.shown >= l.until ? KMS_OK : lingering_put(&db->rights.lingering, &l);
}

int
purse_load(struct kmsdb *db)
{
	int rc = index_each(db->index, INDEX_SHARE, load_share, db);

	return rc == KMS_OK ? index_each(db->index, INDEX_RIGHTS, load_right, db) : rc;
}
