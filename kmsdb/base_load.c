/*
 * base_load.c - the effect of an entry BASE. Where the journal is complete, none but that the chain
 * has come so far (base_state.h). When the index is made from a journal that begins later, it
 * restates rows.
 *
 * Rows are restated while clients go on, in no single moment: each row is what it was right before
 * its own entry. So a reader that begins with the HEAD, replaces a row by each entry BASE, and
 * applies all other entries as always, has at the END what a reader of the whole journal has. Sums
 * cannot be replaced in parts: they begin with the END, and between SUMS and END there is no entry
 * that changes one. Rows of own_rows.h are written once, and those of entries before the HEAD that
 * remain are made by these entries.
 */

#include <string.h>

#include "kmsdb/base_rows.h"
#include "kmsdb/ledger.h"
#include "libkms/base/wire.h"

bool
base_lets(const struct kmsdb *db, const struct apply_entry *e)
{
	return !db->base.loading || db->base.begun != 0 || e->effect == APPLY_BASE ||
	       e->effect == APPLY_OWN || e->effect == APPLY_CLOCK;
}

static void
take_head(struct kmsdb *db, const struct apply_entry *e, const struct entry_admin *admin)
{
	struct entry_base_head h;

	entry_base_get_head(&h, admin->blob);
	db->base.begun = e->place.batch;
	db->base.through = h.through;
	if (!db->base.loading)
		return;
	ledger_raise(&db->counter, h.counter);
	if (ledger_expires(db)) {
		ledger_raise(&db->floors.refusals, h.refusals);
		ledger_raise(&db->floors.forgotten, h.forgotten);
	}
	ledger_raise(&db->floors.relayed, h.relayed);
	ledger_raise(&db->floors.names, h.names);
	ledger_raise(&db->floors.clock, h.clock);
}

/*
 * What the entry made when it was new, which is never more than once; what it did to a client is in
 * the client's row. Always: of two bases, the later one also restates what was dropped since the
 * earlier one.
 */
static int
take_kept(struct kmsdb *db, const struct entry_admin *admin, struct undo *u)
{
	struct entry_base_kept k;
	struct apply_entry e;
	struct apply_place place = { 0 };
	struct item item = { 0 };
	struct wire_writer w;
	int rc;

	entry_base_get_kept(&k, admin->blob, admin->blob_len);
	wire_writer_init(&w, db->base.cursor, sizeof(db->base.cursor));
	wire_put_u64(&w, k.found);
	wire_put_u64(&w, k.found_leaf);
	item.entry = k.entry;
	item.entry_len = k.entry_len;
	place.batch = k.batch;
	place.leaf = k.leaf;
	if ((rc = apply_decode(&e, &item, &place)) != KMS_OK || e.effect != APPLY_OWN)
		return rc;
	return ledger_own(db, &e.own, u);
}

static int
take_client(
    struct kmsdb *db, const struct entry_admin *admin, const struct item *item, struct undo *u)
{
	struct client_row row;
	struct kmsdb_cold cold;
	int rc;

	if (!db->base.loading)
		return KMS_OK;
	if ((rc = base_client(&row, &cold, admin, item)) != KMS_OK)
		return rc;
	return ledger_restate(db, &row, &cold, u);
}

static int
take_observed(
    struct kmsdb *db, const struct entry_admin *admin, const struct item *item, struct undo *u)
{
	struct observed_row row;
	int rc;

	if (!db->base.loading)
		return KMS_OK;
	if ((rc = base_observed(&row, admin, item)) != KMS_OK)
		return rc;
	return ledger_observed(db, &row, u);
}

static int
take_usage(struct kmsdb *db, const struct entry_admin *admin)
{
	struct usage_row row;
	size_t at = BASE_PREFIX;
	int rc = KMS_OK;

	while (db->base.loading && (rc = base_usage(&row, admin, &at)) == KMS_OK)
		if ((rc = usage_rows_put(&db->usage, &row)) != KMS_OK)
			return rc;
	return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
}

static void
take_end(struct kmsdb *db, const struct apply_entry *e, const struct entry_admin *admin)
{
	struct entry_base_end end;

	entry_base_get_end(&end, admin->blob);
	ledger_raise(&db->base.dropped, db->base.through);
	db->base.ended = e->place.batch;
	db->base.begun = 0;
	if (db->base.loading)
		db->usage.day = end.day;
	db->base.loading = false;
}

int
base_apply(struct kmsdb *db, const struct apply_entry *e, const struct item *item, struct undo *u)
{
	struct entry_admin admin;
	enum entry_base_part part;
	int rc = entry_admin_decode(&admin, item->entry, item->entry_len);

	if (rc != KMS_OK)
		return rc;
	part = entry_base_part(admin.blob);
	u->based = true;
	u->base = db->base;
	/* The end of a base whose beginning was dropped. */
	if (part != BASE_HEAD && db->base.begun == 0)
		return KMS_OK;
	db->base.part = (uint8_t)part;
	memset(db->base.cursor, 0, sizeof(db->base.cursor));
	if (part == BASE_RELAYED || part == BASE_CLIENT)
		memcpy(db->base.cursor, admin.subject, sizeof(db->base.cursor));
	switch (part) {
	case BASE_HEAD:
		take_head(db, e, &admin);
		return KMS_OK;
	case BASE_KEPT:
		return take_kept(db, &admin, u);
	case BASE_RELAYED:
		return take_observed(db, &admin, item, u);
	case BASE_CLIENT:
		return take_client(db, &admin, item, u);
	case BASE_USAGE:
		return take_usage(db, &admin);
	case BASE_END:
		take_end(db, e, &admin);
		return KMS_OK;
	default:
		return KMS_OK;
	}
}
