/*
 * history.c - policy history: the packs in the order in which they were installed, as the journal
 * has them. The whole journal is read, because it is signed and chained, and a list of files is
 * not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/install.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/core/entry_base.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/kms_error.h"

struct history_options {
	bool full;
};

struct history {
	struct ctl *ctl;
	bool full;
	struct publishers publishers;
	uint64_t count;
	/* found; a base may restate one */
	struct installed {
		uint64_t batch;
		uint32_t leaf;
		size_t len;
		uint8_t entry[1024];
	} * list;
	size_t packs;
};

static void
print_pack(struct history *h, const struct entry_admin *e, uint64_t batch)
{
	const struct publisher *p = publishers_by_id(&h->publishers, e->subject);
	struct output *o = h->ctl->out;
	char id[17], digest[65], text[300];
	const char *pack;
	bool current = p != NULL && p->pack != NULL && memcmp(p->pack_digest, e->digest, 32) == 0;

	hex_format(id, e->subject, 8);
	hex_format(digest, e->digest, 32);
	/* "publisher: pack version"; the publisher's name may have changed since. */
	snprintf(text, sizeof(text), "%.*s", (int)(e->text_len < 299 ? e->text_len : 299), e->text);
	pack = strstr(text, ": ");
	pack = pack != NULL ? pack + 2 : text;
	output_row(o);
	output_time(o, "time", "Installed", e->time);
	output_text(o, "publisher", "Publisher", p != NULL ? p->name : NULL);
	output_text(o, "publisher_id", NULL, id);
	output_text(o, "pack", "Pack", pack);
	output_bool(o, "in_force", "In force", current);
	output_text(o, "digest", h->full ? "SHA-256" : NULL, digest);
	output_number(o, "batch", "In batch", batch);
	h->count++;
}

static int
take_pack(struct history *h, uint64_t batch, uint32_t leaf, const uint8_t *entry, size_t len)
{
	struct installed *grown;

	if (entry_kind(entry, len) != ENTRY_POLICY || len > sizeof(grown->entry))
		return KMS_OK;
	if ((grown = realloc(h->list, (h->packs + 1) * sizeof(*grown))) == NULL)
		return KMS_E_NO_MEMORY;
	h->list = grown;
	grown += h->packs++;
	grown->batch = batch;
	grown->leaf = leaf;
	grown->len = len;
	memcpy(grown->entry, entry, len);
	return KMS_OK;
}

/* What a base restates is of batches that were dropped, or that are still there. */
static int
look(const struct kmsdb_batch_view *b, void *arg)
{
	struct history *h = arg;
	struct entry_base_kept k;
	int rc = KMS_OK;

	for (uint32_t i = 0; i < b->header.size && rc == KMS_OK; i++) {
		const struct item *item = &b->items[i];

		if (entry_base_kept_in(&k, item->entry, item->entry_len))
			rc = take_pack(h, k.batch, k.leaf, k.entry, k.entry_len);
		else
			rc = take_pack(h, b->header.number, i, item->entry, item->entry_len);
	}
	return rc;
}

static int
by_place(const void *a, const void *b)
{
	const struct installed *x = a, *y = b;

	if (x->batch != y->batch)
		return x->batch < y->batch ? -1 : 1;
	return x->leaf < y->leaf ? -1 : x->leaf > y->leaf;
}

/* Each once. */
static void
print_packs(struct history *h)
{
	struct entry_admin e;

	if (h->packs > 0)
		qsort(h->list, h->packs, sizeof(*h->list), by_place);
	for (size_t i = 0; i < h->packs; i++)
		if ((i == 0 || by_place(&h->list[i - 1], &h->list[i]) != 0) &&
		    entry_admin_decode(&e, h->list[i].entry, h->list[i].len) == KMS_OK)
			print_pack(h, &e, h->list[i].batch);
}

static int
run_policy_history(struct ctl *ctl)
{
	const struct history_options *o = ctl->options;
	struct history h = { .ctl = ctl, .full = o->full };
	struct fault fault = { 0 };
	uint64_t from;
	bool all;
	int fd = ledger_access_directory(ctl), r;

	if (fd < 0)
		return CTL_FAILED;
	output_list(ctl->out, "packs", NULL);
	if ((r = install_find(ctl, &h.publishers, fd, &fault)) == KMS_OK) {
		if ((r = kmsdb_journal_newest(fd, UINT64_MAX, &from, &all, &fault)) == KMS_OK)
			r = kmsdb_journal_each(fd, from, look, &h, &fault);
		print_packs(&h);
	}
	free(h.list);
	output_end(ctl->out);
	ledger_access_close(NULL, fd);
	publishers_free(&h.publishers);
	if (r != KMS_OK)
		return fail(
		    ctl, (uint32_t)r, "%s: %s", ctl->config.state_directory, fault_text(&fault, r));
	if (h.count == 0)
		output_line(ctl->out, OUTPUT_PLAIN, "No policy pack was ever installed.");
	return CTL_OK;
}

static const struct option_row policy_history_rows[] = {
	{ "full", 0, NULL, "show the hashes of the packs",
	    .offset = offsetof(struct history_options, full) },
	{ 0 },
};

const struct ctl_command cmd_policy_history = {
	.line.noun = "policy",
	.line.verb = "history",
	.line.summary = "list the packs that were installed, in order, from the journal",
	.line.options = policy_history_rows,
	.line.values = sizeof(struct history_options),
	.paged = true,
	.run = run_policy_history,
};
