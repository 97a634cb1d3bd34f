/*
 * witnesses.c - what the ledger says of its own history: does the chain have a batch, which headers
 * of this host did clients bring that it lacks, and which restores explain them?
 */
#include <stdlib.h>
#include <string.h>

#include "kmsdb/dropped.h"
#include "kmsdb/ledger.h"

/* Views into the snapshot stay: no checkpoint is taken over. */
static int
batch_hash(struct kmsdb *db, uint64_t number, uint8_t hash[KMSDB_HASH])
{
	struct batch_ref ref;
	int rc = ledger_batch(db, number, &ref);

	if (rc == KMS_OK)
		memcpy(hash, ref.hash, KMSDB_HASH);
	else if (rc == KMS_E_NOT_FOUND && number < db->first)
		rc = dropped_get(db->journalfd, number, hash);
	return rc;
}

int
kmsdb_batch_hash(struct kmsdb *db, uint64_t number, uint8_t hash[KMSDB_HASH])
{
	checkpoint_poll(db);
	return batch_hash(db, number, hash);
}

int
kmsdb_witness_get(
    struct kmsdb *db, uint64_t number, const uint8_t hash[8], struct kmsdb_witness *out)
{
	uint8_t key[ROW_OWN_KEY];
	const uint8_t *row;
	size_t len;
	int rc;

	checkpoint_poll(db);
	own_witness_key(key, number, hash);
	rc = ledger_row(db, GENERATION_WITNESSES, key, &row, &len);
	return rc == KMS_OK ? own_witness_decode(out, key, row, len) : rc;
}

int
kmsdb_installed(struct kmsdb *db, const uint8_t digest[32])
{
	const uint8_t *row;
	size_t len;

	checkpoint_poll(db);
	return ledger_row(db, GENERATION_INSTALLED, digest, &row, &len);
}

uint64_t
kmsdb_last_time(const struct kmsdb *db)
{
	return db->last_time;
}

/* -- all rows of a table -- */

typedef int (*row_fn)(const uint8_t key[16], const uint8_t *row, size_t len, void *arg);
struct walk {
	const struct generation *layers[2];
	enum generation_table table;
	row_fn fn;
	void *arg;
};

static bool
waits(const struct walk *w, int layers, const uint8_t key[16])
{
	const uint8_t *row;
	size_t len;

	for (int i = 0; i < layers; i++)
		if (w->layers[i] != NULL &&
		    overlay_get(w->layers[i]->rows[w->table], key, &row, &len) != OVERLAY_NO)
			return true;
	return false;
}

static int
indexed_row(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg)
{
	const struct walk *w = arg;

	if (key_len != ROW_OWN_KEY)
		return KMS_E_ALTERED;
	return waits(w, 2, key) ? 0 : w->fn(key, row, len, w->arg);
}

/* Each once: those that wait for the index, and those that are there. */
static int
each_row(struct kmsdb *db, enum generation_table table, row_fn fn, void *arg)
{
	struct walk w = { { db->active, db->frozen }, table, fn, arg };
	const uint8_t *key, *row;
	size_t len;
	int rc = index_each(db->index, generation_index(table), indexed_row, &w);

	for (int i = 0; i < 2 && rc == 0; i++) {
		const struct overlay *o = w.layers[i] != NULL ? w.layers[i]->rows[table] : NULL;

		for (size_t n = 0; o != NULL && n < overlay_count(o) && rc == 0; n++)
			if (overlay_at(o, (uint32_t)n, &key, &row, &len) == OVERLAY_ROW &&
			    !waits(&w, i, key))
				rc = fn(key, row, len, arg);
	}
	return rc;
}

/* -- grades -- */

struct marks {
	struct history_mark *list;
	size_t count, room;
	size_t restores;
	struct kmsdb_restored last; /* of the restores */
};

static int
take_mark(const uint8_t key[16], const uint8_t *row, size_t len, void *arg)
{
	struct marks *m = arg;
	struct history_mark *more;
	struct kmsdb_restored one;
	int rc = own_restored_decode(&one, row, len);

	if (rc != KMS_OK)
		return rc;
	if (m->count == m->room) {
		m->room = m->room == 0 ? 64 : 2 * m->room;
		if ((more = realloc(m->list, m->room * sizeof(*more))) == NULL)
			return KMS_E_NO_MEMORY;
		m->list = more;
	}
	/* A restore that names another batch than the one before it explains nothing. */
	if (one.number + 1 == one.batch)
		m->list[m->count++] = (struct history_mark){ .number = one.number,
			.time = one.time,
			.restored = one.cause != ROW_RESTORED_START,
			.since = one.since };
	if (one.cause == ROW_RESTORED_START)
		return 0;
	m->restores++;
	if (one.batch >= m->last.batch)
		m->last = one;
	return 0;
}

static enum history_grade
grade(struct kmsdb *db, const struct kmsdb_witness *w, const struct marks *m)
{
	struct history_header h = { .number = w->number, .time = w->time, .seen = w->batch };
	uint8_t hash[KMSDB_HASH];

	h.differs = batch_hash(db, w->number, hash) == KMS_OK &&
		    memcmp(hash, w->hash, sizeof(w->hash)) != 0;
	return history_grade(&h, m->list, m->count);
}

int
kmsdb_grade(struct kmsdb *db, const struct kmsdb_witness *w, enum history_grade *out)
{
	struct marks m = { 0 };
	int rc = each_row(db, GENERATION_RESTORED, take_mark, &m);

	if (rc == KMS_OK)
		*out = grade(db, w, &m);
	free(m.list);
	return rc;
}

struct sum {
	struct kmsdb *db;
	struct marks marks;
	struct kmsdb_history *out;
	uint64_t seen;
};

static int
add_witness(const uint8_t key[16], const uint8_t *row, size_t len, void *arg)
{
	struct sum *s = arg;
	struct kmsdb_witness w;
	enum history_grade g;
	int rc = own_witness_decode(&w, key, row, len);

	if (rc != KMS_OK)
		return rc;
	if (s->seen++ == KMSDB_HISTORY_MAX) {
		s->out->more = true;
		return KMS_E_LIMIT;
	}
	g = grade(s->db, &w, &s->marks);
	s->out->grades[g]++;
	if (w.told > s->out->newest[g])
		s->out->newest[g] = w.told;
	return 0;
}

int
kmsdb_history(struct kmsdb *db, struct kmsdb_history *out)
{
	struct sum s = { .db = db, .out = out };
	int rc;

	memset(out, 0, sizeof(*out));
	ledger_up_to_date(db);
	rc = each_row(db, GENERATION_RESTORED, take_mark, &s.marks);
	if (rc == KMS_OK)
		rc = each_row(db, GENERATION_WITNESSES, add_witness, &s);
	if (out->more)
		rc = KMS_OK;
	out->restores = s.marks.restores;
	out->last_restored = s.marks.last;
	out->clock = db->floors.clock;
	free(s.marks.list);
	return rc;
}
