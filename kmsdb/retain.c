/*
 * retain.c - see retain.h. A step each call; the caller commits what is staged.
 */
#include "kmsdb/retain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "kmsdb/base_rows.h"
#include "kmsdb/dropped.h"
#include "kmsdb/scan.h"
#include "kmsdb/segment_list.h"
#include "kmsdb/stage.h"
#include "libkms/base/file.h"
#include "libkms/base/grow.h"
#include "libkms/base/wire.h"

/* Of a step, so that no client waits for long. */
#define STEP_BATCHES 64
#define STEP_OCTETS (1 << 20)
#define STEP_ROWS 256
#define STEP_HASHES 16384
#define LOOK_SECONDS 600 /* how often the age of segments is looked at */

/* About what an entry takes, with its aside and its place in a batch. */
#define CLIENT_OCTETS 448
#define RELAYED_OCTETS 512
#define OWN_OCTETS 512
#define USAGE_OCTETS (ROW_USAGE_KEY + ROW_USAGE)

/* What is not in the chain: lost with this run, and found again by the next. */
struct retain {
	uint64_t looked;         /* time of the last look at the segments; 0: none */
	struct base_state after; /* what the last step left: another one begins it anew */
	/* The batches that go: */
	struct scan *scan;
	uint32_t leaf; /* of the batch read last: entries before it are staged */
	int fd;        /* journal/dropped */
	bool scanned;
	struct merkle_run run;
	/* The rows of a table: */
	uint8_t table;    /* enum entry_base_part; BASE_NONE: not begun */
	uint8_t next[16]; /* key to go on with */
	bool ended;
	/* The sums, and the batch that must be the last one when they go on. */
	struct usage_row *sums;
	size_t sum_count, sum_room, sum_at;
	uint64_t sums_last;
	bool kept_whole; /* the log says so */
	uint64_t synced; /* the keep for which the index was synced and the age looked at, since the
			    END; 0: none */
};

static void
begin_anew(struct retain *r)
{
	scan_close(r->scan);
	if (r->fd >= 0)
		close(r->fd);
	free(r->sums);
	*r = (struct retain){ .looked = r->looked, .fd = -1, .kept_whole = r->kept_whole };
}

void
retain_free(struct retain *r)
{
	if (r == NULL)
		return;
	begin_anew(r);
	free(r);
}

struct step {
	struct kmsdb *db;
	struct retain *r;
	const struct kmsdb_retention *how;
	enum kmsdb_retain_next next;
};

static int
stage_blob(struct step *s, const uint8_t digest[32], const uint8_t *blob, size_t len)
{
	struct base_entry e;
	uint32_t leaf;

	base_entry_make(&e, s->how->now, s->how->host_id, digest, blob, len);
	return e.item.entry_len == 0 ? KMS_E_FORMAT : kmsdb_stage(s->db, &e.item, &leaf);
}

static int
stage_entry(struct step *s, const struct base_entry *e)
{
	uint32_t leaf;

	return e->item.entry_len == 0 ? KMS_E_FORMAT : kmsdb_stage(s->db, &e->item, &leaf);
}

/* -- which batches go -- */

/* Time of a batch at a place. KMS_E_ALTERED: there is none. */
static int
time_at(struct kmsdb *db, uint64_t first, uint64_t offset, uint64_t *time)
{
	struct readback *b = readback_take(db);
	uint8_t hash[32];
	int rc;

	if (b == NULL)
		return KMS_E_NO_MEMORY;
	rc = scan_one(db->journalfd, first, offset, b->octets, &b->record, b->tree, hash);
	if (rc == KMS_OK)
		*time = b->record.batch.time;
	return rc;
}

/* The last batch of the segments whose every batch is older than is kept; 0: none. */
static int
last_old(struct step *s, const struct segment_list *l, uint64_t *through, uint64_t *octets)
{
	uint64_t time;
	int rc;

	*through = *octets = 0;
	if (s->how->now <= s->how->keep)
		return KMS_OK;
	for (size_t i = 1; i < l->count; i++) {
		rc = time_at(s->db, l->first[i], SEGMENT_SECTOR, &time);
		/* One that was made ahead is empty. */
		if (rc == KMS_E_ALTERED || (rc == KMS_OK && time > s->how->now - s->how->keep))
			return KMS_OK;
		if (rc != KMS_OK)
			return rc;
		*through = l->first[i] - 1;
		*octets += segment_bytes(s->db->journalfd, l->first[i - 1]);
	}
	return KMS_OK;
}

static uint64_t
base_octets(struct kmsdb *db)
{
	struct index *ix = db->index;

	return index_rows(ix, INDEX_HOT) * CLIENT_OCTETS +
	       index_rows(ix, INDEX_RELAYED) * RELAYED_OCTETS +
	       index_rows(ix, INDEX_USAGE) * USAGE_OCTETS +
	       (index_rows(ix, INDEX_WITNESSES) + index_rows(ix, INDEX_RESTORED) +
		   index_rows(ix, INDEX_INSTALLED)) *
		   OWN_OCTETS;
}

/* -- the parts of a base -- */

static int
stage_head(struct step *s, uint64_t through)
{
	struct kmsdb *db = s->db;
	struct entry_base_head h = { .through = through,
		.counter = db->counter,
		.refusals = db->floors.refusals,
		.forgotten = db->floors.forgotten,
		.relayed = db->floors.relayed,
		.names = db->floors.names,
		.clock = db->floors.clock };
	uint8_t blob[128];
	struct batch_ref ref;
	int rc = ledger_batch(db, through, &ref);

	if (rc == KMS_OK)
		rc = time_at(db, ref.first, ref.offset, &h.time);
	if (rc != KMS_OK)
		return rc;
	memcpy(h.hash, ref.hash, sizeof(h.hash));
	s->next = KMSDB_RETAIN_SOON;
	rc = stage_blob(s, NULL, blob, entry_base_put_head(blob, sizeof(blob), &h));
	if (rc == KMS_OK)
		ledger_log(db, LOG_INFO, "journal-base",
		    "batches up to %llu are older than the journal keeps: kmsd copies what is still needed to a new batch, then drops them",
		    (unsigned long long)through);
	return rc;
}

/* Was it staged before? Parts behind KEPT: all were. */
static bool
kept_before(const struct base_state *b, uint64_t batch, uint32_t leaf)
{
	struct wire_reader r;
	uint64_t last, last_leaf;

	if (b->part != BASE_KEPT)
		return b->part > BASE_KEPT;
	wire_reader_init(&r, b->cursor, sizeof(b->cursor));
	last = wire_get_u64(&r);
	last_leaf = wire_get_u64(&r);
	return batch < last || (batch == last && leaf <= last_leaf);
}

/* An older base restates entries too: those are restated again as they were. */
static int
stage_kept(struct step *s, const struct item *item, uint64_t batch, uint32_t leaf)
{
	struct entry_base_kept k = {
		.batch = batch, .leaf = leaf, .entry = item->entry, .entry_len = item->entry_len
	};
	int kind = entry_kind(item->entry, item->entry_len);
	uint8_t blob[BASE_BLOB_MAX];
	struct entry_admin e;

	if (kind == ENTRY_BASE && entry_admin_decode(&e, item->entry, item->entry_len) == KMS_OK &&
	    entry_base_part(e.blob) == BASE_KEPT) {
		entry_base_get_kept(&k, e.blob, e.blob_len);
		kind = entry_kind(k.entry, k.entry_len);
	}
	k.found = batch;
	k.found_leaf = leaf;
	if (!entry_base_keeps(kind) || k.entry_len > BASE_KEPT_MAX ||
	    kept_before(&s->db->base, batch, leaf))
		return KMS_OK;
	return stage_blob(s, NULL, blob, entry_base_put_kept(blob, sizeof(blob), &k));
}

static int
open_scan(struct step *s)
{
	struct fault fault = { 0 };
	int rc;

	if (s->r->scan != NULL)
		return KMS_OK;
	s->r->leaf = 0;
	if ((rc = dropped_open(s->db->journalfd, &s->r->fd)) == KMS_OK)
		rc = scan_open(&s->r->scan, s->db->journalfd, NULL, 0, &fault);
	return rc == KMS_OK ? scan_next(s->r->scan) : rc;
}

static int
end_scan(struct step *s)
{
	if (fdatasync(s->r->fd) != 0 || fsync(s->db->journalfd) != 0)
		return file_status(errno);
	s->r->scanned = true;
	return KMS_OK;
}

/* One batch of those that go: its hash remains, and some of its entries. */
static int
look_at_batch(struct step *s)
{
	struct scan *scan = s->r->scan;
	const struct record *b = &scan->record;
	int rc = KMS_OK;

	while (rc == KMS_OK && s->r->leaf < b->batch.size) {
		rc = stage_kept(s, &b->items[s->r->leaf], b->batch.number, s->r->leaf);
		s->r->leaf += rc == KMS_OK;
	}
	if (rc == KMS_OK)
		rc = dropped_put(s->r->fd, b->batch.number, scan->hash);
	return rc;
}

static int
step_scan(struct step *s)
{
	uint64_t octets = 0;
	int rc = open_scan(s);

	s->next = KMSDB_RETAIN_SOON;
	for (int i = 0; rc == KMS_OK && i < STEP_BATCHES && octets < STEP_OCTETS; i++) {
		if (s->r->scan->record.batch.number > s->db->base.through)
			return end_scan(s);
		if ((rc = look_at_batch(s)) != KMS_OK)
			break;
		octets += s->r->scan->record.length;
		s->r->leaf = 0;
		rc = scan_next(s->r->scan);
	}
	/* The batch is full: the rest of the entries comes with the next. */
	return rc == KMS_E_TOO_LARGE && kmsdb_staged(s->db) > 0 ? KMS_OK : rc;
}

struct keys {
	uint8_t list[STEP_ROWS][16];
	size_t count;
};

static int
take_key(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	struct keys *k = arg;

	(void)row;
	(void)len;
	if (key_len != 16)
		return KMS_E_ALTERED;
	if (k->count == STEP_ROWS)
		return KMS_E_LIMIT;
	memcpy(k->list[k->count++], key, 16);
	return 0;
}

static int
stage_client(struct step *s, const uint8_t key[16])
{
	struct client_row row;
	struct kmsdb_cold cold;
	struct base_entry e;
	int rc = ledger_client(s->db, key, &row);

	if (rc != KMS_OK)
		return rc;
	memset(&cold, 0, sizeof(cold));
	rc = ledger_cold(s->db, &row, &cold);
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	base_entry_client(&e, s->how->now, &row, &cold);
	return stage_entry(s, &e);
}

static int
stage_observed(struct step *s, const uint8_t key[16])
{
	struct observed_row row;
	struct base_entry e;
	const uint8_t *octets;
	size_t len;
	int rc = ledger_row(s->db, GENERATION_OBSERVED, key, &octets, &len);

	if (rc == KMS_OK)
		rc = observed_decode(&row, key, octets, len);
	if (rc != KMS_OK)
		return rc;
	if (observed_expired(&row.r, &s->db->floors))
		return KMS_E_NOT_FOUND;
	observed_blank(&row.r, s->db->floors.names);
	base_entry_observed(&e, s->how->now, &row);
	return stage_entry(s, &e);
}

/* The key behind that one. True: there is none. */
static bool
key_after(uint8_t key[16])
{
	for (int i = 15; i >= 0; i--)
		if (++key[i] != 0)
			return false;
	return true;
}

/* Where the chain is in that table. */
static void
begin_table(struct step *s, enum entry_base_part part)
{
	struct retain *r = s->r;

	if (r->table == (uint8_t)part)
		return;
	r->table = (uint8_t)part;
	memset(r->next, 0, sizeof(r->next));
	r->ended = false;
	if (s->db->base.part == (uint8_t)part) {
		memcpy(r->next, s->db->base.cursor, sizeof(r->next));
		r->ended = key_after(r->next);
	}
}

/* The next rows of a table. They are looked up after the walk: staging may take a new snapshot. */
static int
step_rows(
    struct step *s, enum index_table table, int (*stage)(struct step *s, const uint8_t key[16]))
{
	struct retain *r = s->r;
	struct keys keys = { .count = 0 };
	int rc = index_each_from(s->db->index, table, r->next, sizeof(r->next), take_key, &keys);

	s->next = KMSDB_RETAIN_SOON;
	if (rc != KMS_OK && rc != KMS_E_LIMIT)
		return rc;
	r->ended = rc == KMS_OK;
	rc = KMS_OK;
	for (size_t i = 0; i < keys.count; i++) {
		if (kmsdb_full(s->db)) {
			memcpy(r->next, keys.list[i], sizeof(r->next));
			r->ended = false;
			return KMS_OK;
		}
		rc = stage(s, keys.list[i]);
		if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
			return rc;
		memcpy(r->next, keys.list[i], sizeof(r->next));
		r->ended |= key_after(r->next);
	}
	return KMS_OK;
}

/* -- sums -- */

static int
take_sum(const struct usage_row *row, void *arg)
{
	struct retain *r = arg;
	struct usage_row *sums = grow_list(r->sums, r->sum_count, &r->sum_room, sizeof(*sums));

	if (sums == NULL)
		return KMS_E_NO_MEMORY;
	r->sums = sums;
	r->sums[r->sum_count++] = *row;
	return 0;
}

/* The day begins with the entry, if it does: the rows are read after that. */
static int
begin_sums(struct step *s)
{
	static const uint8_t blob[BASE_PREFIX] = { BASE_SUMS, BASE_VERSION };
	struct retain *r = s->r;
	int rc = stage_blob(s, NULL, blob, sizeof(blob));

	r->sum_count = r->sum_at = 0;
	return rc == KMS_OK ? usage_rows_each(&s->db->usage, take_sum, r) : rc;
}

static int
stage_sums(struct step *s)
{
	uint8_t blob[BASE_BLOB_MAX];
	struct retain *r = s->r;
	size_t len = BASE_PREFIX;

	blob[0] = BASE_USAGE;
	blob[1] = BASE_VERSION;
	for (; r->sum_at < r->sum_count && len + ROW_USAGE_KEY + ROW_USAGE <= sizeof(blob);
	     r->sum_at++) {
		memcpy(blob + len, r->sums[r->sum_at].key, ROW_USAGE_KEY);
		len += ROW_USAGE_KEY;
		len += usage_row_encode(blob + len, &r->sums[r->sum_at]);
	}
	return stage_blob(s, NULL, blob, len);
}

static int
stage_end(struct step *s)
{
	struct entry_base_end e = { .through = s->db->base.through, .day = s->db->usage.day };
	uint8_t blob[32], root[MERKLE_HASH];

	merkle_run_root(&s->r->run, root);
	return stage_blob(s, root, blob, entry_base_put_end(blob, sizeof(blob), &e));
}

/* In batches one right after another, in which nothing changes a sum. */
static int
step_sums(struct step *s)
{
	struct retain *r = s->r;
	uint64_t last = journal_last(s->db->journal);
	int rc = KMS_OK;

	s->next = KMSDB_RETAIN_NOW;
	if (r->sums == NULL || r->sums_last + 1 != last)
		rc = begin_sums(s);
	r->sums_last = last;
	while (rc == KMS_OK && r->sum_at < r->sum_count) {
		if (kmsdb_full(s->db))
			return KMS_OK;
		rc = stage_sums(s);
	}
	if (rc == KMS_OK && kmsdb_full(s->db))
		return KMS_OK;
	if (rc == KMS_OK)
		rc = stage_end(s);
	if (rc == KMS_OK)
		s->next = KMSDB_RETAIN_SOON;
	return rc;
}

/* The root over all that is in journal/dropped. A file that lacks some is filled again. */
static int
step_root(struct step *s)
{
	uint64_t through = s->db->base.through, to = s->r->run.count + STEP_HASHES;
	int rc = dropped_run(s->db->journalfd, to < through ? to : through, &s->r->run);

	s->next = KMSDB_RETAIN_SOON;
	if (rc != KMS_E_NOT_FOUND || s->r->scanned)
		return rc;
	return step_scan(s);
}

static int
go_on(struct step *s)
{
	struct base_state *b = &s->db->base;
	struct retain *r = s->r;

	if (b->part <= BASE_KEPT && !r->scanned)
		return step_scan(s);
	/* Rows that are not in the index yet when the walk passes would be left out. */
	if (s->db->meta.last < b->begun)
		return KMS_OK;
	if (b->part <= BASE_RELAYED && r->table <= BASE_RELAYED) {
		begin_table(s, BASE_RELAYED);
		if (!r->ended)
			return step_rows(s, INDEX_RELAYED, stage_observed);
	}
	if (b->part <= BASE_CLIENT) {
		begin_table(s, BASE_CLIENT);
		if (!r->ended)
			return step_rows(s, INDEX_HOT, stage_client);
	}
	return r->run.count < b->through ? step_root(s) : step_sums(s);
}

/* -- the end -- */

/* The oldest segment, if every batch of it may go. */
static int
drop_segment(struct step *s, const struct segment_list *l)
{
	struct kmsdb *db = s->db;
	char name[SEGMENT_NAME];
	uint8_t hash[DROPPED_HASH];
	int rc;

	if (l->count < 2 || l->first[1] > db->base.dropped + 1)
		return KMS_OK;
	/* Without it, the journal would have no beginning. */
	if ((rc = dropped_get(db->journalfd, l->first[1] - 1, hash)) != KMS_OK)
		return rc;
	segment_name(name, l->first[0]);
	if (unlinkat(db->journalfd, name, 0) != 0 || fsync(db->journalfd) != 0)
		return file_status(errno);
	db->first = l->first[1];
	s->next = KMSDB_RETAIN_SOON;
	if (db->first == db->base.dropped + 1)
		ledger_log(db, LOG_NOTICE, "journal-dropped",
		    "the journal now begins with batch %llu: kmsd dropped the older batches",
		    (unsigned long long)db->first);
	return KMS_OK;
}

/* Of those that the last base lets go, and that are older than is kept now. */
static int
drop(struct step *s, const struct segment_list *l)
{
	struct kmsdb *db = s->db;
	uint64_t through, octets;
	int rc;

	/* Names are erased first: an ERASE that is not carried out must not go. */
	if (db->meta.last < db->base.ended || db->jobs.count > 0)
		return KMS_OK;
	/* What is old stays old. Once for all segments: each look reads all of them. */
	if (s->r->synced != s->how->keep) {
		rc = last_old(s, l, &through, &octets);
		if (rc != KMS_OK || through < db->base.dropped)
			return rc;
		if ((rc = index_sync(db->index)) != KMS_OK)
			return rc;
		s->r->synced = s->how->keep;
	}
	return drop_segment(s, l);
}

static int
begin(struct step *s, const struct segment_list *l)
{
	uint64_t through, octets;
	int rc = last_old(s, l, &through, &octets);

	if (rc != KMS_OK || through == 0 || octets / RETAIN_GAIN < base_octets(s->db))
		return rc;
	begin_anew(s->r);
	return stage_head(s, through);
}

/*
 * A base restates rows as they are, with what other hosts did, and not what this chain says alone:
 * a reader could not apply the other chains to that.
 */
static int
keep_whole(struct step *s)
{
	if (!s->r->kept_whole)
		ledger_log(s->db, LOG_NOTICE, "journal-kept",
		    "kmsd keeps the whole journal, older segments than [ledger] keep says too, because it follows the chains of other hosts");
	s->r->kept_whole = true;
	return KMS_OK;
}

static int
look(struct step *s)
{
	struct retain *r = s->r;
	struct segment_list l;
	bool drops = s->db->base.dropped >= s->db->first;
	int rc;

	if (!drops && r->looked != 0 && s->how->now >= r->looked &&
	    s->how->now - r->looked < LOOK_SECONDS)
		return KMS_OK;
	r->looked = s->how->now;
	if ((rc = segment_list_read(&l, s->db->journalfd)) != KMS_OK)
		return rc;
	rc = drops ? drop(s, &l) : purse_on(s->db) ? keep_whole(s) : begin(s, &l);
	segment_list_free(&l);
	return rc;
}

int
kmsdb_retain(struct kmsdb *db, const struct kmsdb_retention *how, enum kmsdb_retain_next *next)
{
	struct step s = { .db = db, .how = how };
	int rc;

	*next = KMSDB_RETAIN_IDLE;
	if (db->journal == NULL)
		return KMS_E_ARGUMENT;
	checkpoint_poll(db);
	if (how->keep == 0)
		return KMS_OK;
	if (db->retain == NULL) {
		if ((db->retain = calloc(1, sizeof(*db->retain))) == NULL)
			return KMS_E_NO_MEMORY;
		db->retain->fd = -1;
		db->retain->after = db->base;
	}
	s.r = db->retain;
	/* A batch with a part of it was not written. */
	if (memcmp(&s.r->after, &db->base, sizeof(db->base)) != 0)
		begin_anew(s.r);
	rc = db->base.begun != 0 ? go_on(&s) : look(&s);
	if (rc != KMS_OK)
		begin_anew(s.r);
	s.r->after = db->base;
	*next = rc == KMS_OK ? s.next : KMSDB_RETAIN_IDLE;
	return rc;
}
