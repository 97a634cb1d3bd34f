/*
 * erase.c - see erase.h. The pass reads with the scan that everything else reads with, and writes
 * only where that has found an aside.
 */
#include "kmsdb/erase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsdb/position.h"
#include "kmsdb/scan.h"
#include "libkms/base/file.h"
#include "libkms/base/octets.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"

#define STEP_BATCHES 64
#define STEP_ROWS 2048

struct erase_pass {
	struct erase_job *jobs;
	size_t count;
	uint64_t floor; /* of the jobs for all clients */
	uint64_t last;  /* batch with which it ends */
	int journalfd;
	struct journal *journal;
	struct index *index;
	struct scan *scan; /* NULL: the journal is done */
	bool scanned;
	int fd; /* segment being written; -1 */
	uint64_t first;
	uint64_t asides;
	uint8_t next[ROW_CMID]; /* in the index */
	bool more;
};

static const uint8_t all[16];

int
erase_note(struct kmsdb *db, const struct item *item, uint64_t batch)
{
	struct erase_job *more;
	struct entry_about e;
	size_t room;

	if (entry_kind(item->entry, item->entry_len) != ENTRY_ERASE ||
	    entry_about_decode(&e, item->entry, item->entry_len) != KMS_OK)
		return KMS_OK;
	if (db->jobs.count == db->jobs.room) {
		room = db->jobs.room == 0 ? 16 : 2 * db->jobs.room;
		if ((more = realloc(db->jobs.list, room * sizeof(*more))) == NULL)
			return KMS_E_NO_MEMORY;
		db->jobs.list = more;
		db->jobs.room = room;
	}
	more = &db->jobs.list[db->jobs.count++];
	memcpy(more->cmid, e.cmid, 16);
	more->upto = e.value;
	more->batch = batch;
	return KMS_OK;
}

int
erase_find(struct kmsdb *db, uint64_t from, uint64_t to, struct fault *fault)
{
	struct scan *s;
	int rc = scan_open(&s, db->journalfd, NULL, from + 1, fault);

	if (rc != KMS_OK)
		return rc;
	while (rc == KMS_OK && (rc = scan_next(s)) == KMS_OK && s->record.batch.number <= to) {
		if (s->record.batch.number <= from)
			continue;
		for (uint32_t i = 0; i < s->record.batch.size && rc == KMS_OK; i++)
			rc = erase_note(db, &s->record.items[i], s->record.batch.number);
	}
	if (rc == KMS_E_NOT_FOUND)
		rc = KMS_OK;
	else if (rc != KMS_OK)
		fault_set(fault, rc, "%s", s->fault.text);
	scan_close(s);
	return rc;
}

uint64_t
erase_through(const struct kmsdb *db, uint64_t last)
{
	for (size_t i = 0; i < db->jobs.count; i++) {
		if (db->jobs.list[i].batch <= last)
			last = db->jobs.list[i].batch - 1;
	}
	return last;
}

bool
erase_known(const struct kmsdb *db)
{
	for (size_t i = 0; i < db->jobs.count; i++) {
		if (db->jobs.list[i].batch > db->meta.last)
			return false;
	}
	return true;
}

struct erase_pass *
erase_begin(const struct kmsdb *db)
{
	struct erase_pass *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->jobs = malloc(db->jobs.count * sizeof(*p->jobs));
	if (p->jobs == NULL) {
		free(p);
		return NULL;
	}
	p->count = db->jobs.count;
	memcpy(p->jobs, db->jobs.list, p->count * sizeof(*p->jobs));
	for (size_t i = 0; i < p->count; i++) {
		if (memcmp(p->jobs[i].cmid, all, 16) == 0 && p->jobs[i].upto > p->floor)
			p->floor = p->jobs[i].upto;
	}
	p->last = journal_last(db->journal);
	p->journalfd = db->journalfd;
	p->journal = db->journal;
	p->index = db->index;
	p->fd = -1;
	p->more = p->floor > 0;
	return p;
}

/* -- the journal -- */

/* What is restated has names of an earlier entry. False: nothing of the item can be erased. */
static bool
names_of(const struct item *item, uint64_t *time, bool *client)
{
	struct entry_base_names names;
	struct entry_admin e;
	int kind = entry_kind(item->entry, item->entry_len);

	*time = entry_time(item->entry, item->entry_len);
	*client = entry_kind_is_client(kind);
	if (kind != ENTRY_BASE)
		return true;
	if (entry_admin_decode(&e, item->entry, item->entry_len) != KMS_OK ||
	    !entry_base_get_names(&names, e.blob))
		return false;
	*time = names.time;
	*client = entry_base_part(e.blob) == BASE_CLIENT;
	return true;
}

static bool
wanted(const struct erase_pass *p, const struct item *item)
{
	uint64_t time;
	bool client;

	if (item->aside_len == 0 || octets_zero(item->aside, item->aside_len) ||
	    !names_of(item, &time, &client))
		return false;
	for (size_t i = 0; i < p->count; i++) {
		const struct erase_job *job = &p->jobs[i];

		if (time <= job->upto &&
		    (memcmp(job->cmid, all, 16) == 0 ||
			(client && memcmp(job->cmid, item->entry + ENTRY_HEAD, 16) == 0)))
			return true;
	}
	return false;
}

static int
close_segment(struct erase_pass *p)
{
	int rc = KMS_OK;

	if (p->fd < 0)
		return KMS_OK;
	if (fdatasync(p->fd) != 0)
		rc = file_status(errno);
	close(p->fd);
	p->fd = -1;
	return rc;
}

static int
open_segment(struct erase_pass *p)
{
	uint64_t first = 0;
	int rc;

	segment_name_parse(p->scan->segment, &first);
	if (p->fd >= 0 && p->first == first)
		return KMS_OK;
	if ((rc = close_segment(p)) != KMS_OK)
		return rc;
	p->first = first;
	p->fd =
	    openat(p->journalfd, p->scan->segment, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return p->fd < 0 ? file_status(errno) : KMS_OK;
}

static int
erase_batch(struct erase_pass *p)
{
	const struct record *r = &p->scan->record;
	int rc = KMS_OK;

	for (uint32_t i = 0; i < r->batch.size && rc == KMS_OK; i++) {
		const struct item *item = &r->items[i];

		if (!wanted(p, item))
			continue;
		if ((rc = open_segment(p)) == KMS_OK)
			rc = journal_zero(p->journal, p->first, p->fd,
			    p->scan->offset + (uint64_t)(item->aside - r->octets), item->aside_len);
		p->asides += rc == KMS_OK;
	}
	return rc;
}

static int
erase_journal(struct erase_pass *p)
{
	struct fault fault = { 0 };
	int rc;

	if (p->scan == NULL && (rc = scan_open(&p->scan, p->journalfd, NULL, 0, &fault)) != KMS_OK)
		return rc;
	for (int i = 0; i < STEP_BATCHES; i++) {
		if ((rc = scan_next(p->scan)) == KMS_OK)
			rc = erase_batch(p);
		if (rc == KMS_OK && p->scan->record.batch.number < p->last)
			continue;
		if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
			return rc;
		p->scanned = true;
		return close_segment(p);
	}
	return KMS_OK;
}

int
erase_step(struct erase_pass *p)
{
	int rc;

	if (!p->scanned)
		rc = erase_journal(p);
	else if (p->more)
		rc = index_blank(p->index, p->next, p->floor, STEP_ROWS, &p->more);
	else
		return KMS_OK;
	return rc == KMS_OK && (!p->scanned || p->more) ? ERASE_AGAIN : rc;
}

uint64_t
erase_end(struct kmsdb *db, struct erase_pass *p, bool done)
{
	uint64_t asides = p->asides;

	close_segment(p);
	scan_close(p->scan);
	/* Those that came meanwhile are behind it. */
	if (done) {
		db->jobs.count -= p->count;
		memmove(db->jobs.list, db->jobs.list + p->count,
		    db->jobs.count * sizeof(*db->jobs.list));
	}
	free(p->jobs);
	free(p);
	return asides;
}
