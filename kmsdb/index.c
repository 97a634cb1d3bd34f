/*
 * index.c - the only file that knows LMDB.
 *
 * Flags, and why:
 * - MDB_NORDAHEAD: clients come in random order; read-ahead would push out pages that
 *   matter when the index is larger than memory.
 * - MDB_NOMETASYNC: a commit syncs its pages but not the meta page that points to them. A
 *   crash of the machine may then lose the last transaction, never the integrity; and
 *   what is lost is in the journal and replayed.
 * - MDB_NOTLS: the main thread's snapshot belongs to a handle, not to a thread.
 * - not MDB_WRITEMAP: it would save copies, but on a full disk the process would die of
 *   SIGBUS instead of getting KMS_E_FULL, and a stray write of a process that parses what
 *   strangers send could spoil the index. Dirty pages are bounded by checkpoint.c instead.
 * - not MDB_NOSYNC, MDB_MAPASYNC: a crash of the machine could spoil the index.
 */
#include "kmsdb/index.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "kmsdb/apply.h"
#include "kmsdb/observed.h"
#include "kmsdb/position.h"
#include "libkms/base/file.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define META_SIZE 80
/* A quarter of what a 32-bit processor can address; an index that needs more grows later. */
#define MAP_AT_START (UINT64_C(1) << (sizeof(size_t) > 4 ? 62 : 30))
static const char META_KEY[] = "kmsdb";
static const char *const NAMES[INDEX_TABLES] = {
	"hot",
	"cold",
	"counts",
	"batches",
	"seats",
	"chains",
	"witnesses",
	"meta",
	"relayed",
	"restored",
	"installed",
	"usage",
	"rights",
	"share",
};

struct index {
	MDB_env *env;
	MDB_dbi tables[INDEX_TABLES];
	MDB_txn *snapshot;
	bool snapshot_live;
	MDB_txn *writing;
	MDB_cursor *hot; /* of writing */
	int error;       /* of writing: LMDB's, or errno */
	bool read_only;
};

static int
status_of(int rc)
{
	switch (rc) {
	case 0:
		return KMS_OK;
	case MDB_NOTFOUND:
		return KMS_E_NOT_FOUND;
	case MDB_MAP_FULL:
		return INDEX_MAP_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return KMS_E_ALTERED;
	default:
		return file_status(rc);
	}
}

static int
open_tables(struct index *ix, bool create)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(ix->env, NULL, create ? 0 : MDB_RDONLY, &txn);

	for (int i = 0; rc == 0 && i < INDEX_TABLES; i++)
		rc = mdb_dbi_open(txn, NAMES[i], create ? MDB_CREATE : 0, &ix->tables[i]);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

static int
open_env(struct index *ix, int fd, enum index_use use, uint64_t map_size)
{
	unsigned flags = MDB_NORDAHEAD | MDB_NOTLS | MDB_NOMETASYNC;
	char path[64];
	int rc;

	if (use == INDEX_READ)
		flags = MDB_NORDAHEAD | MDB_NOTLS | MDB_RDONLY;
	if (use == INDEX_SCRATCH)
		flags |= MDB_NOSYNC;
	/* LMDB needs a path; this one stays below the caller's directory descriptor. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((rc = mdb_env_create(&ix->env)) != 0 ||
	    (rc = mdb_env_set_maxdbs(ix->env, INDEX_TABLES)) != 0)
		return rc;
	if (use != INDEX_READ && (rc = mdb_env_set_mapsize(ix->env, (size_t)map_size)) != 0)
		return rc;
	return mdb_env_open(ix->env, path, flags, 0600);
}

/* A missing row: a new index. */
static int
first_meta(struct index *ix)
{
	struct index_meta meta = { .schema = INDEX_SCHEMA };
	int rc = index_get_meta(ix, &meta);

	if (rc != KMS_E_NOT_FOUND || ix->read_only)
		return rc;
	if ((rc = index_begin(ix)) != KMS_OK)
		return rc;
	index_put_meta(ix, &meta);
	if ((rc = index_commit(ix)) != KMS_OK)
		return rc;
	return index_refresh(ix);
}

static void
close_env(struct index *ix)
{
	if (ix->writing != NULL)
		mdb_txn_abort(ix->writing);
	if (ix->snapshot != NULL)
		mdb_txn_abort(ix->snapshot);
	if (ix->env != NULL)
		mdb_env_close(ix->env);
	ix->writing = ix->snapshot = NULL;
	ix->snapshot_live = false;
	ix->env = NULL;
}

static void
read_meta_head(struct wire_reader *r, struct index_meta *meta)
{
	meta->schema = wire_get_u32(r);
	meta->last = wire_get_u64(r);
	wire_get(r, meta->hash, 32);
}

/*
 * Schema, last batch and its hash, which have their places in every version. MDB_NOTFOUND: a new
 * index.
 */
static int
read_head(MDB_env *env, struct index_meta *meta)
{
	MDB_val k = { sizeof(META_KEY) - 1, (void *)(uintptr_t)META_KEY }, v;
	struct wire_reader r;
	MDB_txn *txn;
	MDB_dbi dbi;
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	if ((rc = mdb_dbi_open(txn, "meta", 0, &dbi)) == 0 &&
	    (rc = mdb_get(txn, dbi, &k, &v)) == 0) {
		wire_reader_init(&r, v.mv_data, v.mv_size);
		read_meta_head(&r, meta);
		rc = r.bad ? MDB_CORRUPTED : 0;
	}
	mdb_txn_abort(txn);
	return rc;
}

/* Without LMDB's locks, because the caller is the only writer. */
static bool
peek(int fd, struct index_meta *meta)
{
	char path[64];
	MDB_env *env;
	bool there;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (faccessat(fd, "data.mdb", F_OK, 0) != 0 || mdb_env_create(&env) != 0)
		return false;
	there = mdb_env_set_maxdbs(env, INDEX_TABLES) == 0 &&
		mdb_env_open(env, path, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0600) == 0 &&
		read_head(env, meta) == 0;
	mdb_env_close(env);
	return there;
}

bool
index_peek(int dirfd, const char *name, struct index_meta *meta)
{
	bool there;
	int fd;

	memset(meta, 0, sizeof(*meta));
	if (position_directory(dirfd, name, 0, &fd) != KMS_OK)
		return false;
	there = peek(fd, meta);
	close(fd);
	return there;
}

static int
say_version(int dirfd, uint32_t schema, struct fault *fault)
{
	char by[VERSION_TEXT] = "", next[192];

	version_writer(dirfd, by);
	if (schema < INDEX_SCHEMA)
		snprintf(next, sizeof(next),
		    "Start kmsd, which makes it again from the journal, or run kmsctl ledger rebuild");
	else
		snprintf(next, sizeof(next),
		    "Install %s%s again. To go back, stop kmsd and run kmsctl ledger rebuild: it says whether this version knows the whole journal",
		    by[0] != '\0' ? "kmsd " : "the kmsd that wrote it", by);
	return fault_version(fault, &(struct fault_version){ .file = "kmsdb/index",
					.what = "index",
					.found = schema,
					.known = INDEX_SCHEMA,
					.reader = "kmsd",
					.by = by,
					.next = next });
}

/* *mdb: LMDB's own code of a failure, 0 without one. */
static int
try_open(struct index *ix, int dirfd, int fd, enum index_use use, uint64_t map_size, int *mdb,
    struct fault *fault)
{
	struct index_meta meta;
	int dead, rc;

	/* Before it is opened for writing, which changes files. */
	if (use == INDEX_WRITE && peek(fd, &meta) && meta.schema != INDEX_SCHEMA)
		return say_version(dirfd, meta.schema, fault);
	if ((*mdb = open_env(ix, fd, use, map_size)) != 0)
		return status_of(*mdb);
	if (use == INDEX_READ && read_head(ix->env, &meta) == 0 && meta.schema != INDEX_SCHEMA)
		return say_version(dirfd, meta.schema, fault);
	/* Readers that died keep old pages in use. */
	mdb_reader_check(ix->env, &dead);
	if ((*mdb = open_tables(ix, use != INDEX_READ)) != 0)
		return status_of(*mdb);
	rc = index_refresh(ix);
	return rc != KMS_OK ? rc : first_meta(ix);
}

int
index_open(struct index **out, int dirfd, const char *name, enum index_use use, uint64_t map_size,
    struct fault *fault)
{
	struct index *ix = calloc(1, sizeof(*ix));
	int fd = -1, mdb = 0, rc = KMS_E_NO_MEMORY;

	*out = NULL;
	if (ix == NULL)
		goto fail;
	ix->read_only = use == INDEX_READ;
	if ((rc = position_directory(dirfd, name, use != INDEX_READ, &fd)) != KMS_OK)
		goto fail;
	if (map_size > MAP_AT_START)
		map_size = MAP_AT_START;
	/* A map too small even for the tables grows. */
	while ((rc = try_open(ix, dirfd, fd, use, map_size, &mdb, fault)) == INDEX_MAP_FULL &&
	       map_size <= MAP_AT_START / 2) {
		close_env(ix);
		map_size *= 2;
	}
	if (rc != KMS_OK)
		goto fail;
	close(fd);
	*out = ix;
	return KMS_OK;
fail:
	/* Its bytes are not the journal's, which makes it again. */
	if (rc == KMS_E_ALTERED)
		rc = fault_set(fault, KMS_E_INDEX,
		    "the index (kmsdb/%s) is damaged, as in a file copy made while kmsd ran: %s; stop kmsd and run kmsctl ledger rebuild",
		    name, mdb != 0 ? mdb_strerror(mdb) : kms_strerror((uint32_t)rc));
	fault_set(fault, rc, "the index (kmsdb/%s) cannot be opened: %s", name,
	    mdb != 0 ? mdb_strerror(mdb) : kms_strerror((uint32_t)rc));
	if (fd >= 0)
		close(fd);
	index_close(ix);
	return rc;
}

void
index_close(struct index *ix)
{
	if (ix == NULL)
		return;
	close_env(ix);
	free(ix);
}

int
index_sync(struct index *ix)
{
	return status_of(mdb_env_sync(ix->env, 1));
}

void
index_remove(int dirfd, const char *name)
{
	int fd;

	if (position_directory(dirfd, name, 0, &fd) != KMS_OK)
		return;
	unlinkat(fd, "data.mdb", 0);
	unlinkat(fd, "lock.mdb", 0);
	close(fd);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

static int
take_snapshot(struct index *ix)
{
	int rc;

	if (ix->snapshot == NULL)
		rc = mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &ix->snapshot);
	else
		rc = mdb_txn_renew(ix->snapshot);
	ix->snapshot_live = rc == 0;
	return rc;
}

static void
drop_snapshot(struct index *ix)
{
	if (ix->snapshot_live)
		mdb_txn_reset(ix->snapshot);
	ix->snapshot_live = false;
}

int
index_refresh(struct index *ix)
{
	int rc;

	drop_snapshot(ix);
	rc = take_snapshot(ix);
	/* Another process made the map larger: take its size. */
	if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(ix->env, 0)) == 0)
		rc = take_snapshot(ix);
	return status_of(rc);
}

int
index_get(struct index *ix, enum index_table table, const void *key, size_t key_len,
    const uint8_t **row, size_t *len)
{
	MDB_val k = { key_len, (void *)(uintptr_t)key }, v;
	int rc;

	if (!ix->snapshot_live)
		return KMS_E_IO;
	rc = mdb_get(ix->snapshot, ix->tables[table], &k, &v);
	if (rc != 0)
		return status_of(rc);
	*row = v.mv_data;
	*len = v.mv_size;
	return KMS_OK;
}

static uint64_t
get_u40(struct wire_reader *r)
{
	uint64_t high = wire_get_u8(r);

	return high << 32 | wire_get_u32(r);
}

static void
put_u40(struct wire_writer *w, uint64_t v)
{
	wire_put_u8(w, (uint8_t)(v >> 32));
	wire_put_u32(w, (uint32_t)v);
}

int
index_get_meta(struct index *ix, struct index_meta *meta)
{
	struct wire_reader r;
	const uint8_t *row;
	size_t len;
	int rc = index_get(ix, INDEX_META, META_KEY, sizeof(META_KEY) - 1, &row, &len);

	if (rc != KMS_OK)
		return rc;
	memset(meta, 0, sizeof(*meta));
	wire_reader_init(&r, row, len);
	read_meta_head(&r, meta);
	/* Another schema has something else here; callers check the schema first. */
	if (meta->schema != INDEX_SCHEMA)
		return r.bad ? KMS_E_ALTERED : KMS_OK;
	meta->counter = wire_get_u64(&r);
	meta->floors.refusals = get_u40(&r);
	meta->floors.forgotten = get_u40(&r);
	meta->floors.relayed = get_u40(&r);
	meta->floors.names = get_u40(&r);
	meta->floors.clock = wire_get_u64(&r);
	return r.bad ? KMS_E_ALTERED : KMS_OK;
}

int
index_each_from(struct index *ix, enum index_table table, const void *from, size_t from_len,
    int (*fn)(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg),
    void *arg)
{
	MDB_cursor_op op = from != NULL ? MDB_SET_RANGE : MDB_FIRST;
	MDB_val k = { from_len, (void *)(uintptr_t)from }, v;
	MDB_cursor *cursor;
	int rc, result = 0;

	if (!ix->snapshot_live)
		return KMS_E_IO;
	if ((rc = mdb_cursor_open(ix->snapshot, ix->tables[table], &cursor)) != 0)
		return status_of(rc);
	while (result == 0 && (rc = mdb_cursor_get(cursor, &k, &v, op)) == 0) {
		result = fn(k.mv_data, k.mv_size, v.mv_data, v.mv_size, arg);
		op = MDB_NEXT;
	}
	mdb_cursor_close(cursor);
	return result != 0 || rc == MDB_NOTFOUND ? result : status_of(rc);
}

int
index_each(struct index *ix, enum index_table table,
    int (*fn)(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg),
    void *arg)
{
	return index_each_from(ix, table, NULL, 0, fn, arg);
}

int
index_count_decode(
    struct kmsdb_count *out, const uint8_t *key, size_t key_len, const uint8_t *row, size_t len)
{
	struct wire_reader k, v;
	uint8_t borrowed;

	wire_reader_init(&k, key, key_len);
	wire_get(&k, out->publisher, sizeof(out->publisher));
	out->pool = wire_get_u16(&k);
	out->class = wire_get_u16(&k);
	borrowed = wire_get_u8(&k);
	out->borrowed = borrowed != 0;
	out->until = wire_get_u32(&k);
	out->holder = wire_get_u8(&k);
	wire_reader_init(&v, row, len);
	out->clients = wire_get_u32(&v);
	return borrowed <= 1 && out->holder < ROW_HOLDERS && wire_finish(&k) == KMS_OK &&
		       wire_finish(&v) == KMS_OK
		   ? KMS_OK
		   : KMS_E_ALTERED;
}

int
index_begin(struct index *ix)
{
	int rc = mdb_txn_begin(ix->env, NULL, 0, &ix->writing);

	if (rc == 0 && (rc = mdb_cursor_open(ix->writing, ix->tables[INDEX_HOT], &ix->hot)) != 0) {
		mdb_txn_abort(ix->writing);
		ix->writing = NULL;
	}
	ix->error = 0;
	return status_of(rc);
}

static void
keep_error(struct index *ix, int rc)
{
	if (ix->error == 0)
		ix->error = rc;
}

void
index_put(struct index *ix, enum index_table table, const void *key, size_t key_len,
    const void *row, size_t len)
{
	MDB_val k = { key_len, (void *)(uintptr_t)key }, v = { len, (void *)(uintptr_t)row };
	int rc;

	if (ix->error != 0)
		return;
	rc = mdb_put(
	    ix->writing, ix->tables[table], &k, &v, table == INDEX_BATCHES ? MDB_APPEND : 0);
	if (rc == MDB_KEYEXIST)
		rc = mdb_put(ix->writing, ix->tables[table], &k, &v, 0);
	keep_error(ix, rc);
}

void
index_delete(struct index *ix, enum index_table table, const void *key, size_t key_len)
{
	MDB_val k = { key_len, (void *)(uintptr_t)key };
	int rc;

	if (ix->error != 0)
		return;
	rc = mdb_del(ix->writing, ix->tables[table], &k, NULL);
	keep_error(ix, rc == MDB_NOTFOUND ? 0 : rc);
}

void
index_drop(struct index *ix, enum index_table table,
    bool (*gone)(const uint8_t *key, size_t key_len, const void *arg), const void *arg)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc;

	if (ix->error != 0)
		return;
	if ((rc = mdb_cursor_open(ix->writing, ix->tables[table], &cursor)) != 0) {
		keep_error(ix, rc);
		return;
	}
	while (ix->error == 0 && mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
		if (gone(k.mv_data, k.mv_size, arg))
			keep_error(ix, mdb_cursor_del(cursor, 0));
	mdb_cursor_close(cursor);
}

void
index_swap_hot(struct index *ix, const uint8_t cmid[16], const uint8_t row[ROW_HOT],
    uint8_t old[ROW_HOT], bool *had)
{
	MDB_val k = { 16, (void *)(uintptr_t)cmid }, v;
	int rc;

	*had = false;
	if (ix->error != 0)
		return;
	rc = mdb_cursor_get(ix->hot, &k, &v, MDB_SET);
	if (rc == 0 && v.mv_size != ROW_HOT)
		rc = MDB_CORRUPTED;
	if (rc == 0) {
		*had = true;
		memcpy(old, v.mv_data, ROW_HOT);
	} else if (rc != MDB_NOTFOUND) {
		keep_error(ix, rc);
		return;
	}
	k = (MDB_val){ 16, (void *)(uintptr_t)cmid };
	v = (MDB_val){ ROW_HOT, (void *)(uintptr_t)row };
	keep_error(ix, mdb_cursor_put(ix->hot, &k, &v, *had ? MDB_CURRENT : 0));
}

void
index_count(struct index *ix, const uint8_t key[ROW_COUNT_KEY], int64_t by)
{
	MDB_val k = { ROW_COUNT_KEY, (void *)(uintptr_t)key }, v;
	struct wire_reader r;
	struct wire_writer w;
	uint8_t row[4];
	int rc;

	if (ix->error != 0)
		return;
	rc = mdb_get(ix->writing, ix->tables[INDEX_COUNTS], &k, &v);
	if (rc == 0) {
		wire_reader_init(&r, v.mv_data, v.mv_size);
		by += wire_get_u32(&r);
	} else if (rc != MDB_NOTFOUND) {
		keep_error(ix, rc);
		return;
	}
	if (by <= 0) {
		index_delete(ix, INDEX_COUNTS, key, ROW_COUNT_KEY);
		return;
	}
	wire_writer_init(&w, row, sizeof(row));
	wire_put_u32(&w, (uint32_t)by);
	index_put(ix, INDEX_COUNTS, key, ROW_COUNT_KEY, row, sizeof(row));
}

void
index_put_meta(struct index *ix, const struct index_meta *meta)
{
	uint8_t row[META_SIZE];
	struct wire_writer w;

	wire_writer_init(&w, row, sizeof(row));
	wire_put_u32(&w, meta->schema);
	wire_put_u64(&w, meta->last);
	wire_put(&w, meta->hash, 32);
	wire_put_u64(&w, meta->counter);
	put_u40(&w, meta->floors.refusals);
	put_u40(&w, meta->floors.forgotten);
	put_u40(&w, meta->floors.relayed);
	put_u40(&w, meta->floors.names);
	wire_put_u64(&w, meta->floors.clock);
	index_put(ix, INDEX_META, META_KEY, sizeof(META_KEY) - 1, row, sizeof(row));
}

static bool
disk_full(struct index *ix)
{
	struct statvfs fs;
	int fd;

	return mdb_env_get_fd(ix->env, &fd) == 0 && fstatvfs(fd, &fs) == 0 && fs.f_bavail < 16;
}

int
index_commit(struct index *ix)
{
	int rc = ix->error;

	mdb_cursor_close(ix->hot);
	if (rc == 0)
		rc = mdb_txn_commit(ix->writing);
	else
		mdb_txn_abort(ix->writing);
	ix->writing = NULL;
	/* LMDB returns EIO for a short write, which is what a full disk causes. */
	if (rc == EIO && disk_full(ix))
		rc = ENOSPC;
	return status_of(rc);
}

static void
blank_cold(struct index *ix, const uint8_t cmid[ROW_CMID])
{
	MDB_val k = { ROW_CMID, (void *)(uintptr_t)cmid }, v;
	uint8_t octets[ROW_COLD];
	struct kmsdb_cold cold;
	int rc = mdb_get(ix->writing, ix->tables[INDEX_COLD], &k, &v);

	if (rc != 0 || row_cold_decode(&cold, cmid, v.mv_data, v.mv_size) != KMS_OK) {
		keep_error(ix, rc == MDB_NOTFOUND ? 0 : rc);
		return;
	}
	apply_blank(&cold);
	index_put(ix, INDEX_COLD, cmid, ROW_CMID, octets, row_cold_encode(octets, &cold));
}

static void
blank_observed(struct index *ix, uint64_t floor)
{
	uint8_t octets[ROW_OBSERVED], key[16];
	struct observed_row row;
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_cursor_open(ix->writing, ix->tables[INDEX_RELAYED], &cursor);

	if (rc != 0) {
		keep_error(ix, rc);
		return;
	}
	while (ix->error == 0 && mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
		if (k.mv_size != sizeof(key))
			continue;
		memcpy(key, k.mv_data, sizeof(key));
		if (observed_decode(&row, key, v.mv_data, v.mv_size) != KMS_OK)
			continue;
		observed_blank(&row.r, floor);
		k = (MDB_val){ sizeof(key), key };
		v = (MDB_val){ observed_encode(octets, &row), octets };
		keep_error(ix, mdb_cursor_put(cursor, &k, &v, MDB_CURRENT));
	}
	mdb_cursor_close(cursor);
}

int
index_blank(struct index *ix, uint8_t from[ROW_CMID], uint64_t floor, unsigned count, bool *more)
{
	MDB_val k = { ROW_CMID, from }, v;
	int mdb, rc = index_begin(ix);

	if (rc != KMS_OK)
		return rc;
	mdb = mdb_cursor_get(ix->hot, &k, &v, MDB_SET_RANGE);
	for (; mdb == 0 && count > 0 && ix->error == 0; count--) {
		memcpy(from, k.mv_data, ROW_CMID);
		if (v.mv_size == ROW_HOT && row_hot_last_seen(v.mv_data) <= floor)
			blank_cold(ix, from);
		mdb = mdb_cursor_get(ix->hot, &k, &v, MDB_NEXT);
	}
	*more = mdb == 0;
	if (mdb == 0)
		memcpy(from, k.mv_data, ROW_CMID);
	else if (mdb == MDB_NOTFOUND)
		blank_observed(ix, floor);
	else
		keep_error(ix, mdb);
	return index_commit(ix);
}

#define EXPIRE_LOOKED 8192 /* rows of a step, at most, */
#define EXPIRE_REMOVED 256 /* and of these removed */

static void
expire_observed(struct index *ix, const struct index_floors *floors)
{
	struct observed_row row;
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_cursor_open(ix->writing, ix->tables[INDEX_RELAYED], &cursor);

	if (rc != 0) {
		keep_error(ix, rc);
		return;
	}
	while (ix->error == 0 && mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
		if (k.mv_size == 16 &&
		    observed_decode(&row, k.mv_data, v.mv_data, v.mv_size) == KMS_OK &&
		    observed_expired(&row.r, floors))
			keep_error(ix, mdb_cursor_del(cursor, 0));
	mdb_cursor_close(cursor);
}

/* The seat's row ends with what a count's key begins with (row.h). */
static void
count_less(struct index *ix, const uint8_t row[ROW_HOT])
{
	enum { OF_POOL = 12, AT = ROW_SEAT - OF_POOL };
	uint16_t seat = row_hot_seat(row);
	uint8_t number[2] = { (uint8_t)(seat >> 8), (uint8_t)seat }, key[ROW_COUNT_KEY];
	MDB_val k = { sizeof(number), number }, v;
	struct wire_writer w;
	int rc;

	if (row_hot_counts(row) == 0 || seat == ROW_NO_SEAT)
		return;
	if ((rc = mdb_get(ix->writing, ix->tables[INDEX_SEATS], &k, &v)) != 0 ||
	    v.mv_size != ROW_SEAT) {
		keep_error(ix, rc != 0 ? rc : MDB_CORRUPTED);
		return;
	}
	wire_writer_init(&w, key, sizeof(key));
	wire_put(&w, (const uint8_t *)v.mv_data + AT, OF_POOL);
	wire_put_u8(&w, row_hot_borrowed(row));
	wire_put_u32(&w, row_hot_counts(row));
	wire_put_u8(&w, row_hot_holder(row));
	index_count(ix, key, -1);
}

struct gone {
	uint8_t cmid[ROW_CMID], row[ROW_HOT];
};

int
index_expire(
    struct index *ix, uint8_t from[ROW_CMID], const struct index_floors *floors, bool *more)
{
	struct gone gone[EXPIRE_REMOVED];
	unsigned looked = 0, removed = 0;
	MDB_val k = { ROW_CMID, from }, v;
	int mdb, rc = index_begin(ix);

	if (rc != KMS_OK)
		return rc;
	mdb = mdb_cursor_get(ix->hot, &k, &v, MDB_SET_RANGE);
	for (; mdb == 0 && looked < EXPIRE_LOOKED && removed < EXPIRE_REMOVED; looked++) {
		if (v.mv_size == ROW_HOT && row_hot_expired(v.mv_data, floors)) {
			memcpy(gone[removed].cmid, k.mv_data, ROW_CMID);
			memcpy(gone[removed++].row, v.mv_data, ROW_HOT);
		}
		mdb = mdb_cursor_get(ix->hot, &k, &v, MDB_NEXT);
	}
	*more = mdb == 0;
	if (mdb == 0)
		memcpy(from, k.mv_data, ROW_CMID);
	else if (mdb == MDB_NOTFOUND)
		expire_observed(ix, floors);
	else
		keep_error(ix, mdb);
	for (unsigned i = 0; i < removed; i++) {
		count_less(ix, gone[i].row);
		index_delete(ix, INDEX_HOT, gone[i].cmid, ROW_CMID);
		index_delete(ix, INDEX_COLD, gone[i].cmid, ROW_CMID);
	}
	return index_commit(ix);
}

int
index_drop_before(struct index *ix, enum index_table table, const void *before, size_t key_len,
    unsigned count, bool *more)
{
	MDB_val bound = { key_len, (void *)(uintptr_t)before }, k, v;
	MDB_cursor *cursor;
	int mdb, rc = index_begin(ix);

	*more = false;
	if (rc != KMS_OK)
		return rc;
	if ((mdb = mdb_cursor_open(ix->writing, ix->tables[table], &cursor)) != 0) {
		keep_error(ix, mdb);
		return index_commit(ix);
	}
	while (ix->error == 0 && (mdb = mdb_cursor_get(cursor, &k, &v, MDB_FIRST)) == 0 &&
	       mdb_cmp(ix->writing, ix->tables[table], &k, &bound) < 0) {
		if (count-- == 0) {
			*more = true;
			break;
		}
		keep_error(ix, mdb_cursor_del(cursor, 0));
	}
	if (mdb != 0 && mdb != MDB_NOTFOUND)
		keep_error(ix, mdb);
	mdb_cursor_close(cursor);
	return index_commit(ix);
}

int
index_grow(struct index *ix)
{
	MDB_envinfo info;
	int rc;

	drop_snapshot(ix);
	if ((rc = mdb_env_info(ix->env, &info)) == 0)
		rc = info.me_mapsize > SIZE_MAX / 2
			 ? MDB_MAP_FULL
			 : mdb_env_set_mapsize(ix->env, info.me_mapsize * 2);
	return rc != 0 ? status_of(rc) : index_refresh(ix);
}

void
index_size(struct index *ix, struct index_size *out)
{
	MDB_envinfo info;
	MDB_stat stat;

	memset(out, 0, sizeof(*out));
	if (mdb_env_info(ix->env, &info) == 0 && mdb_env_stat(ix->env, &stat) == 0) {
		out->map = info.me_mapsize;
		out->octets = (info.me_last_pgno + 1) * stat.ms_psize;
	}
	out->clients = index_rows(ix, INDEX_HOT);
}

uint64_t
index_rows(struct index *ix, enum index_table table)
{
	MDB_stat stat;

	return ix->snapshot_live && mdb_stat(ix->snapshot, ix->tables[table], &stat) == 0
		   ? stat.ms_entries
		   : 0;
}
