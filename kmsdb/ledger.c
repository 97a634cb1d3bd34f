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
static const size_t undo_at[GENERATION_TABLES] = { 0, ROW_CLIENT, ROW_CLIENT + ROW_HOST };

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
ledger_client(struct kmsdb *db, const uint8_t cmid[16], struct client_row *row, bool *from_index)
{
	const uint8_t *octets;
	size_t len;
	int status = newest_row(db, GENERATION_CLIENTS, cmid, &octets, &len, from_index);

	return status != KMS_OK ? status : row_client_decode(row, cmid, octets, len, &db->seats);
}

int
ledger_host(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_host *host)
{
	const uint8_t *octets;
	size_t len;
	bool from_index;
	int status = newest_row(db, GENERATION_HOSTS, cmid, &octets, &len, &from_index);

	return status != KMS_OK ? status : row_host_decode(host, cmid, octets, len);
}

/* row NULL: gone. */
static int
put_row(struct kmsdb *db, enum generation_table table, const uint8_t key[16], const uint8_t *row,
    size_t len, struct undo *u)
{
	int status = overlay_put(
	    db->active->rows[table], key, row, len, &u->old[table], u->rows + undo_at[table]);

	u->put[table] = status == KMS_OK;
	return status;
}

/* Moves the seat from one pool and day to another; does nothing when they are the same. */
static int
count(struct kmsdb *db, const struct client_row *before, const struct client_row *after,
    struct undo *u)
{
	int status = KMS_OK;

	u->uncounted = before != NULL && before->c.seen_day != 0;
	u->counted = after != NULL && after->c.seen_day != 0;
	if (u->uncounted) {
		u->from_pool = db->seats.seats[before->seat].pool;
		u->from_day = before->c.seen_day;
	}
	if (u->counted) {
		u->to_pool = db->seats.seats[after->seat].pool;
		u->to_day = after->c.seen_day;
	}
	if (u->uncounted && u->counted && u->from_pool == u->to_pool && u->from_day == u->to_day)
		u->uncounted = u->counted = false;
	if (u->counted)
		status = pool_count(&db->seats.pools[u->to_pool], u->to_day, 1);
	if (status != KMS_OK)
		u->uncounted = u->counted = false;
	if (u->uncounted)
		status = pool_count(&db->seats.pools[u->from_pool], u->from_day, -1);
	return status;
}

static int
put_host(struct kmsdb *db, const struct apply_entry *e, bool gone, struct undo *u)
{
	struct kmsdb_host host;
	uint8_t octets[ROW_HOST];
	size_t len = 0;
	int status;

	if (!gone) {
		status = ledger_host(db, e->cmid, &host);
		if (status != KMS_OK && status != KMS_E_NOT_FOUND)
			return status;
		apply_host(&host, status == KMS_OK, e);
		len = row_host_encode(octets, &host);
	}
	return put_row(db, GENERATION_HOSTS, e->cmid, gone ? NULL : octets, len, u);
}

static int
put_client(struct kmsdb *db, const uint8_t cmid[16], struct client_row *row, struct undo *u)
{
	uint8_t octets[ROW_CLIENT];

	if (row != NULL)
		row_client_encode(octets, row);
	return put_row(db, GENERATION_CLIENTS, cmid, row != NULL ? octets : NULL, ROW_CLIENT, u);
}

static int
before_entry(struct kmsdb *db, const uint8_t cmid[16], struct client_row *row, bool *from_index)
{
	if (db->memo && memcmp(db->memo_row.c.cmid, cmid, 16) == 0) {
		db->memo = false;
		*from_index = false;
		*row = db->memo_row;
		return db->memo_found ? KMS_OK : KMS_E_NOT_FOUND;
	}
	return ledger_client(db, cmid, row, from_index);
}

static int
apply_decoded(struct kmsdb *db, const struct apply_entry *e, struct undo *u)
{
	struct client_row before, after;
	bool from_index, exists, remains, host;
	int status = before_entry(db, e->cmid, &before, &from_index);

	if (status != KMS_OK && status != KMS_E_NOT_FOUND)
		return status;
	exists = status == KMS_OK;
	/*
	 * Only in replay: an unfinished checkpoint had already written this row, with this entry
	 * in it and in the counters.
	 */
	if (exists && from_index && before.changed >= e->batch)
		return KMS_OK;
	if (exists)
		after = before;
	remains = apply_client(&after, exists, e);
	if (!exists && !remains)
		return KMS_OK;
	if (remains && (status = seats_find(&db->seats, after.c.product, after.c.publisher,
			    after.c.pool, &after.seat)) != KMS_OK)
		return status;
	host = !remains ||
	       (entry_kind_is_client(e->kind) && (!exists || before.host_hash != after.host_hash));
	if ((status = put_client(db, e->cmid, remains ? &after : NULL, u)) != KMS_OK)
		return status;
	if (host && (status = put_host(db, e, !remains, u)) != KMS_OK)
		return status;
	return count(db, exists ? &before : NULL, remains ? &after : NULL, u);
}

static int
apply_observed(
    struct kmsdb *db, const struct apply_entry *e, const uint8_t *entry, size_t len, struct undo *u)
{
	struct observed_row row;
	uint8_t octets[ROW_OBSERVED];
	const uint8_t *before;
	size_t before_len;
	bool from_index;
	int status =
	    newest_row(db, GENERATION_OBSERVED, e->cmid, &before, &before_len, &from_index);

	if (status == KMS_OK)
		status = observed_decode(&row, e->cmid, before, before_len);
	if (status == KMS_E_NOT_FOUND) {
		memset(&row, 0, sizeof(row));
		memcpy(row.r.address, e->cmid, 16);
	} else if (status != KMS_OK) {
		return status;
	} else if (from_index && row.changed >= e->batch) {
		return KMS_OK; /* only in replay, as in apply_decoded */
	}
	if ((status = observed_apply(&row, entry, len, e->batch)) != KMS_OK)
		return status;
	return put_row(db, GENERATION_OBSERVED, e->cmid, octets, observed_encode(octets, &row), u);
}

int
ledger_apply(struct kmsdb *db, const uint8_t *entry, size_t len, uint64_t batch, uint32_t leaf,
    struct undo *u)
{
	struct apply_entry e;
	int status = apply_decode(&e, entry, len, batch, leaf);

	memset(u->put, 0, sizeof(u->put));
	u->counted = u->uncounted = false;
	if (status != KMS_OK)
		return status;
	memcpy(u->key, e.cmid, 16);
	if (e.kind == ENTRY_RELAYED || e.kind == ENTRY_RELAYED_NAME)
		return apply_observed(db, &e, entry, len, u);
	if (!e.about_client)
		return KMS_OK;
	status = apply_decoded(db, &e, u);
	if (status != KMS_OK)
		ledger_undo(db, u);
	return status;
}

void
ledger_undo(struct kmsdb *db, const struct undo *u)
{
	db->memo = false;
	if (u->uncounted)
		pool_count(&db->seats.pools[u->from_pool], u->from_day, 1);
	if (u->counted)
		pool_count(&db->seats.pools[u->to_pool], u->to_day, -1);
	for (int t = 0; t < GENERATION_TABLES; t++) {
		if (u->put[t])
			overlay_undo(db->active->rows[t], u->key, &u->old[t], u->rows + undo_at[t]);
	}
}

int
ledger_batch(struct kmsdb *db, uint64_t number, struct batch_ref *out)
{
	uint8_t key[8];
	struct wire_writer w;
	struct wire_reader r;
	const uint8_t *row;
	size_t len;
	int status;

	if ((db->active != NULL && generation_batch(db->active, number, out)) ||
	    (db->frozen != NULL && generation_batch(db->frozen, number, out)))
		return KMS_OK;
	wire_writer_init(&w, key, sizeof(key));
	wire_put_u64(&w, number);
	status = index_get(db->index, INDEX_BATCHES, key, sizeof(key), &row, &len);
	if (status != KMS_OK)
		return status;
	wire_reader_init(&r, row, len);
	out->number = number;
	out->first = wire_get_u64(&r);
	out->offset = wire_get_u64(&r);
	wire_get(&r, out->hash, 32);
	return wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_ALTERED;
}
