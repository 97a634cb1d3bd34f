/*
 * top_sample.c - see top_sample.h.
 */
#include "kmsctl/report/top_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/ledger/recent_ask.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

/* So that looking costs the host little, however much it has to do. */
#define PAGES 4           /* of the journal, a look */
#define FIRST_BATCHES 256 /* before the newest, at the first look */

void
top_sample_take(struct ctl *ctl, struct top_sample *s)
{
	struct fault ignored = { 0 };
	uint64_t locked = 0;

	memset(s, 0, sizeof(*s));
	s->ms = clock_ms();
	/* The first to ask says why there is no answer. */
	s->rc = ask_quietly(ctl, CONTROL_METRICS, NULL, &s->metrics, &s->fault);
	if (s->rc != KMS_OK)
		return;
	report_pools_ask(ctl, &s->pools);
	reply_number(reply_next(&s->pools.status, "service", NULL), "locked", &locked);
	s->locked = locked != 0;
	/* A locked host tells no usage; a failure here is one of the next sample, too. */
	usage_sums_today(ctl, &s->pools, (uint64_t)time(NULL), &s->today, &ignored);
}

void
top_sample_free(struct top_sample *s)
{
	report_pools_free(&s->pools);
	reply_free(&s->metrics);
	usage_sums_free(&s->today);
	memset(s, 0, sizeof(*s));
}

/* Of all answers, or of the refusals among them. */
static uint64_t
sum(const struct top_sample *s, bool refusals)
{
	const struct reply_row *row = NULL;
	uint64_t all = 0, count, refusal;

	while ((row = reply_next(&s->metrics, "answers", row)) != NULL)
		if (reply_number(row, "count", &count) && reply_number(row, "refusal", &refusal) &&
		    (refusal || !refusals))
			all += count;
	return all;
}

uint64_t
top_requests(const struct top_sample *s)
{
	return sum(s, false);
}

uint64_t
top_refusals(const struct top_sample *s)
{
	return sum(s, true);
}

uint64_t
top_answers(const struct top_sample *s, const char *symbol)
{
	const struct reply_row *row = NULL;
	const char *status;
	uint64_t count = 0;

	while ((row = reply_next(&s->metrics, "answers", row)) != NULL)
		if ((status = reply_text(row, "status")) != NULL && strcmp(status, symbol) == 0)
			reply_number(row, "count", &count);
	return count;
}

bool
top_comparable(const struct top_sample *before, const struct top_sample *now)
{
	uint64_t a = 0, b = 0;

	return before->rc == KMS_OK && now->rc == KMS_OK && before->ms < now->ms &&
	       reply_number(reply_next(&before->pools.status, "service", NULL), "pid", &a) &&
	       reply_number(reply_next(&now->pools.status, "service", NULL), "pid", &b) && a == b;
}

/* -- who -- */

static int
newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct top_refused *)a)->last,
		 y = ((const struct top_refused *)b)->last;

	return (x < y) - (x > y);
}

/* The client's place in the list; a new one takes that of the oldest. */
static struct top_refused *
place_of(struct top_who *w, const struct entry_client *e)
{
	struct top_refused *oldest = &w->list[0];

	for (unsigned i = 0; i < w->count; i++) {
		struct top_refused *r = &w->list[i];

		if (r->status == e->status && memcmp(r->cmid, e->cmid, 16) == 0)
			return r;
		if (r->last < oldest->last)
			oldest = r;
	}
	if (w->count < TOP_REFUSED)
		oldest = &w->list[w->count++];
	*oldest = (struct top_refused){ .status = e->status };
	memcpy(oldest->cmid, e->cmid, 16);
	return oldest;
}

static void
add_entry(const struct entry_client *e, const struct aside *names, uint64_t batch, void *arg)
{
	struct top_refused *r;

	(void)batch;
	if (e->kind != ENTRY_REFUSAL)
		return;
	r = place_of(arg, e);
	r->times++;
	r->last = e->time;
	memcpy(r->address, names->address, 16);
	snprintf(r->name, sizeof(r->name), "%s", names->name);
}

void
top_who_look(struct ctl *ctl, struct top_who *w, const struct top_sample *now)
{
	const struct reply_row *ledger = reply_next(&now->pools.status, "ledger", NULL);
	const struct recent_calls calls = { .client = add_entry, .arg = w };
	struct fault ignored = { 0 };
	struct recent t = { 0 };
	uint64_t newest, from;

	if (now->locked || !reply_number(ledger, "last-batch", &newest) || newest == 0)
		return;
	/* Or it was restored, and went back. */
	if (w->next == 0 || w->next > newest + 1)
		w->next = newest > FIRST_BATCHES ? newest - FIRST_BATCHES : 1;
	from = w->next;
	w->next = newest + 1;
	w->skipped = false;
	for (unsigned page = 0; from != 0; page++) {
		if ((w->skipped = page == PAGES) ||
		    recent_ask_page(ctl, &t, &from, 0, &calls, &ignored) != KMS_OK)
			break;
		if (t.to_batch >= w->next)
			w->next = t.to_batch + 1;
	}
	qsort(w->list, w->count, sizeof(w->list[0]), newest_first);
}
