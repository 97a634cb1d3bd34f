/*
 * recent.c - one pass over the newest segments. The journal can be very large, so the pass is
 * bounded, and what was not read is reported.
 */
#include "kmsctl/ledger/recent.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/kms_error.h"

struct walk {
	struct recent *recent;
	recent_item_fn fn;
	void *arg;
};

static int
look(const struct kmsdb_batch_view *b, void *arg)
{
	struct walk *w = arg;
	struct recent *t = w->recent;

	if (t->from_batch == 0) {
		t->from_batch = b->header.number;
		t->from_time = b->header.time;
	}
	t->to_batch = b->header.number;
	for (uint32_t i = 0; i < b->header.size; i++)
		w->fn(&b->items[i], b->header.number, w->arg);
	return KMS_OK;
}

int
recent_items(struct ctl *ctl, struct recent *t, bool all, recent_item_fn fn, void *arg)
{
	struct walk w = { t, fn, arg };
	struct fault fault = { 0 };
	uint64_t from;
	int fd, r;

	memset(t, 0, sizeof(*t));
	if ((fd = ledger_access_directory(ctl)) < 0)
		return CTL_FAILED;
	r = kmsdb_journal_newest(fd, all ? UINT64_MAX : RECENT_BYTES, &from, &t->whole, &fault);
	if (r == KMS_OK)
		r = kmsdb_journal_each(fd, from, look, &w, &fault);
	ledger_access_close(NULL, fd);
	if (r == KMS_OK)
		return CTL_OK;
	return fail(ctl, (uint32_t)r, "%s: %s", ctl->config.state_directory, fault_text(&fault, r));
}

/* -- entries of clients -- */

struct clients {
	struct recent *recent;
	const struct recent_calls *calls;
	uint64_t floor; /* names up to then are erased */
};

static void
take_client(const struct item *item, uint64_t batch, void *arg)
{
	struct clients *w = arg;
	int kind = entry_kind(item->entry, item->entry_len);
	struct entry_client e;
	struct entry_about ended;
	struct aside names;

	if (w->calls->ended != NULL && entry_about_ends_seat(kind) &&
	    entry_about_decode(&ended, item->entry, item->entry_len) == KMS_OK)
		w->calls->ended(&ended, w->calls->arg);
	if (!entry_kind_is_client(kind) ||
	    entry_client_decode(&e, item->entry, item->entry_len) != KMS_OK)
		return;
	/* Erased names may still be there for a moment. */
	aside_decode(&names, item->aside, e.time > w->floor ? item->aside_len : 0);
	w->recent->entries++;
	w->calls->client(&e, &names, batch, w->calls->arg);
}

/* 0 too when the index cannot be read: it is not needed for the rest. */
static uint64_t
names_floor(struct ctl *ctl)
{
	struct kmsdb_info info = { 0 };
	struct kmsdb *db;

	if (ledger_access_open(ctl, &db, NULL) != KMS_OK)
		return 0;
	kmsdb_info(db, &info);
	ledger_access_close(db, -1);
	return info.names_floor;
}

int
recent_read(struct ctl *ctl, struct recent *t, bool all, recent_fn fn, void *arg)
{
	return recent_seats(
	    ctl, t, all, &(struct recent_calls){ .client = fn, .ended = NULL, .arg = arg });
}

int
recent_seats(struct ctl *ctl, struct recent *t, bool all, const struct recent_calls *calls)
{
	struct clients w = { t, calls, 0 };
	struct fault fault = { 0 };

	memset(t, 0, sizeof(*t));
	if (!ledger_access_may(ctl))
		return recent_ask(ctl, t, all, calls, &fault) == KMS_OK ? CTL_OK
									: fail_fault(ctl, &fault);
	w.floor = names_floor(ctl);
	return recent_items(ctl, t, all, take_client, &w);
}

void
recent_print(struct ctl *ctl, const struct recent *t)
{
	char when[OUTPUT_WHEN];

	if (t->from_batch == 0)
		output_line(ctl->out, OUTPUT_PLAIN, "The journal is empty.");
	else
		output_line(ctl->out, OUTPUT_PLAIN,
		    "Searched batches %" PRIu64 " to %" PRIu64 ", from %s on: %s", t->from_batch,
		    t->to_batch, output_when(when, t->from_time),
		    t->whole ? "the whole journal."
			     : "the newest part of the journal; --all reads all of it.");
	output_object(ctl->out, "searched", NULL);
	output_number(ctl->out, "from_batch", NULL, t->from_batch);
	output_number(ctl->out, "to_batch", NULL, t->to_batch);
	output_time(ctl->out, "from_time", NULL, t->from_time);
	output_number(ctl->out, "entries", NULL, t->entries);
	output_bool(ctl->out, "whole", NULL, t->whole);
	output_end(ctl->out);
}
