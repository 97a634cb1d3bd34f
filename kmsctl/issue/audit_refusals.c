/*
 * audit_refusals.c - see audit_refusals.h.
 */
#include "kmsctl/issue/audit_refusals.h"

#include <string.h>

#include "libkms/core/entry_counters.h"
#include "libkms/core/entry_kind.h"

static void
add(struct audit_refusals *r, uint16_t status, uint64_t refusals)
{
	unsigned i = 0;

	r->all += refusals;
	while (i < r->count && r->list[i].status < status)
		i++;
	if (i == r->count || r->list[i].status != status) {
		if (r->count == AUDIT_REFUSALS)
			return;
		memmove(&r->list[i + 1], &r->list[i], (r->count - i) * sizeof(r->list[0]));
		r->list[i].status = status;
		r->list[i].refusals = 0;
		r->count++;
	}
	r->list[i].refusals += refusals;
}

void
audit_refusals_entry(
    struct audit_refusals *r, const struct audit_documents *d, const struct entry_admin *e)
{
	struct entry_counter c;

	if (e->kind != ENTRY_COUNTERS)
		return;
	for (size_t i = 0; i < entry_counters_count(e->blob_len); i++) {
		entry_counters_get(&c, e->blob, i);
		if (audit_documents_ours(d, c.publisher))
			add(r, c.status, c.refusals);
	}
}

void
audit_refusals_join(struct audit_refusals *r, const struct audit_refusals *other)
{
	uint64_t rest = other->all;

	for (unsigned i = 0; i < other->count; i++) {
		add(r, other->list[i].status, other->list[i].refusals);
		rest -= other->list[i].refusals;
	}
	r->all += rest;
}
