/*
 * retention.c - see retention.h. A step waits for the clients of the batch under way, and the next
 * one for those that asked meanwhile.
 */
#include "kmsd/activate/retention.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"

#define PAUSE_US 20000 /* between two steps */
/* Seconds after the start: what is dropped does not come back, and a wrong clock is mended by then.
 */
#define QUIET 3600
#define SECONDS_A_DAY UINT64_C(86400)

struct retention {
	struct activate *a;
	struct event *turn;
	uint64_t said; /* seconds that keep was raised to, as the log has it; 0: it was not */
};

uint64_t
retention_keep(unsigned keep, uint64_t least)
{
	uint64_t seconds = keep * SECONDS_A_DAY;

	return keep == 0 || seconds > least ? seconds : least;
}

static uint64_t
keep_now(struct retention *r)
{
	unsigned keep = r->a->config.keep;
	uint64_t least = publishers_audit_keep(&r->a->publishers),
		 seconds = retention_keep(keep, least);
	bool raised = seconds > keep * SECONDS_A_DAY;

	if (raised && r->said != seconds)
		log_event(LOG_WARNING, "keep-raised",
		    "[ledger] keep = %ud is less than a publisher's pack asks for (audit-keep): the journal is kept for %llu days",
		    keep, (unsigned long long)((seconds + SECONDS_A_DAY - 1) / SECONDS_A_DAY));
	r->said = raised ? seconds : 0;
	return seconds;
}

/* One step, committed. */
static int
step(struct retention *r, const struct kmsdb_retention *how, enum kmsdb_retain_next *next)
{
	struct activate *a = r->a;
	int committed, rc = opening_stage(a);

	*next = KMSDB_RETAIN_IDLE;
	if (rc == KMS_OK)
		rc = kmsdb_retain(a->db, how, next);
	/* What was staged before an error is right by itself. */
	committed = pending_commit(a);
	return rc != KMS_OK ? rc : committed;
}

static void
go_on(struct retention *r)
{
	enum kmsdb_retain_next next = KMSDB_RETAIN_IDLE;
	struct activate *a = r->a;
	struct kmsdb_retention how = { 0 };
	int rc;

	if (a->config.keep == 0 || a->now < a->started + QUIET || !activate_may_write(a))
		return;
	pending_finish(a);
	activate_clock(a);
	how.keep = keep_now(r);
	how.now = a->now;
	memcpy(how.host_id, host_identity_id(a->key), sizeof(how.host_id));
	do {
		rc = step(r, &how, &next);
	} while (rc == KMS_OK && next == KMSDB_RETAIN_NOW);
	if (rc != KMS_OK)
		log_limited(LOG_ERR, "retention-failed",
		    "old segments of the journal cannot be dropped: %s; kmsd tries again",
		    kms_strerror((uint32_t)rc));
	else if (next == KMSDB_RETAIN_SOON)
		loop_timer(r->turn, PAUSE_US);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	go_on(arg);
}

void
retention_tick(struct retention *r)
{
	if (!event_pending(r->turn, EV_TIMEOUT, NULL))
		go_on(r);
}

struct retention *
retention_new(struct activate *a)
{
	struct retention *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->a = a;
	r->turn = event_new(a->base, -1, 0, on_turn, r);
	if (r->turn == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void
retention_free(struct retention *r)
{
	if (r == NULL)
		return;
	event_free(r->turn);
	free(r);
}
