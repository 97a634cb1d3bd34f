/*
 * audit_base.c - see audit_base.h.
 */
#include "kmsctl/issue/audit_base.h"

#include <string.h>

#include "libkms/core/entry.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

#define CLOCK_NOTE 60 /* seconds that a clock may step back, as for time-back */

void
audit_base_first(struct audit_base *b, const struct batch_header *h)
{
	b->first = h->number;
	memcpy(b->before, h->previous, sizeof(b->before));
}

void
audit_base_batch(struct audit_base *b, const struct batch_header *h)
{
	if (b->begun.batch != 0 || b->whole.batch != 0)
		b->earliest = h->time < b->earliest ? h->time : b->earliest;
}

/* Only what this host signed counts: the entry is what the host says. */
static void
take_kept(struct audit_base *b, const struct entry_admin *e, const uint8_t sign_pk[32])
{
	struct entry_base_kept k;
	struct entry_admin kept;

	entry_base_get_kept(&k, e->blob, e->blob_len);
	if (entry_kind(k.entry, k.entry_len) == ENTRY_WITNESS &&
	    entry_admin_decode(&kept, k.entry, k.entry_len) == KMS_OK)
		b->begun.witnesses +=
		    batch_verify(kept.blob, kept.blob + BATCH_HEADER, sign_pk) == KMS_OK;
}

void
audit_base_entry(
    struct audit_base *b, const struct entry_admin *e, uint64_t batch, const uint8_t sign_pk[32])
{
	struct entry_base_end end;

	switch (entry_base_part(e->blob)) {
	case BASE_HEAD:
		b->begun = (struct audit_base_one){ .batch = batch, .time = e->time };
		entry_base_get_head(&b->begun.head, e->blob);
		b->earliest = e->time;
		break;
	case BASE_KEPT:
		take_kept(b, e, sign_pk);
		break;
	case BASE_END:
		entry_base_get_end(&end, e->blob);
		if (b->begun.batch != 0 && end.through == b->begun.head.through)
			b->whole = b->begun;
		b->begun = (struct audit_base_one){ 0 };
		break;
	default:
		break;
	}
}

/* A clock that was ahead for the base alone does not make batches older than they are. */
static uint64_t
kept_for(const struct audit_base *b)
{
	const struct audit_base_one *w = &b->whole;
	uint64_t time = b->earliest + CLOCK_NOTE < w->time ? b->earliest + CLOCK_NOTE : w->time;

	return time > w->head.time ? time - w->head.time : 0;
}

bool
audit_base_end(const struct audit_base *b, uint64_t least, struct audit_findings *f)
{
	const struct audit_base_one *w = &b->whole;
	uint64_t through = w->head.through;
	char until[VALUE_TIME + 1] = "";
	bool early;

	if (w->batch == 0)
		return false;
	(void)value_time_format(until, w->head.time);
	early = kept_for(b) < least;
	if (b->first == through + 1 && memcmp(b->before, w->head.hash, sizeof(b->before)) != 0) {
		audit_find(f, AUDIT_DROPPED, HISTORY_CONTRADICTION, w->batch, 1,
		    "the host says that it dropped batch %llu, but the file follows a different batch of this number",
		    (unsigned long long)through);
		return false;
	}
	audit_find(f, AUDIT_DROPPED, early ? HISTORY_UNEXPLAINED : HISTORY_NOTE, w->batch, 1,
	    early
		? "the host dropped batches up to %llu, of %s, after %llu days, but had to keep them for %llu"
		: "the host dropped batches up to %llu, of %s, after %llu days; it must keep them for at least %llu",
	    (unsigned long long)through, until, (unsigned long long)(kept_for(b) / 86400),
	    (unsigned long long)((least + 86399) / 86400));
	if (w->witnesses > 0)
		audit_find(f, AUDIT_DROPPED, HISTORY_UNEXPLAINED, w->batch, w->witnesses,
		    "clients sent headers that the chain lacked, from the time of the dropped batches");
	return !early && b->first <= through + 1;
}
