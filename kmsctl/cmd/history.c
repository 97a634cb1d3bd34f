/*
 * history.c - policy history: the packs in the order in which they were installed, as the journal
 * has them. The whole journal is read, because it is signed and chained, and a list of files is
 * not.
 */
#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/install.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
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
look(const struct kmsdb_batch_view *b, void *arg)
{
	struct history *h = arg;
	struct entry_admin e;

	for (uint32_t i = 0; i < b->header.size; i++)
		if (entry_kind(b->items[i].entry, b->items[i].entry_len) == ENTRY_POLICY &&
		    entry_admin_decode(&e, b->items[i].entry, b->items[i].entry_len) == KMS_OK)
			print_pack(h, &e, b->header.number);
	return ferror(h->ctl->out->file) ? KMS_E_IO : KMS_OK;
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
	}
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
	.run = run_policy_history,
};
