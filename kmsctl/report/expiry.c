/*
 * expiry.c - see expiry.h.
 */
#include "kmsctl/report/expiry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/base/fault.h"
#include "libkms/base/grow.h"
#include "libkms/kms_error.h"

#define DAY 86400

/* What ends on a day, or in a period that begins then. */
struct ending {
	uint32_t begin;
	uint64_t time; /* of one thing; 0: of leases */
	const char *what;
	char publisher[POOL_TEXT], name[POOL_TEXT];
	uint64_t leases;
};
struct endings {
	const struct report_pools *pools;
	uint64_t from, to, now;
	enum period_by by;
	struct ending *list;
	size_t count, room;
};

static struct ending *
add(struct endings *e, uint64_t time)
{
	struct ending *one = grow_list(e->list, e->count, &e->room, sizeof(*one));

	if (one == NULL)
		return NULL;
	e->list = one;
	one = &e->list[e->count++];
	memset(one, 0, sizeof(*one));
	one->begin = period_begin((uint32_t)(time / DAY), e->by);
	return one;
}

static int
add_lease(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	char publisher[POOL_TEXT], name[POOL_TEXT];
	struct endings *e = arg;
	struct ending *one = NULL;

	(void)cold;
	if (strcmp(kmsdb_client_state(c, e->now), "activated") != 0 || c->expires < e->from ||
	    c->expires > e->to || !report_pools_wanted(e->pools, c->publisher, c->pool))
		return 0;
	report_pool_names(e->pools, c->publisher, c->pool, publisher, name);
	for (size_t i = e->count; i-- > 0 && one == NULL;)
		if (e->list[i].begin == period_begin((uint32_t)(c->expires / DAY), e->by) &&
		    e->list[i].time == 0 && strcmp(e->list[i].publisher, publisher) == 0 &&
		    strcmp(e->list[i].name, name) == 0)
			one = &e->list[i];
	if (one == NULL) {
		if ((one = add(e, c->expires)) == NULL)
			return KMS_E_NO_MEMORY;
		one->what = "leases";
		memcpy(one->publisher, publisher, sizeof(publisher));
		memcpy(one->name, name, sizeof(name));
	}
	one->leases++;
	return 0;
}

/* Of rows of that kind: each has an end, a publisher and maybe a name. */
static int
add_rows(struct endings *e, const struct reply *reply, const char *kind, const char *what,
    const char *publisher, const char *name)
{
	const struct reply_row *row = NULL;
	struct ending *one;
	uint64_t end;

	while ((row = reply_next(reply, kind, row)) != NULL) {
		if (!reply_number(row, "not-after", &end) || end < e->from || end > e->to)
			continue;
		if ((one = add(e, end)) == NULL)
			return KMS_E_NO_MEMORY;
		one->time = end;
		one->what = what;
		if (reply_text(row, publisher) != NULL)
			snprintf(one->publisher, POOL_TEXT, "%s", reply_text(row, publisher));
		if (reply_text(row, name) != NULL)
			snprintf(one->name, POOL_TEXT, "%s", reply_text(row, name));
	}
	return KMS_OK;
}

static int
add_files(struct ctl *ctl, struct endings *e)
{
	struct reply reply;
	int rc;

	if (!e->pools->running)
		return KMS_OK;
	rc = add_rows(e, &e->pools->status, "publisher", "certificate", "name", "customer");
	if (rc == KMS_OK && ask_quietly(ctl, CONTROL_KEY_SHOW, NULL, &reply, NULL) == KMS_OK) {
		rc = add_rows(e, &reply, "key", "host key", "publisher", "id");
		reply_free(&reply);
	}
	return rc;
}

static int
by_time(const void *a, const void *b)
{
	const struct ending *x = a, *y = b;
	uint64_t p = x->time != 0 ? x->time : x->begin * UINT64_C(86400);
	uint64_t q = y->time != 0 ? y->time : y->begin * UINT64_C(86400);
	int order = (p > q) - (p < q);

	if (order == 0)
		order = strcmp(x->publisher, y->publisher);
	return order != 0 ? order : strcmp(x->name, y->name);
}

static void
print(struct ctl *ctl, const struct endings *e)
{
	char period[PERIOD_TEXT];
	struct output *o = ctl->out;

	output_list(o, "endings", NULL);
	output_columns(o, "period,ends,what,publisher,name,leases");
	for (size_t i = 0; i < e->count; i++) {
		const struct ending *one = &e->list[i];

		period_text(period, one->begin, e->by);
		output_row(o);
		output_text(o, "period", "When", period);
		output_time(o, "ends", NULL, one->time);
		output_text(o, "what", "What", one->what);
		output_text(o, "publisher", "Publisher", one->publisher);
		output_text(o, "name", "Of", one->name[0] != '\0' ? one->name : NULL);
		output_put(o, &(struct output_field){ .key = "leases",
				  .label = "Leases",
				  .type = OUTPUT_NUMBER,
				  .number = one->leases,
				  .none = one->time != 0 });
	}
	output_end(o);
	if (e->count == 0)
		output_line(o, OUTPUT_PLAIN, "Nothing ends in that time.");
}

int
report_expiry(struct ctl *ctl, const struct report_pools *pools, uint64_t from, uint64_t to,
    enum period_by by)
{
	struct endings e = {
		.pools = pools, .from = from, .to = to, .now = (uint64_t)time(NULL), .by = by
	};
	struct fault fault = { 0 };
	int rc = add_files(ctl, &e), code = CTL_OK;

	if (rc == KMS_OK)
		rc = ledger_each_client(ctl, add_lease, &e, &fault);
	if (rc == KMS_OK) {
		if (e.count > 0)
			qsort(e.list, e.count, sizeof(*e.list), by_time);
		print(ctl, &e);
	} else {
		code = ledger_failed(ctl, rc, &fault);
	}
	free(e.list);
	return code;
}
