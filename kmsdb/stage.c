/*
 * stage.c - the way of a batch: each item is written into the record for the journal, hashed into
 * the batch's tree and applied; commit closes the tree, has the header signed, appends the record,
 * and only then makes the changes final.
 */
#include "kmsdb/stage.h"

#include <stdlib.h>
#include <string.h>

#include "kmsdb/erase.h"
#include "kmsdb/scan.h"
#include "libkms/core/fast_sha256.h"
#include "libkms/core/lease.h"

bool
kmsdb_full(const struct kmsdb *db)
{
	return db->staged == KMSDB_BATCH_MAX || db->octets + ITEM_MAX > RECORD_OCTETS;
}

bool
kmsdb_has_room(const struct kmsdb *db, unsigned entries)
{
	return db->staged + entries <= KMSDB_BATCH_MAX &&
	       db->octets + (size_t)entries * ITEM_CLIENT_MAX <= RECORD_OCTETS;
}

void
kmsdb_abandon(struct kmsdb *db)
{
	db->abandoned = db->staged > 0;
}

/* Once more, over what was encoded: names that are erased do not get to the disk. */
static size_t
stage_nameless(struct kmsdb *db, const struct item *item)
{
	const struct item bare = { .entry = item->entry, .entry_len = item->entry_len };

	return item_encode(
	    db->record + RECORD_HEAD + db->octets, RECORD_OCTETS - db->octets, &bare);
}

int
kmsdb_stage(struct kmsdb *db, const struct item *item, uint32_t *leaf)
{
	struct apply_place place = { .leaf = db->staged };
	size_t len;
	int rc;

	if (db->journal == NULL)
		return KMS_E_ARGUMENT;
	if (db->staged == 0)
		db->octets = 0;
	if (db->staged == KMSDB_BATCH_MAX || item->entry_len > ENTRY_MAX ||
	    db->octets + item_size(item) > RECORD_OCTETS)
		return KMS_E_TOO_LARGE;
	checkpoint_poll(db);
	if (db->staged == 0) {
		db->bundles = 0;
		db->erases = false;
		usage_settle(&db->usage);
		merkle_tree_reset(db->tree);
	}
	len = item_encode(db->record + RECORD_HEAD + db->octets, RECORD_OCTETS - db->octets, item);
	if (len == 0)
		return KMS_E_FORMAT;
	place.batch = journal_last(db->journal) + 1;
	if ((rc = ledger_apply(db, item, &place, &db->undo[db->staged])) != KMS_OK)
		return rc;
	if (db->undo[db->staged].erased)
		len = stage_nameless(db, item);
	merkle_tree_add_entry(db->tree, item->entry, item->entry_len);
	db->at[db->staged] = (uint32_t)(RECORD_HEAD + db->octets);
	db->octets += len;
	db->erases |= entry_kind(item->entry, item->entry_len) == ENTRY_ERASE;
	*leaf = db->staged++;
	return KMS_OK;
}

size_t
kmsdb_staged(const struct kmsdb *db)
{
	return db->staged;
}

void
stage_undo(struct kmsdb *db)
{
	while (db->staged > 0)
		ledger_undo(db, &db->undo[--db->staged]);
	db->octets = 0;
	db->bundles = 0;
	db->abandoned = false;
}

/* Puts header and signature into place, which completes the record. */
static int
seal(struct kmsdb *db, const uint8_t host_id[16], uint64_t now, kmsdb_sign_fn sign, void *arg,
    struct batch_ref *ref, size_t *len)
{
	struct batch_header h = { .number = journal_last(db->journal) + 1, .size = db->staged };
	uint8_t header[BATCH_HEADER], signature[BATCH_SIGNATURE];
	int rc;

	memcpy(h.host_id, host_id, 16);
	memcpy(h.previous, journal_last_hash(db->journal), 32);
	h.time = now;
	merkle_tree_close(db->tree, h.root);
	batch_header_encode(header, &h);
	if ((rc = sign(signature, header, arg)) != KMS_OK)
		return rc;
	batch_header_hash(ref->hash, header);
	ref->number = h.number;
	*len = record_seal(db->record, db->octets, header, signature);
	return KMS_OK;
}

/*
 * The rows that this batch changed say in which it is: now its hash is known, and they are on disk.
 */
static void
stamp(struct kmsdb *db, const struct batch_ref *ref)
{
	struct overlay *hot = db->active->rows[GENERATION_HOT];

	db->memo = false;
	for (uint32_t i = 0; i < db->staged; i++) {
		uint8_t *row =
		    db->undo[i].put[GENERATION_HOT] ? overlay_row(hot, db->undo[i].key) : NULL;

		if (row == NULL)
			continue;
		/* Another host's act may be the later one. */
		if (row_hot_chain(row) == 0 && row_hot_batch(row) == ref->number)
			memcpy(row + ROW_HOT_HEADER, ref->hash, 8);
		if (db->recent != NULL)
			recent_put(db->recent, db->undo[i].key, row);
	}
}

/* As it is in the record of the current batch, or of the one just committed. */
static bool
staged_item(const struct kmsdb *db, uint32_t leaf, struct item *item)
{
	struct wire_reader r;

	wire_reader_init(&r, db->record + db->at[leaf], RECORD_MAX - db->at[leaf]);
	return item_read(&r, item) == KMS_OK;
}

/* Room was reserved. */
static void
note_erase(struct kmsdb *db, uint64_t batch)
{
	struct item item;

	for (uint32_t i = 0; db->erases && i < db->staged; i++)
		if (staged_item(db, i, &item))
			erase_note(db, &item, 0, batch);
}

int
kmsdb_commit(
    struct kmsdb *db, const uint8_t host_id[16], uint64_t now, kmsdb_sign_fn sign, void *arg)
{
	struct batch_ref ref;
	size_t len;
	int rc;

	if (db->journal == NULL)
		return KMS_E_ARGUMENT;
	checkpoint_start(db);
	if (db->staged == 0) {
		checkpoint_poll(db);
		checkpoint_due(db);
		return KMS_OK;
	}
	rc = db->abandoned ? KMS_E_LIMIT : checkpoint_room(db);
	/* Reserve room for the batch's reference first: nothing may fail after the append. */
	if (rc == KMS_OK)
		rc = generation_reserve(db->active);
	if (rc == KMS_OK && db->erases)
		rc = erase_reserve(db, db->staged);
	if (rc == KMS_OK)
		rc = seal(db, host_id, now, sign, arg, &ref, &len);
	if (rc == KMS_OK)
		rc =
		    journal_append(db->journal, db->record, len, ref.hash, &ref.first, &ref.offset);
	if (rc != KMS_OK) {
		stage_undo(db);
		return rc;
	}
	stamp(db, &ref);
	note_erase(db, ref.number);
	db->last_time = now;
	chains_own(&db->chains, host_id);
	ledger_raise(&db->chains.list[0].heard, now);
	generation_add_batch(db->active, &ref);
	db->bundles = db->staged;
	db->staged = 0;
	checkpoint_due(db);
	return KMS_OK;
}

static size_t
bundle(const struct merkle_tree *tree, const uint8_t *record, const struct item *item,
    uint32_t leaf, uint8_t *out, size_t size)
{
	uint8_t proof[MERKLE_MAX_PROOF][MERKLE_HASH];
	struct lease l = {
		.entry = item->entry,
		.entry_len = item->entry_len,
		.header = record + 16,
		.signature = record + 16 + BATCH_HEADER,
		.index = leaf,
		.proof = proof[0],
		.aside = item->aside,
		.aside_len = item->aside_len,
	};

	l.proof_count = (uint8_t)merkle_tree_proof(tree, leaf, proof);
	return lease_encode(out, size, &l);
}

size_t
kmsdb_bundle(struct kmsdb *db, uint32_t leaf, uint8_t *out, size_t size)
{
	struct item item;

	if (leaf >= db->bundles || !staged_item(db, leaf, &item))
		return 0;
	return bundle(db->tree, db->record, &item, leaf, out, size);
}

void
readback_free(struct readback *r)
{
	if (r == NULL)
		return;
	free(r->octets);
	merkle_tree_free(r->tree);
	free(r);
}

static struct readback *
readback_new(void)
{
	struct readback *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->octets = malloc(RECORD_MAX);
	r->tree = merkle_tree_with(KMSDB_BATCH_MAX, fast_sha256);
	if (r->octets == NULL || r->tree == NULL) {
		readback_free(r);
		return NULL;
	}
	return r;
}

struct readback *
readback_take(struct kmsdb *db)
{
	if (db->readback == NULL)
		db->readback = readback_new();
	if (db->readback != NULL)
		db->readback->number = 0;
	return db->readback;
}

static int
read_back(struct kmsdb *db, const struct batch_ref *ref, struct readback *r)
{
	uint8_t hash[32];
	int rc;

	r->number = 0;
	rc = scan_one(db->journalfd, ref->first, ref->offset, r->octets, &r->record, r->tree, hash);
	if (rc != KMS_OK)
		return rc;
	if (memcmp(hash, ref->hash, 32) != 0)
		return KMS_E_ALTERED;
	r->number = ref->number;
	return KMS_OK;
}

int
kmsdb_bundle_read(
    struct kmsdb *db, uint64_t batch, uint32_t leaf, uint8_t *out, size_t size, size_t *len)
{
	struct readback *r;
	struct batch_ref ref;
	struct item item;
	int rc;

	*len = 0;
	if (db->readback == NULL && (db->readback = readback_new()) == NULL)
		return KMS_E_NO_MEMORY;
	r = db->readback;
	if (r->number != batch || batch == 0) {
		if (db->journal != NULL)
			checkpoint_poll(db);
		else if ((rc = index_refresh(db->index)) != KMS_OK)
			return rc;
		if ((rc = ledger_batch(db, batch, &ref)) != KMS_OK ||
		    (rc = read_back(db, &ref, r)) != KMS_OK)
			return rc;
	}
	if (leaf >= r->record.batch.size)
		return KMS_E_NOT_FOUND;
	item = r->record.items[leaf];
	if (erase_reaches(db, &item, NULL))
		item.aside_len = 0;
	*len = bundle(r->tree, r->octets, &item, leaf, out, size);
	return *len > 0 ? KMS_OK : KMS_E_TOO_LARGE;
}
