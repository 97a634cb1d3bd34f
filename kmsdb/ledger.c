/*
 * ledger.c - the state of clients in three layers (the active generation, the frozen one, the
 * index), and what an entry changes in it.
 */
#include "kmsdb/ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

/* Where each table's row before is kept in struct undo. */
static const size_t undo_at[GENERATION_TABLES] = {
	[GENERATION_HOT] = 0,
	[GENERATION_COLD] = ROW_HOT,
	[GENERATION_OBSERVED] = ROW_HOT + ROW_COLD,
	[GENERATION_WITNESSES] = UNDO_SMALL,
	[GENERATION_RESTORED] = UNDO_SMALL,
	[GENERATION_INSTALLED] = UNDO_SMALL,
	[GENERATION_SHARE] = UNDO_SMALL,
};

void
ledger_log(struct kmsdb *db, int level, const char *event, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (db->opt.log == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	db->opt.log(level, event, text, db->opt.log_arg);
}

void
ledger_busy(struct kmsdb *db)
{
	if (db->opt.busy != NULL)
		db->opt.busy(db->opt.log_arg);
}

/* The row as it is now, encoded; *from_index: no overlay has it. KMS_OK, KMS_E_NOT_FOUND, ... */
static int
newest_row(struct kmsdb *db, enum generation_table table, const uint8_t key[16],
    const uint8_t **row, size_t *len, bool *from_index)
{
	const struct generation *layers[] = { db->active, db->frozen };

	*from_index = false;
	for (int i = 0; i < 2; i++) {
		if (layers[i] == NULL)
			continue;
		switch (overlay_get(layers[i]->rows[table], key, row, len)) {
		case OVERLAY_GONE:
			return KMS_E_NOT_FOUND;
		case OVERLAY_ROW:
			return KMS_OK;
		case OVERLAY_NO:
			break;
		}
	}
	*from_index = true;
	return index_get(db->index, generation_index(table), key, 16, row, len);
}

int
ledger_row(struct kmsdb *db, enum generation_table table, const uint8_t key[16],
    const uint8_t **row, size_t *len)
{
	bool from_index;

	return newest_row(db, table, key, row, len, &from_index);
}

/* What an overlay has may be staged, and is not put into recent, which the commit does. */
static int
hot_row(struct kmsdb *db, const uint8_t cmid[16], const uint8_t **row, size_t *len)
{
	bool from_index;
	int rc;

	*len = ROW_HOT;
	if (db->recent != NULL && (*row = recent_get(db->recent, cmid)) != NULL)
		return KMS_OK;
	rc = newest_row(db, GENERATION_HOT, cmid, row, len, &from_index);
	if (rc == KMS_OK && from_index && db->recent != NULL && *len == ROW_HOT)
		recent_put(db->recent, cmid, *row);
	return rc;
}

int
ledger_client(struct kmsdb *db, const uint8_t cmid[16], struct client_row *row)
{
	const uint8_t *octets;
	size_t len;
	int rc = hot_row(db, cmid, &octets, &len);

	if (rc == KMS_OK)
		rc = seats_row_decode(&db->seats, row, cmid, octets, len);
	if (rc == KMS_OK && row_expired(&row->c, &db->floors))
		return KMS_E_NOT_FOUND;
	return rc;
}

int
ledger_cold(struct kmsdb *db, const struct client_row *row, struct kmsdb_cold *cold)
{
	const uint8_t *octets;
	size_t len;
	bool from_index;
	int rc = newest_row(db, GENERATION_COLD, row->c.cmid, &octets, &len, &from_index);

	if (rc == KMS_OK)
		rc = row_cold_decode(cold, row->c.cmid, octets, len);
	if (rc == KMS_OK && row->c.last_seen <= db->floors.names)
		apply_blank(cold);
	return rc;
}

static int
put_row(struct kmsdb *db, enum generation_table table, const uint8_t key[16], const uint8_t *row,
    size_t len, struct undo *u)
{
	int rc = overlay_put(
	    db->active->rows[table], key, row, len, &u->old[table], u->rows + undo_at[table]);

	u->put[table] = rc == KMS_OK;
	return rc;
}

static struct counted
counted_by(const struct client_row *row, bool exists)
{
	struct counted c = { .seat = ROW_NO_SEAT };

	if (!exists || !row->c.seated || (row->c.flags & KMSDB_REVOKED) != 0)
		return c;
	c.seat = row->seat;
	c.borrowed = (row->c.flags & ENTRY_BORROWED) != 0;
	c.holder = row->holder;
	c.until = row->c.until;
	return c;
}

/* Moves a client from one count to another; does nothing when they are the same. */
static int
count(struct kmsdb *db, const struct counted *from, const struct counted *to, struct undo *u)
{
	int rc;

	if (from->until == to->until && from->borrowed == to->borrowed &&
	    from->holder == to->holder && (from->seat == to->seat || from->until == 0))
		return KMS_OK;
	if ((rc = seats_count(&db->seats, to->seat, to->borrowed, to->holder, to->until, 1)) !=
	    KMS_OK)
		return rc;
	u->counted = true;
	u->from = *from;
	u->to = *to;
	return seats_count(&db->seats, from->seat, from->borrowed, from->holder, from->until, -1);
}

static int
before_entry(struct kmsdb *db, const uint8_t cmid[16], struct client_row *row)
{
	if (db->memo && memcmp(db->memo_row.c.cmid, cmid, 16) == 0) {
		db->memo = false;
		*row = db->memo_row;
		return db->memo_found ? KMS_OK : KMS_E_NOT_FOUND;
	}
	return ledger_client(db, cmid, row);
}

static int
put_client(struct kmsdb *db, struct client_row *row, const struct kmsdb_cold *cold, struct undo *u)
{
	uint8_t octets[ROW_COLD];
	int rc;

	row->seat = ROW_NO_SEAT;
	if (row->c.seated && (rc = seats_find(&db->seats, &row->c, &row->seat)) != KMS_OK)
		return rc;
	row_hot_encode(octets, row);
	if (db->recent != NULL)
		recent_drop(db->recent, row->c.cmid);
	rc = put_row(db, GENERATION_HOT, row->c.cmid, octets, ROW_HOT, u);
	if (rc != KMS_OK || cold == NULL)
		return rc;
	return put_row(db, GENERATION_COLD, row->c.cmid, octets, row_cold_encode(octets, cold), u);
}

static bool
same_cold(const struct kmsdb_cold *a, const struct kmsdb_cold *b)
{
	uint8_t x[ROW_COLD], y[ROW_COLD];
	size_t len = row_cold_encode(x, a);

	return row_cold_encode(y, b) == len && memcmp(x, y, len) == 0;
}

static int
apply_client(struct kmsdb *db, const struct apply_entry *e, struct undo *u)
{
	struct client_row before, after;
	struct kmsdb_cold was, cold;
	struct counted from, to;
	bool exists, needs;
	int rc = before_entry(db, e->key, &before);

	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	exists = rc == KMS_OK;
	needs = apply_needs_cold(&before, exists, e, db->floors.names);
	if (needs) {
		memset(&was, 0, sizeof(was));
		rc = exists ? ledger_cold(db, &before, &was) : KMS_OK;
		if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
			return rc;
		cold = was;
	}
	if (exists)
		after = before;
	u->erased |= needs && e->effect == APPLY_CLIENT && e->named && e->time <= cold.erased;
	apply(&after, needs ? &cold : NULL, exists, e);
	if (exists && needs && same_cold(&was, &cold))
		needs = false;
	from = counted_by(&before, exists);
	if (purse_on(db) && (rc = purse_client(db, &before, exists, &after, e, u)) != KMS_OK)
		return rc;
	if ((rc = put_client(db, &after, needs ? &cold : NULL, u)) != KMS_OK)
		return rc;
	to = counted_by(&after, true);
	if ((rc = count(db, &from, &to, u)) != KMS_OK || e->effect != APPLY_CLIENT ||
	    e->place.chain != 0 || db->base.loading)
		return rc;
	return usage_act(&db->usage, exists ? &before.c : NULL, e, &u->usage);
}

int
ledger_restate(
    struct kmsdb *db, struct client_row *row, const struct kmsdb_cold *cold, struct undo *u)
{
	struct client_row before;
	struct counted from, to;
	int rc = ledger_client(db, row->c.cmid, &before);

	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	from = counted_by(&before, rc == KMS_OK);
	db->memo = false;
	if ((rc = put_client(db, row, cold, u)) != KMS_OK)
		return rc;
	to = counted_by(row, true);
	return count(db, &from, &to, u);
}

int
ledger_observed(struct kmsdb *db, const struct observed_row *row, struct undo *u)
{
	struct observed_row shown = *row;
	uint8_t octets[ROW_OBSERVED];

	observed_blank(&shown.r, db->floors.names);
	return put_row(
	    db, GENERATION_OBSERVED, row->r.subject, octets, observed_encode(octets, &shown), u);
}

static int
apply_observed(
    struct kmsdb *db, const struct apply_entry *e, const struct item *item, struct undo *u)
{
	struct observed_row row;
	const uint8_t *before;
	size_t before_len;
	bool from_index;
	int rc = newest_row(db, GENERATION_OBSERVED, e->key, &before, &before_len, &from_index);

	if (rc == KMS_OK)
		rc = observed_decode(&row, e->key, before, before_len);
	if (rc == KMS_OK && observed_expired(&row.r, &db->floors) &&
	    !(from_index && row.changed >= e->place.batch))
		rc = KMS_E_NOT_FOUND;
	if (rc == KMS_E_NOT_FOUND) {
		memset(&row, 0, sizeof(row));
		memcpy(row.r.subject, e->key, 16);
	} else if (rc != KMS_OK) {
		return rc;
	} else if (from_index && row.changed >= e->place.batch) {
		/*
		 * Only in replay: an unfinished checkpoint had already written this row, with this
		 * exchange in its sums.
		 */
		return KMS_OK;
	}
	if ((rc = observed_apply(&row, item, e)) != KMS_OK)
		return rc;
	return ledger_observed(db, &row, u);
}

/* Written once, with its first entry: an unfinished checkpoint may have written it already. */
int
ledger_own(struct kmsdb *db, const struct own_row *h, struct undo *u)
{
	static const enum generation_table tables[] = {
		[OWN_WITNESS] = GENERATION_WITNESSES,
		[OWN_RESTORED] = GENERATION_RESTORED,
		[OWN_INSTALLED] = GENERATION_INSTALLED,
	};
	const uint8_t *before;
	size_t len;
	int rc = ledger_row(db, tables[h->table], h->key, &before, &len);

	if (rc == KMS_OK && own_batch(before, len) <= own_batch(h->row, h->len))
		return KMS_OK;
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	return put_row(db, tables[h->table], h->key, h->row, h->len, u);
}

void
ledger_raise(uint64_t *value, uint64_t to)
{
	if (to > *value)
		*value = to;
}

/*
 * Not while other chains are followed. What is absent is not added to, so a row that an EXPIRE
 * means would be another one after it than before it; and which of them was heard first is open
 * (doc/several-hosts.md).
 */
bool
ledger_expires(const struct kmsdb *db)
{
	return db->chains.count == 1;
}

/* ERASE of all clients, or EXPIRE. Sources that a relay observed are those of its host. */
static void
apply_floor(struct kmsdb *db, const struct entry_about *e, bool own)
{
	db->memo = false;
	if (e->kind == ENTRY_ERASE)
		ledger_raise(&db->floors.names, e->value);
	if (e->kind != ENTRY_EXPIRE || !own)
		return;
	if ((e->through & ENTRY_EXPIRE_REFUSALS) && ledger_expires(db))
		ledger_raise(&db->floors.refusals, e->value);
	if ((e->through & ENTRY_EXPIRE_FORGOTTEN) && ledger_expires(db))
		ledger_raise(&db->floors.forgotten, e->value);
	if (e->through & ENTRY_EXPIRE_RELAYED)
		ledger_raise(&db->floors.relayed, e->value);
}

static int
apply_effect(struct kmsdb *db, const struct apply_entry *e, const struct item *item, struct undo *u)
{
	switch (e->effect) {
	case APPLY_CLIENT:
	case APPLY_ABOUT:
		return apply_client(db, e, u);
	case APPLY_FLOOR:
		apply_floor(db, &e->about, e->place.chain == 0);
		return KMS_OK;
	case APPLY_OBSERVED:
		return apply_observed(db, e, item, u);
	case APPLY_OWN:
		return ledger_own(db, &e->own, u);
	case APPLY_CLOCK:
		ledger_raise(&db->floors.clock, e->time);
		return KMS_OK;
	case APPLY_COUNTERS:
		return db->base.loading ? KMS_OK : usage_counters(&db->usage, e, &u->usage);
	case APPLY_BASE:
		return base_apply(db, e, item, u);
	case APPLY_SHARE:
		return purse_share(db, e, item, u);
	default:
		return KMS_OK;
	}
}

/* Of another host's entries, those about clients and the share: the rest is about that host. */
static bool
concerns(const struct apply_entry *e)
{
	return e->place.chain == 0 || e->effect == APPLY_CLIENT || e->effect == APPLY_ABOUT ||
	       e->effect == APPLY_FLOOR || e->effect == APPLY_SHARE;
}

int
ledger_apply(
    struct kmsdb *db, const struct item *item, const struct apply_place *place, struct undo *u)
{
	struct apply_entry e;
	int rc = apply_decode(&e, item, place);

	e.place.chains = &db->chains.order;
	memset(u->put, 0, sizeof(u->put));
	u->counted = u->based = false;
	u->erased = e.named && e.time <= db->floors.names;
	u->floors = db->floors;
	u->rights.rows = 0;
	u->rights.kind = 0;
	u->usage.what = USAGE_SAME;
	u->usage.day = db->usage.day;
	if (rc != KMS_OK)
		return rc;
	memcpy(u->key, e.key, 16);
	db->spoilt += e.spoilt;
	/* It is only ever raised: after an undo some numbers are not used. */
	if ((e.effect == APPLY_ABOUT || e.effect == APPLY_FLOOR) && e.about.counter > db->counter)
		db->counter = e.about.counter;
	if (!db->base.loading && e.place.chain == 0)
		rc = usage_reach(&db->usage, &db->seats, &e, &u->usage);
	if (rc == KMS_OK && concerns(&e) && base_lets(db, &e))
		rc = apply_effect(db, &e, item, u);
	if (rc != KMS_OK)
		ledger_undo(db, u);
	return rc;
}

void
ledger_undo(struct kmsdb *db, const struct undo *u)
{
	db->memo = false;
	db->floors = u->floors;
	usage_undo(&db->usage, &u->usage);
	if (u->based)
		db->base = u->base;
	if (u->counted) {
		seats_count(
		    &db->seats, u->from.seat, u->from.borrowed, u->from.holder, u->from.until, 1);
		seats_count(&db->seats, u->to.seat, u->to.borrowed, u->to.holder, u->to.until, -1);
	}
	purse_undo(db, &u->rights);
	for (int t = 0; t < GENERATION_TABLES; t++) {
		if (u->put[t])
			overlay_undo(db->active->rows[t], u->key, &u->old[t], u->rows + undo_at[t]);
	}
}

int
ledger_batch(struct kmsdb *db, uint64_t number, struct batch_ref *out)
{
	uint8_t key[ROW_BATCH_KEY];
	struct wire_writer w;
	struct wire_reader r;
	const uint8_t *row;
	size_t len;
	int rc;

	if ((db->active != NULL && generation_batch(db->active, number, out)) ||
	    (db->frozen != NULL && generation_batch(db->frozen, number, out)))
		return KMS_OK;
	wire_writer_init(&w, key, sizeof(key));
	wire_put_u16(&w, 0);
	wire_put_u64(&w, number);
	rc = index_get(db->index, INDEX_BATCHES, key, sizeof(key), &row, &len);
	if (rc != KMS_OK)
		return rc;
	wire_reader_init(&r, row, len);
	out->number = number;
	out->first = wire_get_u64(&r);
	out->offset = wire_get_u64(&r);
	wire_get(&r, out->hash, 32);
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}
