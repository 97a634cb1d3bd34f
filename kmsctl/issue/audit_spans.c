/*
 * audit_spans.c - see audit_spans.h.
 */
#include "kmsctl/issue/audit_spans.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/base/grow.h"
#include "libkms/kms_error.h"

void
audit_spans_free(struct audit_spans *s)
{
	free(s->rows);
	*s = (struct audit_spans){ 0 };
}

int
audit_spans_add(
    struct audit_spans *s, const uint8_t cmid[16], const struct audit_span_row *row, size_t *last)
{
	struct audit_span_row *before = *last > 0 ? &s->rows[*last - 1] : NULL, *rows;

	if (row->from >= row->end)
		return KMS_OK;
	if (before != NULL && before->pool == row->pool && row->from >= before->from &&
	    row->from <= before->end) {
		if (row->end > before->end)
			before->end = row->end;
		return KMS_OK;
	}
	if ((rows = grow_list(s->rows, s->count, &s->room, sizeof(*rows))) == NULL)
		return KMS_E_NO_MEMORY;
	s->rows = rows;
	s->rows[s->count] = *row;
	memcpy(s->rows[s->count].cmid, cmid, sizeof(row->cmid));
	*last = ++s->count;
	return KMS_OK;
}

static int
by_client(const void *x, const void *y)
{
	const struct audit_span_row *a = x, *b = y;
	int order;

	if (a->seat != b->seat)
		return a->seat ? 1 : -1;
	if (a->pool != b->pool)
		return a->pool < b->pool ? -1 : 1;
	if ((order = memcmp(a->cmid, b->cmid, sizeof(a->cmid))) != 0)
		return order;
	return a->from < b->from ? -1 : a->from > b->from;
}

static bool
same(const struct audit_span_row *a, const struct audit_span_row *b)
{
	return a->seat == b->seat && a->pool == b->pool &&
	       memcmp(a->cmid, b->cmid, sizeof(a->cmid)) == 0;
}

void
audit_spans_merge(struct audit_spans *s)
{
	size_t kept = 0;

	if (s->count > 0)
		qsort(s->rows, s->count, sizeof(*s->rows), by_client);
	for (size_t i = 0; i < s->count; i++) {
		struct audit_span_row *last = kept > 0 ? &s->rows[kept - 1] : NULL;
		const struct audit_span_row *row = &s->rows[i];

		if (last == NULL || !same(last, row) || row->from > last->end)
			s->rows[kept++] = *row;
		else if (row->end > last->end)
			last->end = row->end;
	}
	s->count = kept;
}

static int
by_minute(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* Beginnings and ends, each ascending; at one minute, who leaves makes place for who comes. */
static int
sweep(const uint32_t *from, const uint32_t *end, size_t count, uint32_t first, uint32_t last,
    audit_spans_rise rise, void *arg)
{
	uint64_t now = 0;
	size_t left = 0, i = 0;
	int rc = KMS_OK;

	while (i < count && from[i] <= last && rc == KMS_OK) {
		uint32_t minute = from[i] > first ? from[i] : first;

		for (; i < count && from[i] <= minute; i++)
			now++;
		for (; left < count && end[left] <= minute; left++)
			now--;
		rc = rise(arg, minute, now);
	}
	return rc;
}

int
audit_spans_sweep(const struct audit_spans *s, uint16_t pool, uint32_t first, uint32_t last,
    audit_spans_rise rise, void *arg)
{
	uint32_t *from = calloc(s->count + 1, sizeof(*from)),
		 *end = calloc(s->count + 1, sizeof(*end));
	size_t count = 0;
	int rc = KMS_E_NO_MEMORY;

	if (from != NULL && end != NULL) {
		for (size_t i = 0; i < s->count; i++) {
			if (!s->rows[i].seat || s->rows[i].pool != pool)
				continue;
			from[count] = s->rows[i].from;
			end[count++] = s->rows[i].end;
		}
		qsort(from, count, sizeof(*from), by_minute);
		qsort(end, count, sizeof(*end), by_minute);
		rc = sweep(from, end, count, first, last, rise, arg);
	}
	free(from);
	free(end);
	return rc;
}
