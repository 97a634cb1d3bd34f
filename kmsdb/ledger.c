/*
 * ledger.c - the state of clients in three layers (the active generation, the frozen one, the
 * index), and what an entry changes in it.
 */
#include "kmsdb/ledger.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/clock.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

/* Hosts change seldom, and are larger than clients' rows; see generation_full. */
static size_t
host_records(size_t records)
{
	return records / 8 + KMSDB_BATCH_MAX;
}

/*
 * Sources that a relay serves: a small table, because a generation is written when one of its
 * tables is full.
 */
static size_t
relayed_records(size_t records)
{
	return records / 16 + KMSDB_BATCH_MAX;
}

int
generation_init(struct generation *g, size_t records)
{
	/* One batch may be staged before generation_full is asked again. */
	g->clients = overlay_new(records + KMSDB_BATCH_MAX, ROW_CLIENT);
	g->hosts = overlay_new(host_records(records) + KMSDB_BATCH_MAX, ROW_HOST);
	g->relayed = overlay_new(relayed_records(records) + KMSDB_BATCH_MAX, ROW_RELAYED);
	return g->clients != NULL && g->hosts != NULL && g->relayed != NULL ? KMS_OK
									    : KMS_E_NO_MEMORY;
}

void
generation_free(struct generation *g)
{
	overlay_free(g->clients);
	overlay_free(g->hosts);
	overlay_free(g->relayed);
	free(g->batches);
	free(g->order);
	memset(g, 0, sizeof(*g));
}

void
generation_clear(struct generation *g)
{
	overlay_clear(g->clients);
	overlay_clear(g->hosts);
	overlay_clear(g->relayed);
	g->relayed_carried = false;
	free(g->order);
	g->order = NULL;
	g->batch_count = 0;
	g->carried = 0;
}

bool
generation_empty(const struct generation *g)
{
	return g->batch_count == 0;
}

bool
generation_full(const struct generation *g, size_t records)
{
	return overlay_count(g->clients) >= records ||
	       overlay_count(g->hosts) >= host_records(records) ||
	       overlay_count(g->relayed) >= relayed_records(records) ||
	       g->batch_count >= GENERATION_BATCHES;
}

int
generation_reserve(struct generation *g)
{
	size_t room = g->batch_room == 0 ? 256 : g->batch_room * 2;
	struct batch_ref *more;

	if (g->batch_count < g->batch_room)
		return KMS_OK;
	if ((more = realloc(g->batches, room * sizeof(*more))) == NULL)
		return KMS_E_NO_MEMORY;
	g->batches = more;
	g->batch_room = room;
	return KMS_OK;
}

void
generation_add_batch(struct generation *g, const struct batch_ref *b)
{
	if (g->batch_count == 0)
		g->since = clock_seconds();
	g->batches[g->batch_count++] = *b;
	g->last = b->number;
	memcpy(g->hash, b->hash, 32);
}

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

/* The newest row of a CMID in the overlays. */
static enum overlay_found
overlays(struct kmsdb *db, bool hosts, const uint8_t cmid[16], const uint8_t **row, size_t *len)
{
	enum overlay_found found = OVERLAY_NO;
	const struct generation *g = db->active;

	if (g != NULL)
		found = overlay_get(hosts ? g->hosts : g->clients, cmid, row, len);
	g = db->frozen;
	if (found == OVERLAY_NO && g != NULL)
		found = overlay_get(hosts ? g->hosts : g->clients, cmid, row, len);
	return found;
}

int
ledger_client(struct kmsdb *db, const uint8_t cmid[16], struct client_row *row, bool *from_index)
{
	const uint8_t *octets;
	size_t len;
	int status;

	*from_index = false;
	switch (overlays(db, false, cmid, &octets, &len)) {
	case OVERLAY_GONE:
		return KMS_E_NOT_FOUND;
	case OVERLAY_ROW:
		return row_client_decode(row, cmid, octets, len, &db->seats);
	case OVERLAY_NO:
		break;
	}
	*from_index = true;
	status = index_get(db->index, INDEX_CLIENTS, cmid, 16, &octets, &len);
	return status != KMS_OK ? status : row_client_decode(row, cmid, octets, len, &db->seats);
}

int
ledger_host(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_host *host)
{
	const uint8_t *octets;
	size_t len;
	int status;

	switch (overlays(db, true, cmid, &octets, &len)) {
	case OVERLAY_GONE:
		return KMS_E_NOT_FOUND;
	case OVERLAY_ROW:
		return row_host_decode(host, cmid, octets, len);
	case OVERLAY_NO:
		break;
	}
	status = index_get(db->index, INDEX_HOSTS, cmid, 16, &octets, &len);
	return status != KMS_OK ? status : row_host_decode(host, cmid, octets, len);
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
	status = overlay_put(
	    db->active->hosts, e->cmid, gone ? NULL : octets, len, &u->old_host, u->host_row);
	u->host = status == KMS_OK;
	return status;
}

static int
put_client(struct kmsdb *db, const uint8_t cmid[16], struct client_row *row, struct undo *u)
{
	uint8_t octets[ROW_CLIENT];
	int status;

	if (row != NULL)
		row_client_encode(octets, row);
	status = overlay_put(db->active->clients, cmid, row != NULL ? octets : NULL, ROW_CLIENT,
	    &u->old_client, u->client_row);
	u->client = status == KMS_OK;
	return status;
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

/* The row of a source as it is now; *from_index: no overlay has it. */
static int
relayed_before(
    struct kmsdb *db, const uint8_t address[16], struct relayed_row *row, bool *from_index)
{
	const struct generation *layers[] = { db->active, db->frozen };
	const uint8_t *octets;
	size_t len;
	int status;

	*from_index = false;
	for (int i = 0; i < 2; i++)
		if (layers[i] != NULL &&
		    overlay_get(layers[i]->relayed, address, &octets, &len) == OVERLAY_ROW)
			return relayed_decode(row, address, octets, len);
	*from_index = true;
	status = index_get(db->index, INDEX_RELAYED, address, 16, &octets, &len);
	return status != KMS_OK ? status : relayed_decode(row, address, octets, len);
}

static int
apply_relayed(
    struct kmsdb *db, const struct apply_entry *e, const uint8_t *entry, size_t len, struct undo *u)
{
	struct relayed_row row;
	uint8_t octets[ROW_RELAYED];
	bool from_index;
	int status = relayed_before(db, e->cmid, &row, &from_index);

	if (status == KMS_E_NOT_FOUND) {
		memset(&row, 0, sizeof(row));
		memcpy(row.r.address, e->cmid, 16);
	} else if (status != KMS_OK) {
		return status;
	} else if (from_index && row.changed >= e->batch) {
		return KMS_OK; /* only in replay, as in apply_decoded */
	}
	if ((status = relayed_apply(&row, entry, len, e->batch)) != KMS_OK)
		return status;
	status = overlay_put(db->active->relayed, e->cmid, octets, relayed_encode(octets, &row),
	    &u->old_relayed, u->relayed_row);
	u->relayed = status == KMS_OK;
	return status;
}

int
ledger_apply(struct kmsdb *db, const uint8_t *entry, size_t len, uint64_t batch, uint32_t leaf,
    struct undo *u)
{
	struct apply_entry e;
	int status = apply_decode(&e, entry, len, batch, leaf);

	u->client = u->host = u->relayed = u->counted = u->uncounted = false;
	if (status != KMS_OK)
		return status;
	memcpy(u->cmid, e.cmid, 16);
	if (e.kind == ENTRY_RELAYED || e.kind == ENTRY_RELAYED_NAME)
		return apply_relayed(db, &e, entry, len, u);
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
	if (u->relayed)
		overlay_undo(db->active->relayed, u->cmid, &u->old_relayed, u->relayed_row);
	if (u->host)
		overlay_undo(db->active->hosts, u->cmid, &u->old_host, u->host_row);
	if (u->client)
		overlay_undo(db->active->clients, u->cmid, &u->old_client, u->client_row);
}

int
ledger_batch(struct kmsdb *db, uint64_t number, struct batch_ref *out)
{
	const struct generation *g[2] = { db->active, db->frozen };
	uint8_t key[8];
	struct wire_writer w;
	struct wire_reader r;
	const uint8_t *row;
	size_t len;
	int status;

	for (int i = 0; i < 2; i++) {
		if (g[i] != NULL && g[i]->batch_count > 0 && number >= g[i]->batches[0].number &&
		    number - g[i]->batches[0].number < g[i]->batch_count) {
			*out = g[i]->batches[number - g[i]->batches[0].number];
			return KMS_OK;
		}
	}
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
