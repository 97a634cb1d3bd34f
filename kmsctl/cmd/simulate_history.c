/*
 * simulate_history.c - see simulate_history.h.
 */
#include "kmsctl/cmd/simulate_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/ledger/replay.h"
#include "libkms/kms_error.h"

static void
take_item(const struct item *item, uint64_t batch, void *arg)
{
	struct replayed *h = arg;
	int kind = entry_kind(item->entry, item->entry_len);
	struct entry_client client;
	struct entry_about about;
	struct aside names;
	struct class_client who = {
		.address = names.address, .name = names.name, .user = names.user
	};
	bool named = aside_decode(&names, item->aside, item->aside_len) == KMS_OK;

	(void)batch;
	if (entry_kind_is_client(kind) &&
	    entry_client_decode(&client, item->entry, item->entry_len) == KMS_OK)
		for (unsigned i = 0; i < h->count; i++)
			replay_client(&h->pools[i], &client, named ? &who : NULL);
	if (entry_about_ends_seat(kind) &&
	    entry_about_decode(&about, item->entry, item->entry_len) == KMS_OK)
		for (unsigned i = 0; i < h->count; i++)
			replay_about(&h->pools[i], &about);
}

int
replayed_add(
    struct replayed *h, struct ctl *ctl, const struct publisher *in, const struct policy_pack *next)
{
	struct replay *more =
	    reallocarray(h->pools, h->count + (size_t)POLICY_POOLS, sizeof(*h->pools));
	struct class_list classes;
	int rc = more != NULL ? KMS_OK : KMS_E_NO_MEMORY;

	classes_take(&classes, &ctl->config);
	if (more != NULL)
		h->pools = more;
	for (unsigned i = 0; rc == KMS_OK && i < next->pool_count; i++) {
		struct replay *r = &h->pools[h->count];

		rc = replay_init(r, in, next, next->pools[i].number, &classes);
		if (rc == KMS_OK && r->count == 0)
			replay_free(r);
		else
			h->count++;
	}
	return rc == KMS_OK ? CTL_OK
			    : fail(ctl, (uint32_t)rc, "no memory for the history of the pools");
}

int
replayed_read(struct replayed *h, struct ctl *ctl, bool all)
{
	return h->count == 0 ? CTL_OK : recent_items(ctl, &h->searched, all, take_item, h);
}

void
replayed_free(struct replayed *h)
{
	for (unsigned i = 0; i < h->count; i++)
		replay_free(&h->pools[i]);
	free(h->pools);
	*h = (struct replayed){ 0 };
}

static void
print_world(struct output *o, const struct replay *r, const struct replay_world *w)
{
	output_row(o);
	output_number(o, "number", NULL, r->number);
	output_text(o, "pool", "Pool", r->name);
	output_text(o, "key", "Key", w->key[0] != '\0' ? w->key : "none");
	output_text(o, "was", "Is", w->was[0] != '\0' ? w->was : NULL);
	output_text(o, "becomes", "Becomes", w->is[0] != '\0' ? w->is : NULL);
	output_number(o, "peak", "Peak", w->peak);
	output_time(o, "peak_time", NULL, w->peak_time);
	output_number(o, "refused", "Refused", w->refused);
	output_number(o, "refused_class", NULL, w->refused_class);
	output_number(o, "overdraft", "Beyond", w->overdraft);
	output_number(o, "reclaimed", "Taken back", w->reclaimed);
	output_number(o, "borrowed", "Lent", w->borrowed);
	output_number(o, "refused_borrow", "Not lent", w->refused_borrow);
	output_number(o, "refused_stateless", "Stateless", w->refused_stateless);
	output_bool(o, "complete", NULL, r->failed == KMS_OK);
}

void
replayed_print(const struct replayed *h, struct output *o)
{
	const struct recent *t = &h->searched;
	char when[OUTPUT_WHEN];

	output_list(o, "history",
	    h->count > 0 ? "What each key and class would have changed, over the journal" : NULL);
	for (unsigned i = 0; i < h->count; i++)
		for (unsigned k = 0; k < h->pools[i].count; k++)
			print_world(o, &h->pools[i], &h->pools[i].worlds[k]);
	output_end(o);
	output_object(o, "searched", NULL);
	output_number(o, "from_batch", NULL, t->from_batch);
	output_number(o, "to_batch", NULL, t->to_batch);
	output_time(o, "from_time", NULL, t->from_time);
	output_bool(o, "whole", NULL, t->whole);
	output_end(o);
	if (t->from_batch != 0)
		output_line(o, OUTPUT_PLAIN,
		    "Of batches %" PRIu64 " to %" PRIu64 ", from %s on: %s", t->from_batch,
		    t->to_batch, output_when(when, t->from_time),
		    t->whole ? "the whole journal."
			     : "the newest part of the journal; --all reads all of it.");
}

const char *
replayed_warning(const struct replayed *h, unsigned pool, char *text, size_t size)
{
	const struct replay *r = &h->pools[pool];

	if (r->failed != KMS_OK)
		snprintf(text, size,
		    "%s: the simulation stopped before the end of the journal, because more than %" PRIu32
		    " clients had a seat at once.",
		    r->name, replay_most(&r->table));
	else if (r->sparse && r->requests > 0)
		snprintf(text, size,
		    "%s: with this pack, clients renew more often. The journal does not say whether they were in use in between, so the real peaks may be higher.",
		    r->name);
	else
		return NULL;
	return text;
}
