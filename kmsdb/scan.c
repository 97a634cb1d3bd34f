/*
 * scan.c - the reader of the journal. It judges whole segments by their names,
 * headers and footers, and batches by root, number and the hash of the one before.
 */
#include "kmsdb/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/dropped.h"
#include "kmsdb/position.h"
#include "libkms/base/file.h"
#include "libkms/base/octets.h"
#include "libkms/core/fast_sha256.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"

#define WINDOW (4 * RECORD_MAX)

struct scan_state {
	int journalfd;
	struct segment_list list;
	size_t at; /* index in list */
	int fd;
	uint64_t size;
	struct scan_place next; /* what must come now */
	uint8_t *window;
	uint64_t window_off;
	size_t window_len;
	struct merkle_tree *tree;
	bool previous_unfooted;
};

static int __attribute__((format(printf, 4, 5)))
fail(struct scan *s, int status, uint64_t offset, const char *fmt, ...)
{
	char text[140];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->fault = (struct fault){ 0 };
	return fault_set(
	    &s->fault, status, "journal/%.24s, offset %" PRIu64 ": %s", s->segment, offset, text);
}

static int
say_version(struct fault *fault, const char *segment, const struct segment_header *h)
{
	char file[64];

	snprintf(file, sizeof(file), "journal/%.24s", segment);
	return fault_version(fault, &(struct fault_version){ .file = file,
					.what = "journal",
					.found = h->schema,
					.known = SEGMENT_SCHEMA,
					.reader = "kmsd",
					.by = h->maker });
}

static int
fail_version(struct scan *s, const struct segment_header *h)
{
	s->fault = (struct fault){ 0 };
	return say_version(&s->fault, s->segment, h);
}

int
scan_version(int journalfd, struct fault *fault)
{
	uint8_t octets[SEGMENT_SECTOR];
	char name[SEGMENT_NAME];
	struct segment_list list;
	struct segment_header h;
	size_t got = 0;
	int fd, rc = KMS_OK;

	if (segment_list_read(&list, journalfd) != KMS_OK)
		return KMS_OK;
	if (list.count > 0 && segment_open(journalfd, list.first[list.count - 1], &fd) == KMS_OK) {
		position_read(fd, octets, sizeof(octets), 0, &got);
		close(fd);
		segment_name(name, list.first[list.count - 1]);
		if (segment_header_decode(&h, octets, got) == KMS_E_SCHEMA)
			rc = say_version(fault, name, &h);
	}
	segment_list_free(&list);
	return rc;
}

/*
 * Reads everything that may be needed at offset off: 2 * RECORD_MAX bytes, or up to the end of the
 * file.
 */
static int
look(struct scan_state *st, uint64_t off, const uint8_t **at, size_t *avail)
{
	uint64_t end = st->window_off + st->window_len;
	bool eof = end >= st->size;
	int rc;

	if (off < st->window_off || off > end || (end - off < 2 * RECORD_MAX && !eof)) {
		st->window_off = off;
		st->window_len = 0;
		if (off < st->size) {
			rc = position_read(st->fd, st->window, WINDOW, off, &st->window_len);
			if (rc != KMS_OK)
				return rc;
		}
		/* A file that has become shorter counts as its end too. */
		if (st->window_len < WINDOW && off + st->window_len < st->size)
			st->size = off + st->window_len;
	}
	*at = st->window + (off - st->window_off);
	*avail = st->window_len - (size_t)(off - st->window_off);
	return KMS_OK;
}

static bool
last_segment(const struct scan_state *st)
{
	return st->at + 1 >= st->list.count;
}

/* Opens list[at] and checks that its header matches its name and the chain. */
static int
segment_enter(struct scan *s, bool chain_known)
{
	struct scan_state *st = s->state;
	struct segment_header h;
	const uint8_t *at;
	size_t avail;
	uint64_t first = st->list.first[st->at];
	int rc;

	if (st->fd >= 0)
		close(st->fd);
	st->window_off = st->window_len = 0;
	segment_name(s->segment, first);
	if ((rc = segment_open(st->journalfd, first, &st->fd)) != KMS_OK)
		return fail(s, rc, 0, "cannot be opened: %s", strerror(errno));
	if ((rc = position_size(st->fd, &st->size)) != KMS_OK ||
	    (rc = look(st, 0, &at, &avail)) != KMS_OK)
		return fail(s, rc, 0, "cannot be read: %s", strerror(errno));
	rc = segment_header_decode(&h, at, avail);
	if (rc == KMS_E_SCHEMA)
		return fail_version(s, &h);
	if (rc != KMS_OK)
		return fail(s, rc, 0, "the segment's header was changed");
	if (h.first != first)
		return fail(s, KMS_E_ALTERED, 16,
		    "contains the segment that begins with batch %" PRIu64 ": renamed or swapped",
		    h.first);
	if (chain_known &&
	    (h.first != st->next.number || memcmp(h.previous, st->next.previous, 32) != 0))
		return fail(s, KMS_E_CHAIN, 16, "does not continue the segment before it");
	st->next.first = st->next.number = first;
	st->next.offset = SEGMENT_SECTOR;
	memcpy(st->next.previous, h.previous, 32);
	return KMS_OK;
}

/* The segment with that batch is no longer there. */
static int
start_after_dropped(struct scan *s, uint64_t from)
{
	struct scan_state *st = s->state;
	int rc;

	st->at = 0;
	if ((rc = segment_enter(s, false)) != KMS_OK)
		return rc;
	if (dropped_continues(st->journalfd, s->begins, st->next.previous))
		return KMS_OK;
	segment_name(s->segment, from);
	return fail(s, KMS_E_MISSING, 0, "the segment with batch %" PRIu64 " is missing", from);
}

static int
start(struct scan *s, const struct scan_place *place, uint64_t from)
{
	struct scan_state *st = s->state;
	int rc;

	if (from == 0)
		from = 1;
	if (st->list.count == 0) {
		s->empty = true;
		if (place == NULL && from <= 1)
			return KMS_OK;
	}
	s->begins = st->list.count > 0 ? st->list.first[0] : 1;
	st->at = segment_list_find(&st->list, place != NULL ? place->first : from);
	if (place == NULL && from < s->begins)
		return start_after_dropped(s, from);
	if (st->at == st->list.count || (place != NULL && st->list.first[st->at] != place->first)) {
		segment_name(s->segment, place != NULL ? place->first : from);
		return fail(s, KMS_E_MISSING, 0, "the segment with batch %" PRIu64 " is missing",
		    place != NULL ? place->number : from);
	}
	if ((rc = segment_enter(s, false)) != KMS_OK)
		return rc;
	if (place != NULL)
		st->next = *place;
	return KMS_OK;
}

int
scan_open(struct scan **out, int journalfd, const struct scan_place *place, uint64_t from,
    struct fault *fault)
{
	struct scan *s = calloc(1, sizeof(*s));
	struct scan_state *st = calloc(1, sizeof(*st));
	int rc = KMS_E_NO_MEMORY;

	*out = NULL;
	if (s == NULL || st == NULL) {
		free(s);
		free(st);
		return fault_set(fault, rc, "no memory to read the journal");
	}
	s->state = st;
	st->journalfd = journalfd;
	st->fd = -1;
	st->next.number = 1;
	st->window = malloc(WINDOW);
	st->tree = merkle_tree_with(RECORD_ENTRIES, fast_sha256);
	if (st->window != NULL && st->tree != NULL &&
	    (rc = segment_list_read(&st->list, journalfd)) == KMS_OK)
		rc = start(s, place, from);
	if (rc != KMS_OK) {
		fault_set(fault, rc, "%s",
		    s->fault.text[0] != '\0' ? s->fault.text : "the journal cannot be read");
		scan_close(s);
		return rc;
	}
	*out = s;
	return KMS_OK;
}

void
scan_close(struct scan *s)
{
	if (s == NULL)
		return;
	if (s->state->fd >= 0)
		close(s->state->fd);
	segment_list_free(&s->state->list);
	merkle_tree_free(s->state->tree);
	free(s->state->window);
	free(s->state);
	free(s);
}

/*
 * Beside a writer: the footer was missing when we looked, but the batch that must follow it
 * exists. Look again.
 */
static bool
footer_now_there(struct scan *s)
{
	uint8_t want[SEGMENT_SECTOR], octets[SEGMENT_SECTOR];
	size_t got = 0;
	int fd, rc;

	segment_footer_encode(want, s->state->next.first, s->state->next.previous);
	if (segment_open(s->state->journalfd, s->footer_first, &fd) != KMS_OK)
		return false;
	rc = position_read(fd, octets, sizeof(octets), s->footer_at, &got);
	close(fd);
	if (rc != KMS_OK || got != sizeof(octets) || memcmp(want, octets, got) != 0)
		return false;
	s->state->previous_unfooted = false;
	return true;
}

/* Beside a writer the next segment may be newer than our list of them. */
static bool
next_listed(struct scan_state *st)
{
	struct segment_list fresh;

	for (int round = 0; round < 2; round++) {
		if (!last_segment(st) && st->list.first[st->at + 1] == st->next.number)
			return true;
		if (round > 0 || segment_list_read(&fresh, st->journalfd) != KMS_OK)
			break;
		segment_list_free(&st->list);
		st->list = fresh;
		st->at = segment_list_find(&fresh, st->next.first);
		if (st->at == fresh.count)
			break;
	}
	return false;
}

static int
take_batch(struct scan *s)
{
	struct scan_state *st = s->state;

	if (s->record.batch.number != st->next.number ||
	    memcmp(s->record.batch.previous, st->next.previous, 32) != 0)
		return fail(s, KMS_E_CHAIN, st->next.offset,
		    "batch %" PRIu64 " does not continue batch %" PRIu64, s->record.batch.number,
		    st->next.number - 1);
	if (st->previous_unfooted && !footer_now_there(s))
		return fail(s, KMS_E_ALTERED, st->next.offset,
		    "the segment before this one lost its footer");
	batch_header_hash(s->hash, s->record.header);
	s->offset = st->next.offset;
	st->next.offset += s->record.length;
	st->next.number++;
	memcpy(st->next.previous, s->hash, 32);
	return KMS_OK;
}

/* Zeros up to the end of a closed segment. */
static int
padding(struct scan *s, uint64_t off)
{
	struct scan_state *st = s->state;
	const uint8_t *at;
	size_t avail;
	int rc;

	while (off < st->size) {
		if ((rc = look(st, off, &at, &avail)) != KMS_OK)
			return fail(s, rc, off, "cannot be read: %s", strerror(errno));
		if (!octets_zero(at, avail))
			return fail(
			    s, KMS_E_ALTERED, off, "bytes after the end of a closed segment");
		off += avail;
	}
	return KMS_OK;
}

/* The footer names the next segment: continue there. */
static int
take_footer(struct scan *s)
{
	struct scan_state *st = s->state;
	uint64_t off = st->next.offset;
	int rc;

	if (s->record.batch.number != st->next.number ||
	    memcmp(s->record.batch.previous, st->next.previous, 32) != 0)
		return fail(s, KMS_E_CHAIN, off, "the footer does not continue the last batch");
	if (!next_listed(st)) {
		segment_name(s->segment, st->next.number);
		return fail(s, KMS_E_MISSING, 0,
		    "the segment that begins with batch %" PRIu64 " is missing", st->next.number);
	}
	if ((rc = padding(s, off + SEGMENT_SECTOR)) != KMS_OK)
		return rc;
	st->at++;
	return segment_enter(s, true);
}

/*
 * No footer where the segment ends. Fine in the last segment. A crash between the making
 * of a segment and the footer of the one before leaves the new one empty and last.
 */
static int
take_end(struct scan *s)
{
	struct scan_state *st = s->state;

	if (!last_segment(st)) {
		if (st->at + 2 != st->list.count || st->list.first[st->at + 1] != st->next.number)
			return fail(s, KMS_E_ALTERED, st->next.offset,
			    "batches are missing at the end of a closed segment");
		s->footer_first = st->next.first;
		s->footer_at = st->next.offset;
		st->previous_unfooted = true;
		st->at++;
		return segment_enter(s, true);
	}
	s->end = st->next;
	s->unfooted = st->previous_unfooted;
	return KMS_E_NOT_FOUND;
}

static int
take_torn(struct scan *s, const char *why)
{
	if (!last_segment(s->state))
		return fail(s, KMS_E_ALTERED, s->state->next.offset,
		    "%s, in a segment that is closed", why);
	s->torn = true;
	fail(s, KMS_E_TORN, s->state->next.offset, "%s", why);
	return take_end(s);
}

int
scan_next(struct scan *s)
{
	struct scan_state *st = s->state;
	const uint8_t *at;
	const char *why;
	size_t avail;
	bool again = false;
	int rc;

	if (s->empty) {
		s->end = st->next;
		return KMS_E_NOT_FOUND;
	}
	for (;;) {
		if ((rc = look(st, st->next.offset, &at, &avail)) != KMS_OK)
			return fail(s, rc, st->next.offset, "cannot be read: %s", strerror(errno));
		switch (segment_item(&s->record, at, avail, st->tree, &why)) {
		case SEGMENT_BATCH:
			return take_batch(s);
		case SEGMENT_FOOTER:
			rc = take_footer(s);
			break;
		case SEGMENT_END:
			rc = take_end(s);
			break;
		case SEGMENT_TORN:
			rc = take_torn(s, why);
			break;
		default:
			/*
			 * A read beside a writer is not atomic: it may miss a batch that was being
			 * written and see the next one. Read again.
			 */
			if (!again) {
				again = true;
				st->window_len = 0;
				st->window_off = 0;
				position_size(st->fd, &st->size);
				rc = KMS_OK;
				break;
			}
			rc = fail(s, KMS_E_ALTERED, st->next.offset, "%s", why);
		}
		if (rc != KMS_OK)
			return rc;
	}
}

int
scan_rest(struct scan *s)
{
	return s->empty || s->torn ? KMS_OK : padding(s, s->end.offset);
}

int
scan_one(int journalfd, uint64_t first, uint64_t offset, uint8_t *octets, struct record *record,
    struct merkle_tree *tree, uint8_t hash[32])
{
	const char *why;
	size_t got = 0;
	int fd, rc = segment_open(journalfd, first, &fd);

	if (rc != KMS_OK)
		return KMS_E_NOT_FOUND;
	rc = position_read(fd, octets, RECORD_MAX, offset, &got);
	close(fd);
	if (rc != KMS_OK)
		return rc;
	if (segment_item(record, octets, got, tree, &why) != SEGMENT_BATCH)
		return KMS_E_ALTERED;
	batch_header_hash(hash, record->header);
	return KMS_OK;
}
