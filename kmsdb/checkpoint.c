/*
 * checkpoint.c - when a generation freezes, and the writer thread that writes it to the index.
 *
 * The thread and the main thread share one state under one lock. The main thread freezes, waits
 * when it must, grows the map (LMDB allows that only while nothing else runs in it), and takes a
 * new snapshot before it frees what was written. When no thread can be started (RLIMIT_NPROC), the
 * main thread writes the generation itself.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <time.h>

#include "kmsdb/carry.h"
#include "kmsdb/erase.h"
#include "kmsdb/ledger.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

#define RETRY_SECONDS 1
#define NICE 10
#define ERASE_RETRY_SECONDS 60

enum state {
	IDLE,
	CARRY,  /* wanted or running */
	GROW,   /* waits for the main thread to grow the map */
	FAILED, /* tried again every RETRY_SECONDS */
	DONE,   /* waits for the main thread to take the result */
};

struct checkpoint {
	pthread_t thread;
	bool running, tried;
	pthread_mutex_t lock;
	pthread_cond_t work, finished;
	_Atomic enum state state; /* written under lock */
	int status;               /* of FAILED */
	bool stop, prepare;
	bool said;               /* the failure is in the log; main thread, which alone logs */
	struct erase_pass *pass; /* names being erased; NULL: none */
	_Atomic bool pass_ended; /* the thread does nothing more with it; written under lock */
	int pass_status;
	uint64_t pass_after; /* monotonic seconds: when one may begin, after one that failed */
};

int
checkpoint_open(struct kmsdb *db)
{
	struct checkpoint *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (c == NULL)
		return KMS_E_NO_MEMORY;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->work, &attr);
	pthread_cond_init(&c->finished, &attr);
	pthread_condattr_destroy(&attr);
	db->checkpoint = c;
	return KMS_OK;
}

/* Main thread, FAILED: logs it, once each time that it begins to fail. */
static void
say_failure(struct kmsdb *db, struct checkpoint *c)
{
	if (c->said)
		return;
	c->said = true;
	ledger_log(db, LOG_ERR, "checkpoint-failed",
	    "the index cannot be written: %s; activation goes on until memory for changes is full%s",
	    kms_strerror((uint32_t)c->status),
	    c->status == KMS_E_FULL ? ": free space on the disk of the state directory" : "");
}

/*
 * One attempt at the frozen generation; the lock is held before and after, but not during the
 * attempt.
 */
static void
attempt(struct kmsdb *db, struct checkpoint *c)
{
	int rc;

	c->state = CARRY;
	pthread_mutex_unlock(&c->lock);
	rc = carry(db->index, &db->seats, db->frozen);
	pthread_mutex_lock(&c->lock);
	c->status = rc;
	c->state = rc == KMS_OK ? DONE : rc == INDEX_MAP_FULL ? GROW : FAILED;
	pthread_cond_broadcast(&c->finished);
}

static void
wait_for_work(struct checkpoint *c)
{
	struct timespec ts = { 0 };

	if (c->state != FAILED) {
		pthread_cond_wait(&c->work, &c->lock);
		return;
	}
	ts.tv_sec = (time_t)clock_seconds() + RETRY_SECONDS;
	if (pthread_cond_timedwait(&c->work, &c->lock, &ts) == ETIMEDOUT && c->state == FAILED)
		c->state = CARRY;
}

/* A part of the pass under way; the lock is held before and after. */
static void
erase_some(struct checkpoint *c)
{
	struct erase_pass *pass = c->pass;
	int rc;

	pthread_mutex_unlock(&c->lock);
	rc = erase_step(pass);
	pthread_mutex_lock(&c->lock);
	c->pass_status = rc;
	c->pass_ended = rc != ERASE_AGAIN;
}

static void *
writer(void *arg)
{
	struct kmsdb *db = arg;
	struct checkpoint *c = db->checkpoint;

	/* For this thread only: answering clients has priority. */
	setpriority(PRIO_PROCESS, 0, NICE);
	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (c->prepare) {
			c->prepare = false;
			pthread_mutex_unlock(&c->lock);
			journal_prepare(db->journal);
			pthread_mutex_lock(&c->lock);
		} else if (c->state == CARRY) {
			attempt(db, c);
		} else if (c->pass != NULL && !c->pass_ended) {
			erase_some(c);
		} else {
			wait_for_work(c);
		}
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int
checkpoint_start(struct kmsdb *db)
{
	struct checkpoint *c = db->checkpoint;
	sigset_t all, old;
	int rc;

	if (c->tried)
		return c->running ? KMS_OK : KMS_E_LIMIT;
	c->tried = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&c->thread, NULL, writer, db);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->running = rc == 0;
	if (rc != 0)
		ledger_log(db, LOG_WARNING, "checkpoint-thread",
		    "no writer thread (%s): each checkpoint delays the answers", strerror(rc));
	return c->running ? KMS_OK : KMS_E_LIMIT;
}

void
checkpoint_close(struct kmsdb *db)
{
	struct checkpoint *c = db->checkpoint;

	if (c == NULL)
		return;
	if (c->running) {
		pthread_mutex_lock(&c->lock);
		c->stop = true;
		pthread_cond_signal(&c->work);
		pthread_mutex_unlock(&c->lock);
		pthread_join(c->thread, NULL);
	}
	if (c->pass != NULL)
		erase_end(db, c->pass, c->pass_ended && c->pass_status == KMS_OK);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->finished);
	pthread_mutex_destroy(&c->lock);
	free(c);
	db->checkpoint = NULL;
}

/* Lets the thread do it, or does it here. The lock is held. */
static void
go(struct kmsdb *db, struct checkpoint *c)
{
	c->state = CARRY;
	if (c->running)
		pthread_cond_signal(&c->work);
	else
		attempt(db, c);
}

static int
grow(struct kmsdb *db, struct checkpoint *c)
{
	int rc = index_grow(db->index);
	struct index_size size;

	if (rc != KMS_OK) {
		c->status = rc;
		c->state = FAILED;
		return rc;
	}
	index_size(db->index, &size);
	ledger_log(db, LOG_INFO, "index-map", "the index's map grew to %llu MiB",
	    (unsigned long long)(size.map >> 20));
	go(db, c);
	return KMS_OK;
}

/* Everything is written: take a new snapshot of the index, then free the generation. */
static int
take_over(struct kmsdb *db, struct checkpoint *c)
{
	int rc = index_refresh(db->index);

	/* Without a snapshot lookups fail, and the frozen generation stays; see checkpoint_poll. */
	if (rc != KMS_OK)
		return rc;
	db->meta.last = db->frozen->last;
	memcpy(db->meta.hash, db->frozen->hash, 32);
	db->meta.floors = db->frozen->floors;
	for (unsigned i = 0; i < db->frozen->chains.count; i++)
		db->chains.list[i].carried = db->frozen->chains.list[i].last;
	generation_clear(db->frozen);
	db->frozen = NULL;
	db->checkpoints++;
	c->said = false;
	c->state = IDLE;
	return KMS_OK;
}

/* Main thread: takes the result of the pass that ended. */
static void
take_pass(struct kmsdb *db, struct checkpoint *c)
{
	bool done = c->pass_status == KMS_OK;
	uint64_t asides = erase_end(db, c->pass, done);

	c->pass = NULL;
	c->pass_ended = false;
	if (done) {
		ledger_log(db, LOG_INFO, "names-erased", "the names beside %llu entries",
		    (unsigned long long)asides);
		return;
	}
	c->pass_after = clock_seconds() + ERASE_RETRY_SECONDS;
	ledger_log(db, LOG_ERR, "erase-failed",
	    "names cannot be overwritten: %s; kmsd tries again every minute",
	    kms_strerror((uint32_t)c->pass_status));
}

/*
 * Main thread, between batches: begins a pass when there is something to erase that the index
 * knows. Before, a row there may be older than one in memory whose names stay, and which has no
 * names of its own.
 */
static void
begin_pass(struct kmsdb *db, struct checkpoint *c)
{
	if (c->pass_ended)
		take_pass(db, c);
	if (c->pass == NULL && db->jobs.count > 0 && erase_known(db) &&
	    clock_seconds() >= c->pass_after)
		c->pass = erase_begin(db);
	if (c->pass == NULL)
		return;
	if (c->running)
		pthread_cond_signal(&c->work);
	else if (c->state != CARRY)
		erase_some(c);
}

void
checkpoint_poll(struct kmsdb *db)
{
	struct checkpoint *c = db->checkpoint;
	enum state state;

	if (c == NULL || (state = c->state) == IDLE || state == CARRY ||
	    (state == FAILED && c->said))
		return;
	pthread_mutex_lock(&c->lock);
	if (c->state == FAILED)
		say_failure(db, c);
	if (c->state == GROW)
		grow(db, c);
	if (c->state == DONE)
		take_over(db, c);
	pthread_mutex_unlock(&c->lock);
}

/* Without memory nothing is frozen: the next call tries again. */
static int
freeze(struct kmsdb *db, struct checkpoint *c)
{
	int rc;

	/* With batches of other chains alone: nothing is frozen, so the index has all before. */
	if (db->active->batch_count == 0) {
		db->active->last = db->meta.last;
		memcpy(db->active->hash, db->meta.hash, 32);
	}
	if ((rc = usage_freeze(&db->usage, &db->active->usage, db->active->last)) != KMS_OK)
		return rc;
	db->frozen = db->active;
	db->active = &db->generations[db->frozen == &db->generations[0]];
	db->frozen->seat_count = db->seats.count;
	db->frozen->counter = db->counter;
	db->frozen->floors = db->floors;
	db->frozen->chains = db->chains;
	db->frozen->chains.list[0].last = db->frozen->last;
	memcpy(db->frozen->chains.list[0].hash, db->frozen->hash, 32);
	db->frozen->base = db->base;
	db->frozen->first = db->first;
	db->frozen->expires = db->floors.refusals != db->meta.floors.refusals ||
			      db->floors.forgotten != db->meta.floors.forgotten ||
			      db->floors.relayed != db->meta.floors.relayed;
	erase_through(db, &db->frozen->chains);
	go(db, c);
	return KMS_OK;
}

/* Waits until nothing is frozen. A failed attempt is repeated once, at once. The lock is held. */
static int
settle(struct kmsdb *db, struct checkpoint *c)
{
	int rc = KMS_OK;

	if (c->state == FAILED)
		go(db, c);
	while (rc == KMS_OK && c->state != IDLE) {
		switch ((enum state)c->state) {
		case CARRY:
			pthread_cond_wait(&c->finished, &c->lock);
			break;
		case GROW:
			rc = grow(db, c);
			break;
		case DONE:
			rc = take_over(db, c);
			break;
		default:
			say_failure(db, c);
			rc = c->status;
		}
	}
	return rc;
}

int
checkpoint_room(struct kmsdb *db)
{
	struct checkpoint *c = db->checkpoint;
	int rc;

	if (!generation_full(db->active, db->opt.overlay_records))
		return KMS_OK;
	pthread_mutex_lock(&c->lock);
	rc = settle(db, c);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void
checkpoint_due(struct kmsdb *db)
{
	struct checkpoint *c = db->checkpoint;
	bool due = !generation_empty(db->active) &&
		   (generation_full(db->active, db->opt.overlay_records) || !erase_known(db) ||
		       clock_seconds() - db->active->since >= db->opt.checkpoint_seconds);

	if (!due && !journal_wants_segment(db->journal) && db->jobs.count == 0)
		return;
	pthread_mutex_lock(&c->lock);
	if (db->jobs.count > 0)
		begin_pass(db, c);
	if (due && c->state == IDLE)
		freeze(db, c);
	if (c->running && journal_wants_segment(db->journal)) {
		c->prepare = true;
		pthread_cond_signal(&c->work);
	}
	pthread_mutex_unlock(&c->lock);
	checkpoint_poll(db);
}

int
checkpoint_all(struct kmsdb *db)
{
	struct checkpoint *c = db->checkpoint;
	int rc;

	pthread_mutex_lock(&c->lock);
	rc = settle(db, c);
	if (rc == KMS_OK && !generation_empty(db->active) && (rc = freeze(db, c)) == KMS_OK)
		rc = settle(db, c);
	pthread_mutex_unlock(&c->lock);
	return rc;
}
