/*
 * follow.c - see follow.h.
 */
#include "kmsdb/follow.h"

#include <string.h>
#include <syslog.h>

#include "kmsdb/erase.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

/* -- folders -- */

int
follow_add(struct kmsdb *db, const uint8_t host[16], unsigned *number, struct fault *fault)
{
	struct foreign *f;
	int rc;

	*number = chains_find(&db->chains, host);
	if (*number < db->chains.count && (*number == 0 || db->foreign[*number] != NULL))
		return KMS_OK;
	if ((rc = foreign_open(&f, db->dirfd, host, fault)) != KMS_OK)
		return rc;
	if (*number == db->chains.count && (rc = chains_add(&db->chains, host, number)) != KMS_OK) {
		foreign_close(f);
		return fault_set(fault, rc, "more than %u chains", CHAINS_MAX);
	}
	db->foreign[*number] = f;
	return KMS_OK;
}

int
follow_needs_rows(const struct kmsdb *db, struct fault *fault)
{
	if (db->floors.refusals == 0 && db->floors.forgotten == 0)
		return KMS_OK;
	return fault_set(fault, KMS_E_INDEX,
	    "to follow another host, the index needs the rows of clients that were removed from it: stop kmsd and run kmsctl ledger rebuild");
}

static int
find_missing(struct kmsdb *db, struct fault *fault)
{
	char name[33];

	for (unsigned i = 1; i < db->chains.count; i++) {
		if (db->foreign[i] != NULL)
			continue;
		hex_format(name, db->chains.hosts[i], 16);
		return fault_set(fault, KMS_E_MISSING,
		    "kmsdb/" FOREIGN_NAME
		    "/%s, whose batches the index contains, is missing: restore it from a backup; if no backup has it, stop kmsd and run kmsctl ledger rebuild",
		    name);
	}
	return KMS_OK;
}

int
follow_open(struct kmsdb *db, struct fault *fault)
{
	uint8_t hosts[CHAINS_MAX][16];
	unsigned count, number;
	int rc = foreign_list(db->dirfd, hosts, CHAINS_MAX - 1, &count, fault);

	for (unsigned i = 0; i < count && rc == KMS_OK; i++)
		rc = follow_add(db, hosts[i], &number, fault);
	if (rc == KMS_OK && count > 0)
		rc = follow_needs_rows(db, fault);
	return rc == KMS_OK ? find_missing(db, fault) : rc;
}

void
follow_close(struct kmsdb *db)
{
	for (unsigned i = 0; i < CHAINS_MAX; i++) {
		foreign_close(db->foreign[i]);
		db->foreign[i] = NULL;
	}
}

/* -- batches -- */

static int
apply_items(struct kmsdb *db, unsigned number, const struct record *r, const uint8_t hash[32])
{
	struct apply_place place = { .chain = (uint16_t)number, .batch = r->batch.number };
	size_t jobs = db->jobs.count;
	int rc = KMS_OK;

	memcpy(place.header, hash, sizeof(place.header));
	db->memo = false;
	for (uint32_t i = 0; i < r->batch.size && rc == KMS_OK; i++) {
		place.leaf = i;
		if ((rc = erase_note(db, &r->items[i], number, place.batch)) == KMS_OK)
			rc = ledger_apply(db, &r->items[i], &place, &db->undo[i]);
		while (rc != KMS_OK && i > 0)
			ledger_undo(db, &db->undo[--i]);
	}
	if (rc != KMS_OK)
		db->jobs.count = jobs;
	return rc;
}

int
follow_apply(struct kmsdb *db, unsigned number, const struct record *r, const struct scan_place *at,
    const uint8_t hash[32])
{
	struct chain *c = &db->chains.list[number];
	int rc = checkpoint_room(db);

	if (rc == KMS_OK)
		rc = apply_items(db, number, r, hash);
	if (rc != KMS_OK)
		return rc;
	c->last = r->batch.number;
	c->at = *at;
	memcpy(c->hash, hash, sizeof(c->hash));
	ledger_raise(&c->heard, r->batch.time);
	generation_add_other(db->active);
	return KMS_OK;
}

static int
fail(struct kmsdb *db, unsigned number, uint64_t batch, int rc, struct fault *fault)
{
	fault_set(fault, rc, "batch %" PRIu64 " cannot be applied: %s", batch,
	    kms_strerror((uint32_t)rc));
	return foreign_name_fault(db->foreign[number], fault, rc);
}

/* The scan begins with the batch that was applied last: it must be there, and the same. */
static int
find_last(struct kmsdb *db, unsigned number, struct scan *s, struct fault *fault)
{
	const struct chain *c = &db->chains.list[number];
	int rc = foreign_next(db->foreign[number], s, fault);

	if (rc == KMS_OK && memcmp(s->hash, c->hash, sizeof(c->hash)) == 0)
		return KMS_OK;
	if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
		return rc;
	rc = fault_set(fault, KMS_E_INDEX,
	    "batch %" PRIu64
	    ", which the index contains, is not there: restore the folder from a backup; if no backup has it, stop kmsd and run kmsctl ledger rebuild",
	    c->last);
	return foreign_name_fault(db->foreign[number], fault, rc);
}

static int
apply_next(struct kmsdb *db, unsigned number, struct scan *s, struct fault *fault)
{
	struct scan_place at = { .number = s->record.batch.number, .offset = s->offset };
	int rc;

	segment_name_parse(s->segment, &at.first);
	memcpy(at.previous, s->record.batch.previous, sizeof(at.previous));
	/* The folder may be an old copy of it. */
	rc = db->journal != NULL ? erase_missed(db, &s->record, number) : KMS_OK;
	if (rc == KMS_OK)
		rc = follow_apply(db, number, &s->record, &at, s->hash);
	if (rc == KMS_OK && generation_full(db->active, db->opt.overlay_records))
		rc = checkpoint_all(db);
	return rc == KMS_OK ? rc : fail(db, number, at.number, rc, fault);
}

int
follow_chain(struct kmsdb *db, unsigned number, uint64_t upto, bool write, follow_seen_fn seen,
    void *arg, struct fault *fault)
{
	struct chain *c = &db->chains.list[number];
	struct foreign *f = db->foreign[number];
	struct scan *s;
	int rc = foreign_scan(f, c->last > 0 ? &c->at : NULL, &s, fault);

	if (rc != KMS_OK)
		return rc;
	if (c->last > 0)
		rc = find_last(db, number, s, fault);
	if (rc == KMS_OK && write)
		rc = erase_find(db, number, fault);
	while (rc == KMS_OK && c->last < upto && (rc = foreign_next(f, s, fault)) == KMS_OK) {
		rc = apply_next(db, number, s, fault);
		if (rc == KMS_OK && seen != NULL)
			seen(db, s, arg);
	}
	if (rc == KMS_E_NOT_FOUND)
		rc = write ? foreign_write(f, s, FOREIGN_SEGMENT(db->opt.segment_size), fault)
			   : KMS_OK;
	scan_close(s);
	return rc;
}

int
follow_all(struct kmsdb *db, bool write, struct fault *fault)
{
	int rc = KMS_OK;

	for (unsigned i = 1; i < db->chains.count && rc == KMS_OK; i++) {
		uint64_t from = db->chains.list[i].last;
		char name[33];

		rc = follow_chain(db, i, UINT64_MAX, write, NULL, NULL, fault);
		if (rc != KMS_OK || db->chains.list[i].last == from)
			continue;
		hex_format(name, db->chains.hosts[i], 16);
		ledger_log(db, LOG_INFO, "ledger-replay",
		    "batches %" PRIu64 " to %" PRIu64
		    " of host %s carried from its chain to the index",
		    from + 1, db->chains.list[i].last, name);
	}
	return rc;
}
