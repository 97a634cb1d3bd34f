/*
 * report.c - report usage, classes, refusals, clients, expiry: for people who look back, or plan
 * ahead.
 */
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/clients.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "kmsctl/report/class_sums.h"
#include "kmsctl/report/expiry.h"
#include "kmsctl/report/html.h"
#include "kmsctl/report/pools.h"
#include "kmsctl/report/products.h"
#include "kmsctl/report/refusals.h"
#include "kmsctl/report/usage_sums.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

#define DAY UINT64_C(86400)
#define LIMIT 1000 /* clients of report refusals */

struct report_options {
	uint64_t from, to; /* seconds; 0: not given */
	uint64_t since;    /* the same: a time, or a duration before now */
	uint64_t limit;
	const char *by, *pool, *product;
	bool all;
};

static bool
read_from(void *field, const char *text)
{
	return value_time_parse(field, text, false);
}

static bool
read_to(void *field, const char *text)
{
	return value_time_parse(field, text, true);
}

static bool
read_since(void *field, const char *text)
{
	uint64_t minutes, now = (uint64_t)time(NULL);

	if (value_time_parse(field, text, false))
		return true;
	if (!value_minutes_parse(&minutes, text) || minutes == 0 || minutes > now / 60)
		return false;
	*(uint64_t *)field = now - minutes * 60;
	return true;
}

/* A report under way. */
struct report {
	const struct report_options *options;
	struct report_pools pools;
	uint64_t from, to;
	enum period_by by;
};

static int
read_period(struct ctl *ctl, struct report *r)
{
	static const char *const names[] = { "day", "week", "month" };
	static const unsigned days[] = { 30, 364, 365 };
	const struct report_options *o = r->options;
	uint64_t now = (uint64_t)time(NULL);
	unsigned by = 0;

	while (o->by != NULL && by < 3 && strcmp(o->by, names[by]) != 0)
		by++;
	if (by == 3)
		return fail(
		    ctl, KMS_E_ARGUMENT, "--by takes day, week or month, not \"%s\"", o->by);
	r->by = (enum period_by)by;
	r->to = o->to != 0 ? o->to : now;
	r->from = o->from != 0 ? o->from : o->since;
	/* As many whole periods, the first of them too. */
	if (r->from == 0 && r->to > days[by] * DAY)
		r->from = period_begin((uint32_t)(r->to / DAY - days[by]), r->by) * DAY;
	if (r->from > r->to)
		return fail(ctl, KMS_E_ARGUMENT, "the end of the report is before its beginning");
	if (ctl->csv + ctl->json + ctl->html > 1)
		return fail(ctl, KMS_E_ARGUMENT, "--csv, --html and --json exclude each other");
	return CTL_OK;
}

/* CTL_OK: r is to be freed. */
static int
begin(struct ctl *ctl, struct report *r, const char *title)
{
	int code;

	memset(r, 0, sizeof(*r));
	r->options = ctl->options;
	if ((code = read_period(ctl, r)) != CTL_OK)
		return code;
	clients_checkpoint(ctl);
	report_pools_ask(ctl, &r->pools);
	code = report_pools_choose(ctl, &r->pools, r->options->pool, r->options->product);
	if (code != CTL_OK) {
		report_pools_free(&r->pools);
		return code;
	}
	if (ctl->html)
		html_title(ctl->out, title, r->from, r->to);
	/* All questions to kmsd that need root's rights are asked. */
	output_bool(ctl->out, "running", NULL, r->pools.running);
	output_time(ctl->out, "from", NULL, r->from);
	output_time(ctl->out, "to", NULL, r->to);
	return CTL_OK;
}

static int
run_usage(struct ctl *ctl)
{
	struct usage_sums sums;
	struct fault fault = { 0 };
	struct report r;
	int rc, code = begin(ctl, &r, "Usage");

	if (code != CTL_OK)
		return code;
	rc = usage_sums_read(ctl, &r.pools, r.from, r.to, r.by, &sums, &fault);
	if (rc != KMS_OK)
		code = ledger_failed(ctl, rc, &fault);
	else if (ctl->html)
		html_usage(ctl->out, &sums, &r.pools, r.by);
	else
		usage_sums_print(ctl, &sums, &r.pools, r.by);
	if (rc == KMS_OK && sums.count == 0)
		output_line(ctl->out, OUTPUT_PLAIN, "No pool was used in that time.");
	usage_sums_free(&sums);
	report_pools_free(&r.pools);
	return code;
}

static int
run_classes(struct ctl *ctl)
{
	const struct report_options *o = ctl->options;
	struct report r;
	int code = begin(ctl, &r, "Classes");

	if (code != CTL_OK)
		return code;
	code = report_classes(ctl, &r.pools, r.from, r.to, o->all);
	report_pools_free(&r.pools);
	return code;
}

static int
run_refusals(struct ctl *ctl)
{
	const struct report_options *o = ctl->options;
	struct report r;
	int code = begin(ctl, &r, "Refusals");

	if (code != CTL_OK)
		return code;
	code = report_refusals(ctl, &r.pools,
	    &(struct refusals_wanted){ .from = r.from,
		.to = r.to,
		.by = o->by != NULL ? &r.by : NULL,
		.limit = o->limit != 0 ? o->limit : LIMIT,
		.all = o->all });
	report_pools_free(&r.pools);
	return code;
}

static int
run_clients(struct ctl *ctl)
{
	struct report r;
	int code = begin(ctl, &r, "Clients");

	if (code != CTL_OK)
		return code;
	code = report_clients(ctl, &r.pools, r.from, r.to, r.options->by != NULL ? &r.by : NULL);
	report_pools_free(&r.pools);
	return code;
}

/* Ahead, where the others look back. */
static int
run_expiry(struct ctl *ctl)
{
	const struct report_options *o = ctl->options;
	uint64_t now = (uint64_t)time(NULL);
	struct report r;
	int code = begin(ctl, &r, "Expiry");

	if (code != CTL_OK)
		return code;
	code = report_expiry(
	    ctl, &r.pools, o->from != 0 ? o->from : now, o->to != 0 ? o->to : now + 90 * DAY, r.by);
	report_pools_free(&r.pools);
	return code;
}

#define FROM                                                                                       \
	{                                                                                          \
		"from", 0, "TIME", "the first day",                                                \
		    .offset = offsetof(struct report_options, from), .read = read_from,            \
		    .takes = "a date, or a time such as 2026-11-23T14:00:00Z"                      \
	}
#define TO                                                                                         \
	{                                                                                          \
		"to", 0, "TIME", "the last day",                                                   \
		    .offset = offsetof(struct report_options, to), .read = read_to,                \
		    .takes = "a date, or a time such as 2026-11-23T14:00:00Z"                      \
	}
#define BY                                                                                         \
	{                                                                                          \
		"by", 0, "PERIOD", "day, week or month",                                           \
		    .offset = offsetof(struct report_options, by),                                 \
		    .complete = "words day week month"                                             \
	}
#define POOL                                                                                       \
	{                                                                                          \
		"pool", 0, "NAME", "only the pool of this name",                                   \
		    .offset = offsetof(struct report_options, pool)                                \
	}
#define PRODUCT                                                                                    \
	{                                                                                          \
		"product", 0, "NAME|UUID", "only the pool that counts this product",               \
		    .offset = offsetof(struct report_options, product), .complete = "ask products" \
	}
#define HTML                                                                                       \
	{                                                                                          \
		"html", 0, NULL, "print one HTML file, with charts",                               \
		    .offset = offsetof(struct ctl, html), .shared = true                           \
	}
static const struct option_row usage_rows[] = {
	FROM,
	TO,
	BY,
	POOL,
	PRODUCT,
	CTL_CSV,
	HTML,
	{ 0 },
};
static const struct option_row expiry_rows[] = { FROM, TO, BY, POOL, PRODUCT, CTL_CSV, HTML,
	{ 0 } };
static const struct option_row clients_rows[] = { FROM, TO, BY, POOL, PRODUCT, CTL_CSV, HTML,
	{ 0 } };
#define ALL                                                                                        \
	{                                                                                          \
		"all", 0, NULL, "read the whole journal",                                          \
		    .offset = offsetof(struct report_options, all)                                 \
	}
static const struct option_row classes_rows[] = { FROM, TO, POOL, PRODUCT, ALL, CTL_CSV, HTML,
	{ 0 } };
static const struct option_row refusals_rows[] = {
	{ "since", 0, "DURATION|TIME", "only since this time, or for this long, such as 24h",
	    .offset = offsetof(struct report_options, since), .read = read_since,
	    .takes =
		"a duration such as 24h or 7d, a date, or a time such as 2026-11-23T14:00:00Z" },
	FROM,
	TO,
	BY,
	POOL,
	PRODUCT,
	{ "limit", 0, "N", "show at most N clients",
	    .offset = offsetof(struct report_options, limit), .read = option_count,
	    .takes = "a number from 1" },
	ALL,
	CTL_CSV,
	HTML,
	{ 0 },
};

const struct ctl_command cmd_report_usage = {
	.line.noun = "report",
	.line.verb = "usage",
	.line.summary = "show how much of each pool was used, by day, week or month",
	.line.options = usage_rows,
	.line.values = sizeof(struct report_options),
	.paged = true,
	.run = run_usage,
};
const struct ctl_command cmd_report_classes = {
	.line.noun = "report",
	.line.verb = "classes",
	.line.summary = "show how many seats each class of kms.ini had",
	.line.options = classes_rows,
	.line.values = sizeof(struct report_options),
	.paged = true,
	.run = run_classes,
};
const struct ctl_command cmd_report_refusals = {
	.line.noun = "report",
	.line.verb = "refusals",
	.line.summary = "show who was refused, why, how often, and what to do",
	.line.options = refusals_rows,
	.line.values = sizeof(struct report_options),
	.paged = true,
	.run = run_refusals,
};
const struct ctl_command cmd_report_clients = {
	.line.noun = "report",
	.line.verb = "clients",
	.line.summary = "show how many clients each product has, and how many are new",
	.line.options = clients_rows,
	.line.values = sizeof(struct report_options),
	.paged = true,
	.run = run_clients,
};
const struct ctl_command cmd_report_expiry = {
	.line.noun = "report",
	.line.verb = "expiry",
	.line.summary = "show which certificates, keys and leases end soon",
	.line.options = expiry_rows,
	.line.values = sizeof(struct report_options),
	.paged = true,
	.run = run_expiry,
};
