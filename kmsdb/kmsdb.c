/*
 * kmsdb.c - the API of kmsdb.h that opens, closes and looks up. Staging and
 * committing are in stage.c, whole-ledger work in verify.c.
 */
#include "kmsdb/kmsdb.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsdb/ledger.h"
#include "kmsdb/lock.h"
#include "kmsdb/migrate.h"
#include "kmsdb/position.h"
#include "kmsdb/segment.h"
#include "kmsdb/stage.h"
#include "libkms/base/wire.h"

#define MIB (UINT64_C(1) << 20)

static void
take_options(struct kmsdb *db, const struct kmsdb_options *opt)
{
	if (opt != NULL)
		db->opt = *opt;
	if (db->opt.segment_size == 0)
		db->opt.segment_size = 64 * MIB;
	if (db->opt.segment_size < MIB)
		db->opt.segment_size = MIB;
	db->opt.segment_size =
	    (db->opt.segment_size + SEGMENT_SECTOR - 1) / SEGMENT_SECTOR * SEGMENT_SECTOR;
	if (db->opt.overlay_records == 0)
		db->opt.overlay_records = 150000;
	if (db->opt.map_size == 0)
		db->opt.map_size = 1024 * MIB;
	if (db->opt.checkpoint_seconds == 0)
		db->opt.checkpoint_seconds = 60;
}

static int
make_memory(struct kmsdb *db)
{
	int status;

	if ((status = generation_init(&db->generations[0], db->opt.overlay_records)) != KMS_OK ||
	    (status = generation_init(&db->generations[1], db->opt.overlay_records)) != KMS_OK)
		return status;
	db->active = &db->generations[0];
	db->record = malloc(RECORD_MAX);
	db->tree = merkle_tree_new(KMSDB_BATCH_MAX);
	db->undo = calloc(KMSDB_BATCH_MAX, sizeof(*db->undo));
	if (db->record == NULL || db->tree == NULL || db->undo == NULL)
		return KMS_E_NO_MEMORY;
	return checkpoint_open(db);
}

/* The purpose of an open: which index, and which other processes may use it. */
struct use {
	const char *index;
	enum index_use index_use;
	const char *lock;
	bool memory, replay, journal;
};
static const struct use uses[] = {
	[LEDGER_WRITE] = { "index", INDEX_WRITE, LOCK_WRITER, true, true, true },
	[LEDGER_READ] = { "index", INDEX_READ, NULL, false, false, false },
	[LEDGER_REBUILD] = { LEDGER_REBUILD_NAME, INDEX_SCRATCH, LOCK_WRITER, true, true, false },
	[LEDGER_CHECK] = { LEDGER_CHECK_NAME, INDEX_SCRATCH, LOCK_CHECK, true, false, false },
};

static int
open_directories(struct kmsdb *db, int dirfd, const struct use *use, struct fault *fault)
{
	int status = position_directory(dirfd, "kmsdb", use->journal, &db->dirfd);

	if (status == KMS_OK)
		status = position_directory(db->dirfd, "journal", use->journal, &db->journalfd);
	if (status == KMS_E_NOT_FOUND)
		fault_set(fault, status,
		    "there is no ledger here (kmsdb/journal): kmsd creates it at its first start");
	else if (status != KMS_OK)
		fault_set(fault, status, "the directory kmsdb cannot be opened: %s",
		    kms_strerror((uint32_t)status));
	if (status != KMS_OK)
		return status;
	return use->lock != NULL ? lock_take(db->dirfd, use->lock, &db->lockfd, fault) : KMS_OK;
}

static int
open_index(struct kmsdb *db, const struct use *use, struct fault *fault)
{
	int status;

	if (use->index_use == INDEX_SCRATCH)
		index_remove(db->dirfd, use->index);
	status =
	    index_open(&db->index, db->dirfd, use->index, use->index_use, db->opt.map_size, fault);
	if (status != KMS_OK)
		return status;
	if ((status = migrate(db->index, use->index_use == INDEX_READ, fault)) != KMS_OK)
		return status;
	if ((status = index_get_meta(db->index, &db->meta)) != KMS_OK ||
	    (status = index_load(db->index, &db->seats)) != KMS_OK)
		return fault_set(fault, status,
		    "the index (kmsdb/index) is damaged: stop kmsd and run kmsctl ledger rebuild");
	return KMS_OK;
}

int
ledger_open(struct kmsdb **out, int dirfd, const struct kmsdb_options *opt, enum ledger_use what,
    struct fault *fault)
{
	const struct use *use = &uses[what];
	struct kmsdb *db = calloc(1, sizeof(*db));
	int status;

	*out = NULL;
	if (db == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, NULL);
	db->dirfd = db->journalfd = db->lockfd = -1;
	take_options(db, opt);
	status = seats_init(&db->seats);
	if (status == KMS_OK && use->memory)
		status = make_memory(db);
	if (status == KMS_OK)
		status = open_directories(db, dirfd, use, fault);
	if (status == KMS_OK)
		status = open_index(db, use, fault);
	if (status == KMS_OK && use->replay)
		status = replay(db, use->journal, fault);
	if (status != KMS_OK) {
		kmsdb_close(db);
		return fault_set(fault, status, NULL);
	}
	*out = db;
	return KMS_OK;
}

int
kmsdb_open(struct kmsdb **out, int dirfd, const struct kmsdb_options *opt, struct fault *fault)
{
	return ledger_open(
	    out, dirfd, opt, opt != NULL && opt->read_only ? LEDGER_READ : LEDGER_WRITE, fault);
}

int
kmsdb_start(struct kmsdb *db)
{
	return db->journal == NULL ? KMS_E_ARGUMENT : checkpoint_start(db);
}

void
kmsdb_close(struct kmsdb *db)
{
	if (db == NULL)
		return;
	/* A replay that failed half-way is dropped; everything is still in the journal. */
	if (db->journal != NULL) {
		stage_undo(db);
		checkpoint_all(db);
	}
	checkpoint_close(db);
	journal_close(db->journal);
	index_close(db->index);
	readback_free(db->readback);
	generation_free(&db->generations[0]);
	generation_free(&db->generations[1]);
	seats_free(&db->seats);
	merkle_tree_free(db->tree);
	free(db->record);
	free(db->undo);
	if (db->lockfd >= 0)
		close(db->lockfd);
	if (db->journalfd >= 0)
		close(db->journalfd);
	if (db->dirfd >= 0)
		close(db->dirfd);
	free(db);
}

/* Another process may have added seats and counted clients since. */
static void
reload_seats(struct kmsdb *db)
{
	struct seats fresh;
	int status = seats_init(&fresh);

	if (status == KMS_OK)
		status = index_load(db->index, &fresh);
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

int
kmsdb_checkpoint(struct kmsdb *db)
{
	if (db->journal == NULL)
		return KMS_E_ARGUMENT;
	if (db->staged > 0)
		return KMS_E_ARGUMENT;
	return checkpoint_all(db);
}

/* Number of segments and bytes of the journal, from its directory. */
static void
journal_size(struct kmsdb *db, struct kmsdb_info *out)
{
	struct segment_list list;

	if (segment_list_read(&list, db->journalfd) != KMS_OK)
		return;
	out->segments = list.count;
	for (size_t i = 0; i < list.count; i++) {
		char name[SEGMENT_NAME];
		struct stat st;
		segment_name(name, list.first[i]);
		if (fstatat(db->journalfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			out->journal_bytes += (uint64_t)st.st_size;
	}
	segment_list_free(&list);
}

void
kmsdb_info(struct kmsdb *db, struct kmsdb_info *out)
{
	struct index_size size;

	memset(out, 0, sizeof(*out));
	up_to_date(db);
	index_size(db->index, &size);
	journal_size(db, out);
	out->index_batch = out->last_batch = db->meta.last;
	memcpy(out->last_hash, db->meta.hash, 32);
	if (db->journal != NULL) {
		out->last_batch = journal_last(db->journal);
		memcpy(out->last_hash, journal_last_hash(db->journal), 32);
		out->overlay = overlay_count(db->active->clients);
		if (db->frozen != NULL)
			out->overlay += overlay_count(db->frozen->clients);
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
	struct relayed_row row;
	int status = key_len == 16 ? relayed_decode(&row, key, octets, len) : KMS_E_ALTERED;

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
