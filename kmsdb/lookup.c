/*
 * lookup.c - what the ledger knows now: clients, hosts, counts, and what was observed.
 */
#include <string.h>

#include "kmsdb/ledger.h"
#include "kmsdb/segment_list.h"
#include "libkms/base/wire.h"

/* Another process may have added seats and counted clients since. */
static void
reload_seats(struct kmsdb *db)
{
	struct seats fresh;
	int rc = seats_init(&fresh);

	if (rc == KMS_OK)
		rc = seats_load(&fresh, db->index);
	if (rc != KMS_OK) {
		seats_free(&fresh);
		return;
	}
	seats_free(&db->seats);
	db->seats = fresh;
	if (index_get_meta(db->index, &db->meta) == KMS_OK)
		db->floors = db->meta.floors;
	chains_init(&db->chains);
	chains_read(&db->chains, db->index);
}

void
ledger_up_to_date(struct kmsdb *db)
{
	if (db->journal != NULL)
		checkpoint_poll(db);
	else if (index_refresh(db->index) == KMS_OK)
		reload_seats(db);
}

void
kmsdb_expect(const struct kmsdb *db, const uint8_t *const cmid[], size_t count)
{
	const struct overlay *active = db->active->rows[GENERATION_HOT];
	const struct overlay *frozen = db->frozen != NULL ? db->frozen->rows[GENERATION_HOT] : NULL;

	for (size_t i = 0; i < count; i++) {
		if (db->recent != NULL)
			recent_announce(db->recent, cmid[i]);
		overlay_announce(active, cmid[i]);
		if (frozen != NULL)
			overlay_announce(frozen, cmid[i]);
	}
	for (size_t i = 0; i < count; i++) {
		bool here = db->recent != NULL && recent_expect(db->recent, cmid[i]);

		overlay_expect(active, cmid[i]);
		if (frozen != NULL && !here)
			overlay_expect(frozen, cmid[i]);
	}
}

void
kmsdb_remember(struct kmsdb *db, size_t rows, size_t most)
{
	size_t grown = db->recent_rows + db->recent_rows / 2;
	struct recent *larger;

	if (rows == 0) {
		recent_free(db->recent);
		db->recent = NULL;
		db->recent_rows = 0;
	}
	if (db->journal == NULL || rows <= db->recent_rows)
		return;
	if (grown > rows)
		rows = grown < most ? grown : most > rows ? most : rows;
	/* The rows come again as they are asked for. */
	if ((larger = recent_new(rows)) == NULL)
		return;
	recent_free(db->recent);
	db->recent = larger;
	db->recent_rows = rows;
}

size_t
kmsdb_remembered(const struct kmsdb *db)
{
	return recent_octets(db->recent);
}

int
kmsdb_client_get(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_client *out)
{
	struct client_row row = { .seat = 0 };
	int rc;

	ledger_up_to_date(db);
	rc = ledger_client(db, cmid, &row);
	db->memo = rc == KMS_OK || rc == KMS_E_NOT_FOUND;
	db->memo_found = rc == KMS_OK;
	if (rc == KMS_OK)
		*out = row.c;
	else
		memcpy(row.c.cmid, cmid, 16);
	db->memo_row = row;
	return rc;
}

/* A forgotten client has no name, also if it asked in the same second. */
static void
hide_forgotten(const struct client_row *row, struct kmsdb_cold *cold)
{
	if (row->c.kind == ENTRY_FORGET && row->c.last_seen <= cold->forgotten)
		apply_blank(cold);
}

int
kmsdb_cold_get(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_cold *out)
{
	struct client_row row;
	int rc;

	ledger_up_to_date(db);
	if ((rc = ledger_client(db, cmid, &row)) != KMS_OK ||
	    (rc = ledger_cold(db, &row, out)) != KMS_OK)
		return rc;
	hide_forgotten(&row, out);
	return KMS_OK;
}

bool
kmsdb_client_counts(
    const struct kmsdb_client *c, const uint8_t publisher[8], uint16_t pool, uint32_t minute)
{
	return c->until > minute && (c->flags & KMSDB_REVOKED) == 0 && c->pool == pool &&
	       memcmp(c->publisher, publisher, 8) == 0;
}

const char *
kmsdb_client_state(const struct kmsdb_client *c, uint64_t now)
{
	if (c->flags & KMSDB_REVOKED)
		return "revoked";
	if (c->flags & KMSDB_ENDED)
		return "ended";
	if (c->flags & KMSDB_RELEASED)
		return "released";
	if (c->kind == ENTRY_LEASE)
		return c->expires > now ? "activated" : "expired";
	if (c->kind == ENTRY_SEEN)
		return "below-threshold";
	return c->status != KMS_OK ? "refused" : "not-seen";
}

bool
kmsdb_client_gone(const struct kmsdb_client *c)
{
	return (c->flags & (KMSDB_FORGOTTEN | KMSDB_REVOKED)) == KMSDB_FORGOTTEN;
}

void
kmsdb_pool_get(struct kmsdb *db, const uint8_t publisher[8], uint16_t pool, uint32_t minute,
    struct kmsdb_pool *out)
{
	ledger_up_to_date(db);
	seats_sum(&db->seats, publisher, pool, minute, out);
}

void
kmsdb_class_counts(struct kmsdb *db, const uint8_t publisher[8], uint16_t pool, uint32_t minute,
    struct kmsdb_class *classes, unsigned count)
{
	ledger_up_to_date(db);
	seats_classes(&db->seats, publisher, pool, minute, classes, count);
}

uint32_t
kmsdb_pool_count(struct kmsdb *db, const uint8_t publisher[8], uint16_t pool, uint32_t minute)
{
	struct kmsdb_pool all;

	kmsdb_pool_get(db, publisher, pool, minute, &all);
	return all.counted;
}

uint64_t
kmsdb_counter(const struct kmsdb *db)
{
	return db->counter + 1;
}

void
kmsdb_info(struct kmsdb *db, struct kmsdb_info *out)
{
	struct index_size size;

	memset(out, 0, sizeof(*out));
	ledger_up_to_date(db);
	index_size(db->index, &size);
	segment_list_total(db->journalfd, &out->segments, &out->journal_bytes);
	out->index_batch = out->last_batch = db->meta.last;
	memcpy(out->last_hash, db->meta.hash, 32);
	if (db->journal != NULL) {
		out->last_batch = journal_last(db->journal);
		memcpy(out->last_hash, journal_last_hash(db->journal), 32);
		out->overlay = overlay_count(db->active->rows[GENERATION_HOT]);
		if (db->frozen != NULL)
			out->overlay += overlay_count(db->frozen->rows[GENERATION_HOT]);
	}
	out->first_batch = db->first;
	out->erasures = db->jobs.count;
	out->clients = size.clients;
	out->index_bytes = size.octets;
	out->map_size = size.map;
	out->checkpoints = db->checkpoints;
	out->schema = db->meta.schema;
	out->names_floor = db->floors.names;
	out->refusals_floor = db->floors.refusals;
	out->forgotten_floor = db->floors.forgotten;
	out->relayed_floor = db->floors.relayed;
}

/* As the hot rows that are gone through: from the index alone. */
static int
cold_in_index(struct kmsdb *db, const struct client_row *row, struct kmsdb_cold *cold)
{
	const uint8_t *octets;
	size_t len;
	int rc = index_get(db->index, INDEX_COLD, row->c.cmid, ROW_CMID, &octets, &len);

	memset(cold, 0, sizeof(*cold));
	if (rc == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc == KMS_OK)
		rc = row_cold_decode(cold, row->c.cmid, octets, len);
	if (rc != KMS_OK)
		return rc;
	if (row->c.last_seen <= db->floors.names)
		apply_blank(cold);
	hide_forgotten(row, cold);
	return KMS_OK;
}

struct each {
	struct kmsdb *db;
	int (*client)(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg);
	void *arg;
};

static int
each_client(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct each *e = arg;
	struct client_row row;
	struct kmsdb_cold cold;
	int rc = key_len == ROW_CMID ? seats_row_decode(&e->db->seats, &row, key, octets, len)
				     : KMS_E_ALTERED;

	if (rc == KMS_OK && row_hot_expired(octets, &e->db->floors))
		return KMS_OK;
	if (rc == KMS_OK)
		rc = cold_in_index(e->db, &row, &cold);
	return rc != KMS_OK ? rc : e->client(&row.c, &cold, e->arg);
}

int
kmsdb_each_client_from(struct kmsdb *db, const uint8_t from[16],
    int (*fn)(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg), void *arg)
{
	struct each e = { .db = db, .client = fn, .arg = arg };

	ledger_up_to_date(db);
	return index_each_from(db->index, INDEX_HOT, from, ROW_CMID, each_client, &e);
}

int
kmsdb_each_client(struct kmsdb *db,
    int (*fn)(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg), void *arg)
{
	return kmsdb_each_client_from(db, NULL, fn, arg);
}

struct each_seat {
	struct kmsdb *db;
	int (*fn)(const struct kmsdb_client *c, void *arg);
	void *arg;
};

static int
each_seat(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct each_seat *e = arg;
	struct client_row row;
	int rc = key_len == ROW_CMID ? seats_row_decode(&e->db->seats, &row, key, octets, len)
				     : KMS_E_ALTERED;

	if (rc != KMS_OK)
		return rc;
	return row.c.kind != 0 ? e->fn(&row.c, e->arg) : KMS_OK;
}

int
kmsdb_each_seat_from(struct kmsdb *db, const uint8_t from[16],
    int (*fn)(const struct kmsdb_client *c, void *arg), void *arg)
{
	struct each_seat e = { db, fn, arg };

	ledger_up_to_date(db);
	return index_each_from(db->index, INDEX_HOT, from, ROW_CMID, each_seat, &e);
}

struct each_relayed {
	struct kmsdb *db;
	int (*fn)(const struct kmsdb_relayed *r, void *arg);
	void *arg;
};

static int
each_relayed(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct each_relayed *e = arg;
	struct observed_row row;
	int rc = key_len == 16 ? observed_decode(&row, key, octets, len) : KMS_E_ALTERED;

	if (rc == KMS_OK && observed_expired(&row.r, &e->db->floors))
		return KMS_OK;
	if (rc == KMS_OK)
		observed_blank(&row.r, e->db->floors.names);
	return rc != KMS_OK ? rc : e->fn(&row.r, e->arg);
}

int
kmsdb_each_relayed(struct kmsdb *db, int (*fn)(const struct kmsdb_relayed *r, void *arg), void *arg)
{
	struct each_relayed e = { db, fn, arg };

	ledger_up_to_date(db);
	return index_each(db->index, INDEX_RELAYED, each_relayed, &e);
}

int
kmsdb_each_usage(struct kmsdb *db, const struct kmsdb_usage *from, uint64_t now,
    int (*fn)(const struct kmsdb_usage *row, void *arg), void *arg)
{
	uint8_t key[ROW_USAGE_KEY];
	int rc;

	ledger_up_to_date(db);
	if (db->journal == NULL && (rc = usage_load(&db->usage, db->index)) != KMS_OK)
		return rc;
	if (from != NULL)
		usage_key(key, from->publisher, from->pool, from->day, from->status);
	return usage_each(&db->usage, &db->seats, from != NULL ? key : NULL, now, fn, arg);
}

/* Rows that differ in their holder alone follow one another, and are told as one. */
struct each_count {
	int (*fn)(const struct kmsdb_count *c, void *arg);
	void *arg;
	struct kmsdb_count c; /* not told yet; clients 0: none */
};

static bool
same_count(const struct kmsdb_count *a, const struct kmsdb_count *b)
{
	return memcmp(a->publisher, b->publisher, 8) == 0 && a->pool == b->pool &&
	       a->class == b->class && a->borrowed == b->borrowed && a->until == b->until;
}

static int
each_count(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct each_count *e = arg;
	struct kmsdb_count c;
	int rc = index_count_decode(&c, key, key_len, row, len);

	if (rc != KMS_OK)
		return rc;
	c.holder = ROW_HOLDER_NONE;
	if (e->c.clients != 0 && same_count(&e->c, &c)) {
		e->c.clients += c.clients;
		return KMS_OK;
	}
	rc = e->c.clients != 0 ? e->fn(&e->c, e->arg) : KMS_OK;
	e->c = c;
	return rc;
}

int
kmsdb_each_count(struct kmsdb *db, int (*fn)(const struct kmsdb_count *c, void *arg), void *arg)
{
	struct each_count e = { .fn = fn, .arg = arg };
	int rc;

	ledger_up_to_date(db);
	rc = index_each(db->index, INDEX_COUNTS, each_count, &e);
	return rc == KMS_OK && e.c.clients != 0 ? fn(&e.c, arg) : rc;
}
