/*
 * audit_findings.c - see audit_findings.h.
 */
#include "kmsctl/issue/audit_findings.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	bool each; /* a row for each of the first */
} kinds[AUDIT_KINDS] = {
	[AUDIT_HEAD_HOST] = { "head-host", false },
	[AUDIT_HEAD_BATCHES] = { "head-batches", false },
	[AUDIT_HEAD_PERIOD] = { "head-period", false },
	[AUDIT_HEAD_NAMES] = { "head-names", false },
	[AUDIT_DOCUMENT_REPEATED] = { "document-repeated", false },
	[AUDIT_DOCUMENT_ORDER] = { "document-order", false },
	[AUDIT_DOCUMENT_ALONE] = { "document-alone", false },
	[AUDIT_ENTRY_ALONE] = { "entry-alone", false },
	[AUDIT_BEGUN_ANEW] = { "begun-anew", false },
	[AUDIT_ENTRY_FAR] = { "entry-far", false },
	[AUDIT_TIME_BACK] = { "time-back", false },
	[AUDIT_CLOCK] = { "clock", false },
	[AUDIT_CLOCK_OTHER] = { "clock-other", false },
	[AUDIT_RESTORED] = { "restored", true },
	[AUDIT_DROPPED] = { "dropped", true },
	[AUDIT_WITNESS] = { "witness", true },
	[AUDIT_LEASE] = { "lease", true },
	[AUDIT_NAMES_DIFFER] = { "names-differ", false },
	[AUDIT_THRESHOLD] = { "threshold", false },
	[AUDIT_CAPACITY] = { "capacity", false },
	[AUDIT_RECOUNT] = { "recount", false },
	[AUDIT_UNCOUNTED] = { "uncounted", false },
	[AUDIT_RECLAIM] = { "reclaim", false },
	[AUDIT_NOT_COVERED] = { "not-covered", false },
	[AUDIT_PACK_VALIDITY] = { "pack-validity", false },
	[AUDIT_PACK_THRESHOLD] = { "pack-threshold", false },
	[AUDIT_PACK_POOL] = { "pack-pool", false },
	[AUDIT_CLONE] = { "clone", false },
	[AUDIT_CAUGHT_UP] = { "caught-up", false },
	[AUDIT_HELD] = { "held", false },
	[AUDIT_BOUND_OTHER] = { "bound-other", false },
	[AUDIT_OVERDRAFT] = { "overdraft", false },
	[AUDIT_SEVERAL_NAMES] = { "several-names", false },
	[AUDIT_SEVERAL_ADDRESSES] = { "several-addresses", false },
	[AUDIT_FORK] = { "fork", true },
	[AUDIT_HOST_ABSENT] = { "host-absent", false },
	[AUDIT_HOSTS_CAPACITY] = { "hosts-capacity", true },
	[AUDIT_HOSTS_CLONE] = { "hosts-clone", false },
	[AUDIT_HOSTS_NAMES] = { "hosts-names", false },
	[AUDIT_HEARD_MISSING] = { "heard-missing", true },
	[AUDIT_HEARD_OTHER] = { "heard-other", true },
	[AUDIT_RIGHTS] = { "rights", true },
};

const char *
audit_kind_name(enum audit_kind kind)
{
	return kinds[kind].name;
}

/* The row that takes it; NULL: a new one. */
static struct audit_finding *
row_of(struct audit_findings *f, enum audit_kind kind, enum history_grade grade)
{
	struct audit_finding *last = NULL;
	unsigned rows = 0;

	for (unsigned i = 0; i < f->count; i++)
		if (f->list[i].kind == kind && f->list[i].grade == grade) {
			last = &f->list[i];
			rows++;
		}
	return kinds[kind].each && rows < AUDIT_EACH ? NULL : last;
}

void
audit_find(struct audit_findings *f, enum audit_kind kind, enum history_grade grade, uint64_t batch,
    uint64_t number, const char *fmt, ...)
{
	struct audit_finding *row = row_of(f, kind, grade);
	va_list ap;

	if (row != NULL) {
		row->count += number;
		return;
	}
	row = &f->list[f->count++];
	*row =
	    (struct audit_finding){ .kind = kind, .grade = grade, .batch = batch, .count = number };
	va_start(ap, fmt);
	vsnprintf(row->text, sizeof(row->text), fmt, ap);
	va_end(ap);
}

static int
by_grade(const void *x, const void *y)
{
	const struct audit_finding *a = x, *b = y;

	if (a->grade != b->grade)
		return a->grade > b->grade ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->batch < b->batch ? -1 : a->batch > b->batch;
}

void
audit_findings_sort(struct audit_findings *f)
{
	qsort(f->list, f->count, sizeof(f->list[0]), by_grade);
}

int
audit_findings_grade(const struct audit_findings *f)
{
	int worst = -1;

	for (unsigned i = 0; i < f->count; i++)
		if ((int)f->list[i].grade > worst)
			worst = (int)f->list[i].grade;
	return worst;
}
