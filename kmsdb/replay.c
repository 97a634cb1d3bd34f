/*
 * replay.c - opening: does the journal contain everything that is in the index, and what does it
 * contain that is not?
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "kmsdb/erase.h"
#include "kmsdb/ledger.h"
#include "kmsdb/scan.h"
#include "libkms/kms_error.h"

#define SEE "; restore the journal from a backup, see kms.journal(5)"
#define REBUILD                                                                                    \
	"; if this is a file copy of the state directory (tar, rsync, a snapshot), stop kmsd and run kmsctl ledger rebuild: it makes the index from the journal"

/* The index's last batch must be in the journal, with the same hash. */
static int
find_last(struct kmsdb *db, struct scan **scan, struct fault *fault)
{
	struct scan_place place = { .number = db->meta.last };
	struct batch_ref last, before = { .number = 0 };
	int rc;

	/* Both are there: a base is behind all that it lets go. */
	if (ledger_batch(db, db->meta.last, &last) != KMS_OK ||
	    (db->meta.last > 1 && ledger_batch(db, db->meta.last - 1, &before) != KMS_OK)) {
		return fault_set(fault, KMS_E_INDEX,
		    "the index lacks its own last batch, %" PRIu64
		    ": stop kmsd and run kmsctl ledger rebuild",
		    db->meta.last);
	}
	place.first = last.first;
	place.offset = last.offset;
	memcpy(place.previous, before.hash, 32);
	if ((rc = scan_open(scan, db->journalfd, &place, 0, fault)) != KMS_OK)
		return rc;
	rc = scan_next(*scan);
	if (rc == KMS_OK && memcmp((*scan)->hash, db->meta.hash, 32) == 0) {
		db->last_time = (*scan)->record.batch.time;
		return KMS_OK;
	}
	/* A copy of files that were copied one after the other looks like this; so does tampering.
	 */
	if (rc == KMS_E_NOT_FOUND || rc == KMS_OK || rc == KMS_E_TORN)
		return fault_set(fault, KMS_E_INDEX,
		    "journal/%s, offset %" PRIu64 ": batch %" PRIu64
		    ", which the index contains, %s" REBUILD,
		    (*scan)->segment, last.offset, db->meta.last,
		    rc == KMS_OK ? "is another one" : "is not in the journal");
	return fault_set(fault, rc, "%s" SEE, (*scan)->fault.text);
}

/* Checks that every segment known to the index exists, without reading them. */
static int
check_segments(struct kmsdb *db, struct fault *fault)
{
	struct segment_list list;
	struct batch_ref ref;
	uint64_t end = db->meta.last + 1, missing = 0, newest;
	int rc = segment_list_read(&list, db->journalfd);

	if (rc != KMS_OK)
		return rc;
	for (size_t i = list.count; i-- > 0 && missing == 0;) {
		if (list.first[i] > end)
			continue; /* newer than the index: the scan checks it */
		if (end > list.first[i] && ledger_batch(db, end - 1, &ref) == KMS_OK &&
		    ref.first != list.first[i])
			missing = ref.first;
		end = list.first[i];
	}
	/* What is before was dropped, if a base that is whole lets it go. */
	if (missing == 0 && end > 1 && end - 1 > db->base.dropped)
		missing = ledger_batch(db, end - 1, &ref) == KMS_OK ? ref.first : 1;
	newest = list.count > 0 ? list.first[list.count - 1] : UINT64_MAX;
	segment_list_free(&list);
	if (missing == 0)
		return KMS_OK;
	/* Without a hole, the journal may be whole, and the index newer, as in a live copy. */
	if (missing > newest)
		return fault_set(fault, KMS_E_MISSING,
		    "journal/%020" PRIu64
		    ".seg, which the index knows, is missing: restore it from a backup; if no backup has it, stop kmsd and run kmsctl ledger rebuild",
		    missing);
	return fault_set(
	    fault, KMS_E_MISSING, "journal/%020" PRIu64 ".seg is missing" SEE, missing);
}

static void
take_batch(struct kmsdb *db, const struct record *r, const struct batch_ref *ref)
{
	chains_own(&db->chains, r->batch.host_id);
	ledger_raise(&db->chains.list[0].heard, r->batch.time);
	generation_add_batch(db->active, ref);
}

int
replay_batch(struct kmsdb *db, struct scan *s, struct fault *fault)
{
	const struct record *r = &s->record;
	struct batch_ref ref = { .number = r->batch.number, .offset = s->offset };
	struct apply_place place = { .batch = r->batch.number };
	int rc = KMS_OK;

	segment_name_parse(s->segment, &ref.first);
	memcpy(ref.hash, s->hash, 32);
	memcpy(place.header, s->hash, sizeof(place.header));
	for (uint32_t i = 0; i < r->batch.size && rc == KMS_OK; i++) {
		place.leaf = i;
		rc = ledger_apply(db, &r->items[i], &place, &db->undo[0]);
		if (rc == KMS_OK)
			rc = erase_note(db, &r->items[i], 0, ref.number);
	}
	usage_settle(&db->usage);
	if (rc == KMS_E_SCHEMA && scan_check_entries(s) != KMS_OK)
		return fault_set(fault, rc, "%s", s->fault.text);
	if (rc == KMS_OK)
		rc = generation_reserve(db->active);
	if (rc == KMS_OK)
		take_batch(db, r, &ref);
	if (rc == KMS_OK && generation_full(db->active, db->opt.overlay_records))
		rc = checkpoint_all(db);
	db->last_time = r->batch.time;
	if (rc != KMS_OK)
		return fault_set(fault, rc,
		    "journal/%s, offset %" PRIu64 ": batch %" PRIu64 " cannot be replayed: %s",
		    s->segment, s->offset, ref.number, kms_strerror((uint32_t)rc));
	return KMS_OK;
}

static int
check_signature(struct kmsdb *db, const uint8_t header[BATCH_HEADER],
    const uint8_t signature[BATCH_SIGNATURE], const struct scan *s, struct fault *fault)
{
	if (!db->opt.have_sign_pk || batch_verify(header, signature, db->opt.sign_pk) == KMS_OK)
		return KMS_OK;
	return fault_set(fault, KMS_E_ALTERED,
	    "journal/%s, offset %" PRIu64 ": the last batch is not signed by this host's key" SEE,
	    s->segment, s->offset);
}

static int
replay_from(struct kmsdb *db, struct scan *s, bool at_last, bool journal, struct fault *fault)
{
	uint8_t header[BATCH_HEADER], signature[BATCH_SIGNATURE];
	uint64_t from = db->meta.last;
	bool any = at_last;
	int rc = KMS_OK;

	while (rc == KMS_OK) {
		if (any) {
			memcpy(header, s->record.header, sizeof(header));
			memcpy(signature, s->record.signature, sizeof(signature));
		}
		rc = scan_next(s);
		ledger_busy(db);
		if (rc == KMS_OK) {
			any = true;
			if ((rc = replay_batch(db, s, fault)) != KMS_OK)
				return rc;
		}
	}
	if (rc != KMS_E_NOT_FOUND) {
		return fault_set(fault, rc, "%s" SEE, s->fault.text);
	}
	if (any && (rc = check_signature(db, header, signature, s, fault)) != KMS_OK)
		return rc;
	if (db->base.loading)
		return fault_set(fault, KMS_E_MISSING, LEDGER_NO_BASE SEE, s->begins);
	if (s->end.number - 1 > from)
		ledger_log(db, LOG_INFO, "ledger-replay",
		    "batches %" PRIu64 " to %" PRIu64 " carried from the journal to the index",
		    from + 1, s->end.number - 1);
	/* Names are never a reason not to start. */
	if (db->spoilt > 0)
		ledger_log(db, LOG_WARNING, "asides-spoilt",
		    "the names of %" PRIu64
		    " entries in the journal are damaged; they count as erased",
		    db->spoilt);
	return !journal ? KMS_OK
			: journal_open(&db->journal, db->journalfd, db->opt.segment_size, s,
			      db->opt.log, db->opt.log_arg, fault);
}

int
replay(struct kmsdb *db, bool journal, struct fault *fault)
{
	struct scan *s = NULL;
	int rc;

	if (db->meta.last == 0) {
		rc = scan_open(&s, db->journalfd, NULL, 0, fault);
		db->base.loading = rc == KMS_OK && s->begins > 1;
	} else if ((rc = check_segments(db, fault)) == KMS_OK) {
		rc = find_last(db, &s, fault);
	}
	/* An erasure that the last run did not finish. */
	if (rc == KMS_OK && journal)
		rc = erase_find(db, 0, fault);
	if (rc == KMS_OK)
		rc = replay_from(db, s, db->meta.last > 0, journal, fault);
	scan_close(s);
	return rc;
}
