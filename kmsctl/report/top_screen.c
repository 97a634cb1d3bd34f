/*
 * top_screen.c - see top_screen.h. What matters most is printed first: a terminal shows as much as
 * it has lines.
 */
#include "kmsctl/report/top_screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/host/pool_words.h"
#include "kmsctl/host/serving.h"
#include "kmsctl/ledger/clients.h"
#include "kmsd/common/alerts.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

#define TEXT 128

struct view {
	struct ctl *ctl;
	struct output *o;
	const struct top_sample *before, *now;
	bool rates;
};

/* Tenths a second: "12.5". What happened between the samples. */
static void
rate_text(char out[TEXT], const struct view *v, uint64_t before, uint64_t now)
{
	uint64_t ms = (uint64_t)(v->now->ms - v->before->ms), tenths;

	if (!v->rates) {
		snprintf(out, TEXT, "-");
		return;
	}
	tenths = ((now > before ? now - before : 0) * 10000 + ms / 2) / ms;
	snprintf(out, TEXT, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
}

static void
put_rate(const struct view *v, const char *key, const char *label, uint64_t before, uint64_t now)
{
	char text[TEXT];

	rate_text(text, v, before, now);
	output_put(v->o,
	    &(struct output_field){
		.key = key, .label = label, .text = v->rates ? text : NULL, .none = !v->rates });
}

static void
show_host(const struct view *v)
{
	const struct reply_row *row = reply_next(&v->now->pools.status, "service", NULL);
	const char *host = reply_text(row, "host-name"), *version = reply_text(row, "version");
	uint64_t requests = top_requests(v->now), refusals = top_refusals(v->now), started = 0;
	char rate[TEXT], refused[TEXT], since[OUTPUT_WHEN], time_text[OUTPUT_WHEN];

	reply_number(row, "started", &started);
	rate_text(rate, v, top_requests(v->before), requests);
	rate_text(refused, v, top_refusals(v->before), refusals);
	output_line(v->o, OUTPUT_HEADING, "%s  kmsd %s on %s",
	    output_when(time_text, (uint64_t)time(NULL)), version != NULL ? version : "?",
	    host != NULL ? host : "?");
	output_line(v->o, OUTPUT_PLAIN,
	    "Requests: %s a second, refused: %s a second. Since %s: %" PRIu64 ", %" PRIu64
	    " of them refused",
	    rate, refused, output_when(since, started), requests, refusals);
	output_time(v->o, "started", NULL, started);
	output_number(v->o, "requests", NULL, requests);
	output_number(v->o, "refusals", NULL, refusals);
	put_rate(v, "requests_per_second", NULL, top_requests(v->before), requests);
	put_rate(v, "refusals_per_second", NULL, top_refusals(v->before), refusals);
}

/* What refuses every client now. */
static void
show_problems(const struct view *v)
{
	const struct reply *status = &v->now->pools.status;
	const struct reply_row *row = NULL;
	char why[SERVING_TEXT];
	const char *name, *next;

	if (v->now->locked) {
		output_line(v->o, OUTPUT_BAD,
		    "The host is locked and serves no client, because its keys need their passphrase: kmsctl unlock");
		return;
	}
	while ((row = reply_next(status, "publisher", row)) != NULL) {
		name = reply_text(row, "name");
		if (serving_refuses(why, &next, row, (uint64_t)time(NULL)) != KMS_OK)
			output_line(v->o, OUTPUT_BAD, "%s: every client is refused: %s: %s",
			    name != NULL ? name : "?", why, next);
	}
}

/* -- pools -- */

/* "5", or "5 to 25" where the products of a pool differ; "-": no product has it. */
static void
threshold_text(char out[TEXT], const struct view *v, const struct report_pool *p, uint64_t *least)
{
	const struct reply_row *row = NULL;
	uint64_t required, most = 0;
	const char *pool, *publisher;

	*least = UINT64_MAX;
	while ((row = reply_next(&v->now->pools.status, "product", row)) != NULL) {
		pool = reply_text(row, "pool");
		publisher = reply_text(row, "publisher");
		if (pool == NULL || publisher == NULL || strcmp(pool, p->name) != 0 ||
		    strcmp(publisher, p->publisher_name) != 0 ||
		    !reply_number(row, "required", &required))
			continue;
		*least = required < *least ? required : *least;
		most = required > most ? required : most;
	}
	if (*least == UINT64_MAX) {
		*least = 0;
		snprintf(out, TEXT, "-");
	} else if (*least == most) {
		snprintf(out, TEXT, "%" PRIu64, most);
	} else {
		snprintf(out, TEXT, "%" PRIu64 " to %" PRIu64, *least, most);
	}
}

static const struct usage_sum *
today_of(const struct view *v, const struct report_pool *p)
{
	static const struct usage_sum none;
	const struct usage_sums *s = &v->now->today;

	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].pool == p->number &&
		    memcmp(s->list[i].publisher, p->publisher, 8) == 0)
			return &s->list[i];
	return &none;
}

static void
show_pool(const struct view *v, const struct report_pool *p, const struct reply_row *row)
{
	const struct usage_sum *today = today_of(v, p);
	char threshold[TEXT], counted[TEXT];
	struct pool_seats seats;
	enum output_style style;
	uint64_t least;

	pool_seats(&seats, row);
	threshold_text(threshold, v, p, &least);
	snprintf(counted, sizeof(counted), "%" PRIu64, seats.counted);
	style = pool_full(&seats) ? OUTPUT_BAD
		: seats.counted < least ||
			(seats.capacity != 0 &&
			    seats.counted >= alerts_pool_at(&v->ctl->config, seats.capacity))
		    ? OUTPUT_WARN
		    : OUTPUT_GOOD;
	output_row(v->o);
	output_text(v->o, "pool", "Pool", p->name);
	output_put(v->o,
	    &(struct output_field){
		.key = "publisher", .label = "Publisher", .text = p->publisher_name, .spare = 1 });
	output_put(v->o, &(struct output_field){ .key = "counted",
			     .label = "Count",
			     .type = OUTPUT_NUMBER,
			     .style = style,
			     .number = seats.counted });
	output_put(v->o, &(struct output_field){ .key = "capacity",
			     .label = "Capacity",
			     .type = OUTPUT_LIMIT,
			     .number = seats.capacity });
	output_text(v->o, "threshold", "Threshold", threshold);
	output_number(v->o, "peak", "Peak today", today->peak);
	output_put(v->o, &(struct output_field){ .key = "first",
			     .label = "New",
			     .type = OUTPUT_NUMBER,
			     .number = today->first,
			     .spare = 2 });
	output_put(v->o, &(struct output_field){ .key = "renewals",
			     .label = "Renewed",
			     .type = OUTPUT_NUMBER,
			     .number = today->renewals,
			     .spare = 3 });
	output_number(v->o, "refusals", "Refused", today->refusals);
}

static void
show_pools(const struct view *v, unsigned most)
{
	const struct report_pools *pools = &v->now->pools;
	unsigned shown = 0;

	output_list(v->o, "pools", "Pools");
	for (unsigned i = 0; i < pools->count; i++) {
		const struct report_pool *p = &pools->list[i];
		const struct reply_row *row = pool_row(&pools->status, p->publisher, p->number);

		if (row != NULL && shown++ < most)
			show_pool(v, p, row);
	}
	output_end(v->o);
	if (shown > most)
		output_line(
		    v->o, OUTPUT_PLAIN, "and %u more pools: kmsctl status --all", shown - most);
}

/* -- refusals -- */

struct cause {
	const struct reply_row *row;
	uint64_t count, late; /* since the start; between the samples */
};

static int
by_count(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;

	if (x->late != y->late)
		return (x->late < y->late) - (x->late > y->late);
	return (x->count < y->count) - (x->count > y->count);
}

static size_t
find_causes(const struct view *v, struct cause *out, size_t max)
{
	const struct reply_row *row = NULL;
	uint64_t refusal, count, before;
	size_t n = 0;

	while (n < max && (row = reply_next(&v->now->metrics, "answers", row)) != NULL) {
		if (!reply_number(row, "refusal", &refusal) || !refusal ||
		    !reply_number(row, "count", &count) || reply_text(row, "status") == NULL)
			continue;
		before = v->rates ? top_answers(v->before, reply_text(row, "status")) : count;
		out[n++] = (struct cause){ row, count, count > before ? count - before : 0 };
	}
	if (n > 0)
		qsort(out, n, sizeof(out[0]), by_count);
	return n;
}

#define CAUSES 64

static void
show_causes(const struct view *v, unsigned most)
{
	struct cause causes[CAUSES];
	size_t n = find_causes(v, causes, CAUSES);

	n = n < most ? n : most;
	output_list(v->o, "causes", n > 0 ? "Why, since kmsd started" : NULL);
	for (size_t i = 0; i < n; i++) {
		const struct cause *c = &causes[i];

		output_row(v->o);
		output_number(v->o, "refusals", "Refusals", c->count);
		put_rate(v, "per_second", "A second", c->count - c->late, c->count);
		output_text(v->o, "symbol", "Refused with", reply_text(c->row, "status"));
		output_put(v->o, &(struct output_field){ .key = "remedy",
				     .label = "What to do",
				     .text = reply_text(c->row, "remedy") });
	}
	output_end(v->o);
}

static void
show_who(const struct view *v, const struct top_who *who, unsigned most)
{
	unsigned n = who->count < most ? who->count : most;
	char cmid[33];

	output_list(v->o, "clients", n > 0 ? "Who, latest first" : NULL);
	for (unsigned i = 0; i < n; i++) {
		const struct top_refused *r = &who->list[i];

		hex_format(cmid, r->cmid, 16);
		if (!v->ctl->json)
			cmid[CLIENT_SHORT_CMID] = '\0';
		output_row(v->o);
		output_time(v->o, "last", "Last", r->last);
		output_text(v->o, "name", "Name", r->name[0] != '\0' ? r->name : NULL);
		client_print_address(v->o, "Address", r->address);
		output_put(v->o, &(struct output_field){
				     .key = "cmid", .label = "CMID", .text = cmid, .spare = 1 });
		output_text(v->o, "symbol", "Refused with", kms_error_find(r->status)->symbol);
		output_number(v->o, "times", "Recorded", r->times);
	}
	output_end(v->o);
	if (who->skipped)
		output_line(v->o, OUTPUT_PLAIN,
		    "There are more refusals than these: kmsctl report refusals --since 1h");
}

void
top_show(struct ctl *ctl, struct output *o, const struct top_sample *before,
    const struct top_sample *now, const struct top_who *who, const struct top_rows *most)
{
	const struct view v = { ctl, o, before, now, top_comparable(before, now) };

	show_host(&v);
	show_problems(&v);
	show_pools(&v, most->pools);
	show_causes(&v, most->causes);
	show_who(&v, who, most->clients);
}
