/*
 * witnesses.c - what the ledger says of its own history: does the chain have a batch, which headers
 * of this host did clients bring that it lacks, and which restores explain them?
 */
#include <stdlib.h>
#include <string.h>

#include "kmsdb/ledger.h"

int
kmsdb_batch_hash(struct kmsdb *db, uint64_t number, uint8_t hash[32])
{
	struct batch_ref ref;
	int rc;

	checkpoint_poll(db);
	rc = ledger_batch(db, number, &ref);
	if (rc == KMS_OK)
		memcpy(hash, ref.hash, 32);
	return rc;
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

struct restores {
	struct history_restored *list;
	size_t count, room;
	size_t all;
	struct kmsdb_restored last;
};

/* One that names another batch than the one before it explains nothing. */
static bool
restored_explains(const struct kmsdb_restored *r)
{
	return r->number + 1 == r->batch;
}

static int
take_restored(const uint8_t key[16], const uint8_t *row, size_t len, void *arg)
{
	struct restores *r = arg;
	struct history_restored *more;
	struct kmsdb_restored one;
	int rc = own_restored_decode(&one, row, len);

	if (rc != KMS_OK)
		return rc;
	if (r->count == r->room) {
		r->room = r->room == 0 ? 8 : 2 * r->room;
		if ((more = realloc(r->list, r->room * sizeof(*more))) == NULL)
			return KMS_E_NO_MEMORY;
		r->list = more;
	}
	if (restored_explains(&one)) {
		r->list[r->count].number = one.number;
		r->list[r->count++].time = one.time;
	}
	r->all++;
	if (one.batch >= r->last.batch)
		r->last = one;
	return 0;
}

static enum history_grade
grade(struct kmsdb *db, const struct kmsdb_witness *w, const struct restores *r)
{
	struct batch_ref ref;
	bool differs = ledger_batch(db, w->number, &ref) == KMS_OK &&
		       memcmp(ref.hash, w->hash, sizeof(w->hash)) != 0;

	return history_grade(w->number, w->time, differs, r->list, r->count);
}

int
kmsdb_grade(struct kmsdb *db, const struct kmsdb_witness *w, enum history_grade *out)
{
	struct restores r = { 0 };
	int rc = each_row(db, GENERATION_RESTORED, take_restored, &r);

	if (rc == KMS_OK)
		*out = grade(db, w, &r);
	free(r.list);
	return rc;
}

struct sum {
	struct kmsdb *db;
	struct restores restores;
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
	g = grade(s->db, &w, &s->restores);
	s->out->grades[g]++;
	if (w.told > s->out->newest[g])
		s->out->newest[g] = w.told;
	return 0;
}

int
kmsdb_history(struct kmsdb *db, struct kmsdb_history *out)
{
	struct sum s = { .db = db, .out = out };
	struct kmsdb_info info;
	int rc;

	memset(out, 0, sizeof(*out));
	kmsdb_info(db, &info); /* as in each look-up: what is committed now */
	rc = each_row(db, GENERATION_RESTORED, take_restored, &s.restores);
	if (rc == KMS_OK)
		rc = each_row(db, GENERATION_WITNESSES, add_witness, &s);
	if (out->more)
		rc = KMS_OK;
	out->restores = s.restores.all;
	out->last_restored = s.restores.last;
	out->clock = db->clock;
	free(s.restores.list);
	return rc;
}
