/*
 * audit_report.c - see audit_report.h: the days of the period.
 */
#include "kmsctl/issue/audit_report.h"

#include <stdlib.h>

#include "libkms/kms_error.h"

/* The highest figure of each pool among the days of the period that the file has. */
static void
take_day(struct audit_report *out, const struct audit_day *d, uint32_t first)
{
	struct audit_pool_report *p = NULL;
	uint32_t day = d->day < first ? first : d->day;

	if (out->pool_count > 0 && out->pools[out->pool_count - 1].number == d->pool)
		p = &out->pools[out->pool_count - 1];
	else if (out->pool_count < AUDIT_POOLS) {
		p = &out->pools[out->pool_count++];
		*p = (struct audit_pool_report){ d->pool, 0, 0, first, first };
	}
	if (p != NULL && d->counted > 0 && (uint64_t)d->counted > p->counted) {
		p->counted = (uint64_t)d->counted;
		p->counted_day = day;
	}
	if (p != NULL && d->holding > 0 && (uint64_t)d->holding > p->holding) {
		p->holding = (uint64_t)d->holding;
		p->holding_day = day;
	}
}

static uint32_t
day_of(uint64_t time)
{
	return time / 86400 < UINT32_MAX ? (uint32_t)(time / 86400) : UINT32_MAX;
}

int
audit_report_days(
    struct audit_report *out, struct audit_recount *recount, uint64_t from, uint64_t to)
{
	uint32_t begin = day_of(from > out->first_time ? from : out->first_time),
		 end = day_of(to < out->last_time ? to : out->last_time);
	size_t kept = 0;
	int rc = audit_recount_days(recount, &out->days, &out->day_count);

	if (rc != KMS_OK)
		return rc;
	for (size_t i = 0; i < out->day_count; i++) {
		const struct audit_day *d = &out->days[i], *next = d + 1;
		bool last = i + 1 == out->day_count || next->pool != d->pool;

		/* A row is in force until the next: the one before the period counts in it, if
		 * the file has a day of the period. */
		if (begin > end || d->day > end || (!last && next->day <= begin))
			continue;
		take_day(out, d, begin);
		out->days[kept] = *d;
		if (d->day < begin)
			out->days[kept].day = begin;
		kept++;
	}
	out->day_count = kept;
	return KMS_OK;
}

uint64_t
audit_report_highest(const struct audit_report *r)
{
	uint64_t highest = 0;

	for (unsigned i = 0; i < r->pool_count; i++)
		if (r->pools[i].counted > highest)
			highest = r->pools[i].counted;
	return highest;
}

void
audit_report_free(struct audit_report *r)
{
	free(r->days);
	r->days = NULL;
	r->day_count = 0;
}
