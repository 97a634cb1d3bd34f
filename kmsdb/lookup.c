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
	int status = seats_init(&fresh);

	if (status == KMS_OK)
		status = seats_load(&fresh, db->index);
	if (status != KMS_OK) {
		seats_free(&fresh);
		return;
	}
	seats_free(&db->seats);
	db->seats = fresh;
	index_get_meta(db->index, &db->meta);
}

/*
 * Called first in each look-up: a reader sees what is committed now, the writer what was written.
 */
static void
up_to_date(struct kmsdb *db)
{
	if (db->journal != NULL)
		checkpoint_poll(db);
	else if (index_refresh(db->index) == KMS_OK)
		reload_seats(db);
}

int
kmsdb_client_get(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_client *out)
{
	struct client_row row = { .seat = 0 };
	bool from_index;
	int status;

	up_to_date(db);
	status = ledger_client(db, cmid, &row, &from_index);
	db->memo = status == KMS_OK || status == KMS_E_NOT_FOUND;
	db->memo_found = status == KMS_OK;
	if (status == KMS_OK)
		*out = row.c;
	else
		memcpy(row.c.cmid, cmid, 16);
	db->memo_row = row;
	return status;
}

int
kmsdb_host_get(struct kmsdb *db, const uint8_t cmid[16], struct kmsdb_host *out)
{
	up_to_date(db);
	return ledger_host(db, cmid, out);
}

uint32_t
kmsdb_pool_count(
    struct kmsdb *db, const uint8_t publisher[8], uint16_t pool, uint32_t today, uint16_t window)
{
	const struct pool *p;

	up_to_date(db);
	p = seats_pool_find(&db->seats, publisher, pool);
	return p == NULL ? 0 : pool_sum(p, today > window ? today - window : 0);
}

void
kmsdb_info(struct kmsdb *db, struct kmsdb_info *out)
{
	struct index_size size;

	memset(out, 0, sizeof(*out));
	up_to_date(db);
	index_size(db->index, &size);
	segment_list_total(db->journalfd, &out->segments, &out->journal_bytes);
	out->index_batch = out->last_batch = db->meta.last;
	memcpy(out->last_hash, db->meta.hash, 32);
	if (db->journal != NULL) {
		out->last_batch = journal_last(db->journal);
		memcpy(out->last_hash, journal_last_hash(db->journal), 32);
		out->overlay = overlay_count(db->active->rows[GENERATION_CLIENTS]);
		if (db->frozen != NULL)
			out->overlay += overlay_count(db->frozen->rows[GENERATION_CLIENTS]);
	}
	out->clients = size.clients;
	out->index_bytes = size.octets;
	out->map_size = size.map;
	out->checkpoints = db->checkpoints;
	out->schema = db->meta.schema;
}

struct each {
	struct kmsdb *db;
	int (*client)(const struct kmsdb_client *c, const struct kmsdb_host *h, void *arg);
	int (*day)(
	    const uint8_t publisher[8], uint16_t pool, uint32_t day, uint32_t count, void *arg);
	void *arg;
};

static int
each_client(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct each *e = arg;
	struct client_row row;
	struct kmsdb_host host;
	const uint8_t *host_octets;
	size_t host_len;
	int status = key_len == ROW_CMID ? row_client_decode(&row, key, octets, len, &e->db->seats)
					 : KMS_E_ALTERED;

	if (status != KMS_OK)
		return status;
	memset(&host, 0, sizeof(host));
	memcpy(host.cmid, key, ROW_CMID);
	status = index_get(e->db->index, INDEX_HOSTS, key, ROW_CMID, &host_octets, &host_len);
	if (status == KMS_OK)
		status = row_host_decode(&host, key, host_octets, host_len);
	if (status != KMS_OK && status != KMS_E_NOT_FOUND)
		return status;
	return e->client(&row.c, &host, e->arg);
}

int
kmsdb_each_client(struct kmsdb *db,
    int (*fn)(const struct kmsdb_client *c, const struct kmsdb_host *h, void *arg), void *arg)
{
	struct each e = { .db = db, .client = fn, .arg = arg };

	up_to_date(db);
	return index_each(db->index, INDEX_CLIENTS, each_client, &e);
}

struct each_relayed {
	int (*fn)(const struct kmsdb_relayed *r, void *arg);
	void *arg;
};

static int
each_relayed(const uint8_t *key, size_t key_len, const uint8_t *octets, size_t len, void *arg)
{
	struct each_relayed *e = arg;
	struct observed_row row;
	int status = key_len == 16 ? observed_decode(&row, key, octets, len) : KMS_E_ALTERED;

	return status != KMS_OK ? status : e->fn(&row.r, e->arg);
}

int
kmsdb_each_relayed(struct kmsdb *db, int (*fn)(const struct kmsdb_relayed *r, void *arg), void *arg)
{
	struct each_relayed e = { fn, arg };

	up_to_date(db);
	return index_each(db->index, INDEX_RELAYED, each_relayed, &e);
}

static int
each_day(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct each *e = arg;
	struct wire_reader k, v;
	uint16_t pool;
	uint32_t day;

	if (key_len != ROW_DAY_KEY || len != 4)
		return KMS_E_ALTERED;
	wire_reader_init(&k, key + 8, 6);
	pool = wire_get_u16(&k);
	day = wire_get_u32(&k);
	wire_reader_init(&v, row, 4);
	return e->day(key, pool, day, wire_get_u32(&v), e->arg);
}

int
kmsdb_each_day(struct kmsdb *db,
    int (*fn)(const uint8_t publisher[8], uint16_t pool, uint32_t day, uint32_t count, void *arg),
    void *arg)
{
	struct each e = { .db = db, .day = fn, .arg = arg };

	up_to_date(db);
	return index_each(db->index, INDEX_DAYS, each_day, &e);
}
