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

#include "kmsdb/foreign.h"
#include "kmsdb/position.h"
#include "libkms/base/file.h"
#include "libkms/base/octets.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"

#define STEP_BATCHES 64
#define STEP_ROWS 2048

/* A journal, as far as it is on disk when the pass begins: what comes later has no such names. */
struct erase_journal {
	struct journal *journal;
	int fd;
	uint64_t last;
};
struct erase_pass {
	struct erase_job *jobs;
	size_t count;
	uint64_t floor; /* of the jobs for all clients */
	struct erase_journal journals[CHAINS_MAX];
	unsigned chains, at; /* at == chains: the journals are done */
	struct index *index;
	struct scan *scan; /* of the one at `at`; NULL: not begun */
	int fd;            /* segment being written; -1 */
	uint64_t first;
	uint64_t asides;
	uint8_t next[ROW_CMID]; /* in the index */
	bool more;
};

static const uint8_t all[16];

/* -- what is erased -- */

/* What is restated has names of an earlier entry. False: nothing of the item can be erased. */
static bool
names_of(const struct item *item, uint64_t *time, bool *client)
{
	struct entry_base_names names;
	struct entry_admin e;
	int kind = entry_kind(item->entry, item->entry_len);

	if (item->aside_len == 0 || octets_zero(item->aside, item->aside_len))
		return false;
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

/* Does one of the jobs mean these names? */
static bool
wanted(const struct erase_job *jobs, size_t count, const struct item *item)
{
	uint64_t time;
	bool client;

	if (!names_of(item, &time, &client))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct erase_job *job = &jobs[i];

		if (time <= job->upto &&
		    (memcmp(job->cmid, all, 16) == 0 ||
			(client && memcmp(job->cmid, item->entry + ENTRY_HEAD, 16) == 0)))
			return true;
	}
	return false;
}

bool
erase_reaches(struct kmsdb *db, const struct item *item, struct erase_job *by)
{
	struct erase_job job = { .upto = db->floors.names };
	struct client_row row;
	struct kmsdb_cold cold;
	uint64_t time;
	bool client;

	if (!names_of(item, &time, &client))
		return false;
	if (time > job.upto) {
		if (!client || ledger_client(db, item->entry + ENTRY_HEAD, &row) != KMS_OK ||
		    ledger_cold(db, &row, &cold) != KMS_OK || time > cold.erased)
			return false;
		memcpy(job.cmid, row.c.cmid, sizeof(job.cmid));
		job.upto = cold.erased;
	}
	if (by != NULL)
		*by = job;
	return true;
}

/* -- jobs -- */

int
erase_reserve(struct kmsdb *db, size_t count)
{
	struct erase_job *more;
	size_t room = db->jobs.room == 0 ? 16 : db->jobs.room;

	while (room < db->jobs.count + count)
		room *= 2;
	if (room == db->jobs.room)
		return KMS_OK;
	if ((more = realloc(db->jobs.list, room * sizeof(*more))) == NULL)
		return KMS_E_NO_MEMORY;
	db->jobs.list = more;
	db->jobs.room = room;
	return KMS_OK;
}

static int
add_job(struct kmsdb *db, const struct erase_job *job)
{
	int rc = erase_reserve(db, 1);

	if (rc == KMS_OK)
		db->jobs.list[db->jobs.count++] = *job;
	return rc;
}

int
erase_note(struct kmsdb *db, const struct item *item, unsigned chain, uint64_t batch)
{
	struct erase_job job = { .chain = chain, .batch = batch };
	struct entry_about e;

	if (entry_kind(item->entry, item->entry_len) != ENTRY_ERASE ||
	    entry_about_decode(&e, item->entry, item->entry_len) != KMS_OK)
		return KMS_OK;
	memcpy(job.cmid, e.cmid, 16);
	job.upto = e.value;
	return add_job(db, &job);
}

int
erase_missed(struct kmsdb *db, const struct record *r, unsigned chain)
{
	struct erase_job job;
	int rc = KMS_OK;

	for (uint32_t i = 0; i < r->batch.size && rc == KMS_OK; i++) {
		if (wanted(db->jobs.list, db->jobs.count, &r->items[i]) ||
		    !erase_reaches(db, &r->items[i], &job))
			continue;
		job.chain = chain;
		job.batch = r->batch.number;
		rc = add_job(db, &job);
	}
	return rc;
}

static int
find_in(struct kmsdb *db, const struct record *r, unsigned chain)
{
	int rc = KMS_OK;

	for (uint32_t i = 0; i < r->batch.size && rc == KMS_OK; i++)
		rc = erase_note(db, &r->items[i], chain, r->batch.number);
	/* The own journal is never put back without its index. */
	return rc == KMS_OK && chain != 0 ? erase_missed(db, r, chain) : rc;
}

int
erase_find(struct kmsdb *db, unsigned chain, struct fault *fault)
{
	struct chain *c = &db->chains.list[chain];
	int rc, fd = chain == 0 ? db->journalfd : foreign_segments(db->foreign[chain]);
	struct scan *s;

	if (!c->unsought)
		return KMS_OK;
	if ((rc = scan_open(&s, fd, NULL, c->erased + 1, fault)) != KMS_OK)
		return rc;
	while (
	    rc == KMS_OK && (rc = scan_next(s)) == KMS_OK && s->record.batch.number <= c->carried) {
		if (s->record.batch.number > c->erased)
			rc = find_in(db, &s->record, chain);
	}
	if (rc == KMS_E_NOT_FOUND)
		rc = KMS_OK;
	else if (rc != KMS_OK)
		fault_set(fault, rc, "%s", fault_text(&s->fault, rc));
	scan_close(s);
	c->unsought = rc != KMS_OK;
	return rc;
}

void
erase_through(const struct kmsdb *db, struct chains *chains)
{
	for (unsigned i = 0; i < chains->count; i++)
		if (!chains->list[i].unsought)
			chains->list[i].erased = chains->list[i].last;
	for (size_t i = 0; i < db->jobs.count; i++) {
		struct chain *c = &chains->list[db->jobs.list[i].chain];

		if (db->jobs.list[i].batch <= c->erased)
			c->erased = db->jobs.list[i].batch - 1;
	}
}

bool
erase_known(const struct kmsdb *db)
{
	for (size_t i = 0; i < db->jobs.count; i++) {
		const struct erase_job *job = &db->jobs.list[i];

		if (job->batch > db->chains.list[job->chain].carried)
			return false;
	}
	return true;
}

/* -- a pass -- */

static void
take_journals(struct erase_pass *p, const struct kmsdb *db)
{
	p->chains = db->chains.count;
	p->journals[0] = (struct erase_journal){ db->journal, db->journalfd, 0 };
	for (unsigned i = 1; i < p->chains; i++)
		p->journals[i] = (struct erase_journal){ foreign_journal(db->foreign[i]),
			foreign_segments(db->foreign[i]), 0 };
	for (unsigned i = 0; i < p->chains; i++)
		if (p->journals[i].journal != NULL)
			p->journals[i].last = journal_last(p->journals[i].journal);
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
	take_journals(p, db);
	p->index = db->index;
	p->fd = -1;
	p->more = p->floor > 0;
	return p;
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
	p->fd = openat(p->journals[p->at].fd, p->scan->segment,
	    O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return p->fd < 0 ? file_status(errno) : KMS_OK;
}

static int
erase_batch(struct erase_pass *p)
{
	const struct record *r = &p->scan->record;
	int rc = KMS_OK;

	for (uint32_t i = 0; i < r->batch.size && rc == KMS_OK; i++) {
		const struct item *item = &r->items[i];

		if (!wanted(p->jobs, p->count, item))
			continue;
		if ((rc = open_segment(p)) == KMS_OK)
			rc = journal_zero(p->journals[p->at].journal, p->first, p->fd,
			    p->scan->offset + (uint64_t)(item->aside - r->octets), item->aside_len);
		p->asides += rc == KMS_OK;
	}
	return rc;
}

/* The one at `at` is done. */
static int
next_journal(struct erase_pass *p)
{
	scan_close(p->scan);
	p->scan = NULL;
	p->at++;
	return close_segment(p);
}

static int
erase_journal(struct erase_pass *p)
{
	const struct erase_journal *j = &p->journals[p->at];
	struct fault fault = { 0 };
	int rc;

	if (j->last == 0)
		return next_journal(p);
	if (p->scan == NULL && (rc = scan_open(&p->scan, j->fd, NULL, 0, &fault)) != KMS_OK)
		return rc;
	for (int i = 0; i < STEP_BATCHES; i++) {
		if ((rc = scan_next(p->scan)) == KMS_OK)
			rc = erase_batch(p);
		if (rc == KMS_OK && p->scan->record.batch.number < j->last)
			continue;
		return rc != KMS_OK && rc != KMS_E_NOT_FOUND ? rc : next_journal(p);
	}
	return KMS_OK;
}

int
erase_step(struct erase_pass *p)
{
	int rc;

	if (p->at < p->chains)
		rc = erase_journal(p);
	else if (p->more)
		rc = index_blank(p->index, p->next, p->floor, STEP_ROWS, &p->more);
	else
		return KMS_OK;
	return rc == KMS_OK && (p->at < p->chains || p->more) ? ERASE_AGAIN : rc;
}

uint64_t
erase_end(struct kmsdb *db, struct erase_pass *p, bool done)
{
	uint64_t asides = p->asides;

	close_segment(p);
	scan_close(p->scan);
	/* Those that came meanwhile are behind it. Another chain may have such names, too. */
	if (done && p->chains == db->chains.count) {
		db->jobs.count -= p->count;
		memmove(db->jobs.list, db->jobs.list + p->count,
		    db->jobs.count * sizeof(*db->jobs.list));
	}
	free(p->jobs);
	free(p);
	return asides;
}
