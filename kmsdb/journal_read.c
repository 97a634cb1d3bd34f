/*
 * journal_read.c - reading the journal for other rooms: kmsdb_journal_each, and where to begin.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/kmsdb.h"
#include "kmsdb/ledger.h"
#include "kmsdb/scan.h"

static void
view_of(struct kmsdb_batch_view *view, const struct scan *s)
{
	view->header = s->record.batch;
	view->header_octets = s->record.header;
	view->signature = s->record.signature;
	view->items = s->record.items;
	view->segment = s->segment;
	view->offset = s->offset;
}

int
scan_check_entries(struct scan *s)
{
	const struct record *r = &s->record;
	int rc = KMS_OK;
	uint32_t i = 0;

	while (i < r->batch.size &&
	       (rc = entry_check(r->items[i].entry, r->items[i].entry_len)) == KMS_OK)
		i++;
	if (rc == KMS_OK)
		return rc;
	s->fault = (struct fault){ 0 };
	if (rc != KMS_E_SCHEMA)
		return fault_set(&s->fault, KMS_E_ALTERED,
		    "journal/%.24s, offset %" PRIu64 ": batch %" PRIu64 ", entry %" PRIu32
		    ": malformed",
		    s->segment, s->offset, r->batch.number, i);
	return fault_set(&s->fault, rc,
	    "journal/%.24s, offset %" PRIu64 ": batch %" PRIu64 ", entry %" PRIu32
	    ": written by another version: entry kind %u, version %u; this is kmsd %s, which does not know it. Install the kmsd that wrote it again, or restore the backup made before the upgrade",
	    s->segment, s->offset, r->batch.number, i, r->items[i].entry[1], r->items[i].entry[0],
	    PACKAGE_VERSION);
}

/* Batches from that number on, to the end or until fn is not 0. */
static int
each_batch(struct scan *s, uint64_t from, int (*fn)(const struct kmsdb_batch_view *b, void *arg),
    void *arg, struct fault *fault)
{
	struct kmsdb_batch_view view;
	int result = 0, rc = KMS_OK;

	while (result == 0 && (rc = scan_next(s)) == KMS_OK) {
		if (s->record.batch.number < from)
			continue;
		if ((rc = scan_check_entries(s)) != KMS_OK)
			break;
		view_of(&view, s);
		result = fn(&view, arg);
	}
	/* The end; a torn batch there was never acknowledged. */
	if (result != 0)
		return result;
	return rc == KMS_E_NOT_FOUND ? KMS_OK : fault_set(fault, rc, "%s", s->fault.text);
}

int
kmsdb_journal_from(struct kmsdb *db, uint64_t from,
    int (*fn)(const struct kmsdb_batch_view *b, void *arg), void *arg, struct fault *fault)
{
	struct batch_ref ref = { .number = 0 }, before = { .number = 0 };
	struct scan_place place = { .number = from };
	struct scan *s = NULL;
	bool first = from <= db->first;
	int rc = first ? KMS_OK : ledger_batch(db, from, &ref);

	if (rc == KMS_OK && !first)
		rc = ledger_batch(db, from - 1, &before);
	if (rc != KMS_OK)
		return rc == KMS_E_NOT_FOUND ? KMS_OK : fault_set(fault, rc, NULL);
	place.first = ref.first;
	place.offset = ref.offset;
	memcpy(place.previous, before.hash, sizeof(before.hash));
	rc = scan_open(&s, db->journalfd, first ? NULL : &place, 0, fault);
	if (rc == KMS_OK)
		rc = each_batch(s, from, fn, arg, fault);
	scan_close(s);
	return rc;
}

int
kmsdb_journal_each(int dirfd, uint64_t from, int (*fn)(const struct kmsdb_batch_view *b, void *arg),
    void *arg, struct fault *fault)
{
	struct scan *s = NULL;
	int fd = -1, rc = segment_directory(dirfd, false, &fd, fault);

	if (rc != KMS_OK)
		return rc;
	if ((rc = scan_open(&s, fd, NULL, from, fault)) == KMS_OK)
		rc = each_batch(s, from, fn, arg, fault);
	scan_close(s);
	close(fd);
	return rc;
}

int
kmsdb_journal_newest(int dirfd, uint64_t octets, uint64_t *from, bool *all, struct fault *fault)
{
	struct segment_list list = { 0 };
	uint64_t sum = 0;
	size_t at;
	int fd = -1, rc = segment_directory(dirfd, false, &fd, fault);

	*from = 1;
	*all = true;
	if (rc != KMS_OK)
		return rc;
	if ((rc = segment_list_read(&list, fd)) != KMS_OK)
		fault_set(fault, rc, "journal/ cannot be read: %s", kms_strerror((uint32_t)rc));
	for (at = list.count > 0 ? list.count - 1 : 0; at > 0 && sum < octets; at--)
		sum += segment_bytes(fd, list.first[at - 1]);
	if (list.count > 0)
		*from = list.first[at];
	*all = at == 0;
	segment_list_free(&list);
	close(fd);
	return rc;
}

static int
first_time(int journalfd, uint64_t first, uint64_t *time, struct fault *fault)
{
	struct scan *s;
	int rc = scan_open(&s, journalfd, NULL, first, fault);

	if (rc == KMS_OK && (rc = scan_next(s)) == KMS_OK)
		*time = s->record.batch.time;
	else if (rc != KMS_OK && s != NULL)
		fault_set(fault, rc, "%s", s->fault.text);
	scan_close(s);
	return rc;
}

#define PACE_SEGMENTS 8

int
kmsdb_journal_pace(struct kmsdb *db, uint64_t *octets, uint64_t *seconds, struct fault *fault)
{
	struct segment_list l = { 0 };
	uint64_t from = 0, to = 0;
	size_t i;
	int fd = db->journalfd, rc = segment_list_read(&l, fd);

	*octets = *seconds = 0;
	if (rc == KMS_OK && l.count < 2)
		rc = KMS_E_NOT_FOUND;
	i = l.count > PACE_SEGMENTS + 1 ? l.count - PACE_SEGMENTS - 1 : 0;
	if (rc == KMS_OK && (rc = first_time(fd, l.first[i], &from, fault)) == KMS_OK)
		rc = first_time(fd, l.first[l.count - 1], &to, fault);
	for (; rc == KMS_OK && i + 1 < l.count; i++)
		*octets += segment_bytes(fd, l.first[i]);
	if (rc == KMS_OK && to <= from)
		rc = KMS_E_NOT_FOUND;
	*seconds = to - from;
	segment_list_free(&l);
	return rc;
}
