/*
 * past.c - see past.h.
 */
#include "kmsctl/ledger/past.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libkms/core/entry_blobs.h"
#include "policy/values.h"

#define DAY 86400
#define RECENT (30 * DAY) /* an event that cannot be undone is bad, or told, so long */

static void
take(const struct reply_row *row, const char *name, uint64_t *out)
{
	*out = 0;
	reply_number(row, name, out);
}

void
past_of_reply(struct kmsdb_history *h, const struct reply_row *row)
{
	uint64_t cause, last;

	memset(h, 0, sizeof(*h));
	take(row, "witnesses-contradiction", &h->grades[HISTORY_CONTRADICTION]);
	take(row, "witnesses-unexplained", &h->grades[HISTORY_UNEXPLAINED]);
	take(row, "witnesses-note", &h->grades[HISTORY_NOTE]);
	take(row, "witness-last", &last);
	h->newest[HISTORY_CONTRADICTION] = h->newest[HISTORY_UNEXPLAINED] = last;
	take(row, "restores", &h->restores);
	take(row, "restored", &h->last_restored.time);
	take(row, "restored-to", &h->last_restored.number);
	take(row, "restored-cause", &cause);
	h->last_restored.cause = (uint8_t)cause;
	take(row, "clock-back", &h->clock);
}

static struct past_line *__attribute__((format(printf, 6, 7))) add(struct past_line *list,
    unsigned *count, const char *check, bool bad, const char *next, const char *fmt, ...)
{
	struct past_line *l = &list[(*count)++];
	va_list ap;

	l->check = check;
	l->bad = bad;
	l->next = next;
	va_start(ap, fmt);
	vsnprintf(l->text, sizeof(l->text), fmt, ap);
	va_end(ap);
	return l;
}

static bool
recent(uint64_t time, uint64_t now)
{
	return time != 0 && (now < time || now - time < RECENT);
}

/* "3 batches", "10000 or more batches" */
static void
batches(char out[48], uint64_t count)
{
	snprintf(out, 48, "%" PRIu64 "%s batch%s", count,
	    count >= KMSDB_HISTORY_MAX ? " or more" : "", count == 1 ? "" : "es");
}

static void
add_witnesses(struct past_line *list, unsigned *count, const struct kmsdb_history *h, uint64_t now)
{
	uint64_t contradiction = h->grades[HISTORY_CONTRADICTION],
		 unexplained = h->grades[HISTORY_UNEXPLAINED];
	char many[48];

	if (contradiction > 0) {
		batches(many, contradiction);
		add(list, count, "history", recent(h->newest[HISTORY_CONTRADICTION], now),
		    "find the other copy of this host and stop it, and tell the publisher, whose audit shows it",
		    "clients hold %s that this host signed, and the journal has different batches of the same numbers: two copies of this host were running, or its ledger was set back",
		    many);
	}
	if (unexplained > 0) {
		batches(many, unexplained);
		add(list, count, "history", false,
		    "if there is a newer ledger, stop kmsd, move kmsdb away, and run kmsctl ledger restore DIR; tell the publisher",
		    "clients hold %s signed by this host that the journal does not have: the ledger was set back without kmsctl ledger restore, or another machine has this host's keys",
		    many);
	}
}

unsigned
past_lines(struct past_line out[PAST_LINES], const struct kmsdb_history *h, uint64_t now)
{
	char time[VALUE_TIME + 1] = "";
	unsigned count = 0;

	add_witnesses(out, &count, h, now);
	if (h->last_restored.cause == RESTORED_NOTHING && recent(h->last_restored.time, now)) {
		value_time_format(time, h->last_restored.time);
		add(out, &count, "history", false,
		    "if there is a backup, stop kmsd, move kmsdb away, and run kmsctl ledger restore DIR; tell the publisher",
		    "at %s kmsd found keys but no ledger, and began a new one", time);
	}
	if (h->clock != 0 && (now < h->clock || now - h->clock < DAY)) {
		value_time_format(time, h->clock);
		add(out, &count, "clock", false, "timedatectl, and find out what set the clock",
		    "the clock went back to %s, as the journal says", time);
	}
	return count;
}
