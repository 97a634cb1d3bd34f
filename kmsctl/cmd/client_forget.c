/*
 * client_forget.c - client forget of many: what they are comes first, then the question.
 */
#include "kmsctl/cmd/client_forget.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/key_input.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/ledger/bulk.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

#define PREVIEW 20 /* rows that a person is shown */

static void
preview(struct ctl *ctl, const struct bulk *b, const struct products *products)
{
	output_list(ctl->out, "chosen", NULL);
	for (size_t i = 0; i < b->count && (ctl->json || i < PREVIEW); i++) {
		output_row(ctl->out);
		client_print(ctl, &b->at[i].client, &b->at[i].cold, products, CLIENT_ROW);
	}
	output_end(ctl->out);
	output_number(ctl->out, "clients", NULL, b->count);
	if (b->count > 0)
		output_line(ctl->out, OUTPUT_PLAIN, "%zu client%s chosen%s", b->count,
		    b->count == 1 ? " is" : "s are",
		    b->count > PREVIEW ? "; these are the first (--json lists all)" : "");
}

/* Forgets them one after the other. Stops at the first that fails. */
static int
forget_all(struct ctl *ctl, const struct bulk *b)
{
	int code = CTL_OK;
	size_t done = 0;

	for (; done < b->count && code == CTL_OK; done += code == CTL_OK) {
		struct control_buf args = { 0 };
		struct reply reply = { 0 };
		char hex[33];

		hex_format(hex, b->at[done].client.cmid, 16);
		control_text(&args, "cmid", hex);
		code = ask_host(ctl, CONTROL_CLIENT_FORGET, &args, &reply);
		control_buf_free(&args);
		reply_free(&reply);
	}
	output_number(ctl->out, "forgotten", NULL, done);
	output_line(ctl->out, code == CTL_OK ? OUTPUT_GOOD : OUTPUT_BAD,
	    "%zu of %zu clients forgotten", done, b->count);
	return code;
}

/* A person is there, who sees the list and can answer. */
static bool
can_ask(const struct ctl *ctl)
{
	return !ctl->json && isatty(STDIN_FILENO) == 1 && isatty(fileno(ctl->out->file)) == 1;
}

static bool
agreed(struct ctl *ctl, size_t count)
{
	char question[64], *answer;
	bool yes;

	snprintf(question, sizeof(question), "Forget %s %zu client%s? [y/N] ",
	    count == 1 ? "this" : "these", count, count == 1 ? "" : "s");
	fflush(ctl->out->file);
	answer = key_input_line(question);
	yes = answer != NULL && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
	free(answer);
	return yes;
}

static int
ask_first(struct ctl *ctl, const struct bulk *b)
{
	char now[VALUE_TIME + 1];

	output_line(ctl->out, OUTPUT_PLAIN,
	    "Their leases stay valid until they expire. A client that asks again is counted again: first block the machines that made them (kmsctl firewall).");
	if (can_ask(ctl)) {
		if (agreed(ctl, b->count))
			return forget_all(ctl, b);
		output_line(ctl->out, OUTPUT_PLAIN, "Nothing was changed.");
		return CTL_OK;
	}
	output_line(ctl->out, OUTPUT_WARN,
	    "%zu client%s would be forgotten. Nothing was changed: to forget them, add --yes, and --until %s to keep clients that come later.",
	    b->count, b->count == 1 ? "" : "s",
	    value_time_format(now, (uint64_t)time(NULL)) ? now : "NOW");
	return CTL_OK;
}

static int
forget_chosen(
    struct ctl *ctl, const struct client_filter *filter, const struct products *products, bool yes)
{
	struct fault fault = { 0 };
	struct bulk chosen;
	int rc = bulk_choose(ctl, filter, &chosen, &fault), code;

	if (rc != KMS_OK) {
		bulk_free(&chosen);
		return ledger_failed(ctl, rc, &fault);
	}
	bulk_sort(&chosen, BULK_SEEN, false, filter->now);
	preview(ctl, &chosen, products);
	if (chosen.count == 0) {
		output_line(ctl->out, OUTPUT_PLAIN, "No counted client matches these options.");
		code = CTL_OK;
	} else {
		code = (yes ? forget_all : ask_first)(ctl, &chosen);
	}
	bulk_free(&chosen);
	return code;
}

bool
client_forget_many(const struct forget_options *o)
{
	return client_filter_given(&o->filter) || o->since != 0 || o->until != 0;
}

int
client_forget(struct ctl *ctl, const struct forget_options *o, const struct client_matches *m)
{
	struct client_filter filter = o->filter;
	struct products products = { 0 };
	int code;

	if (ctl->arg_count > 0 && m == NULL)
		return fail(ctl, KMS_E_ARGUMENT,
		    "name a client, or choose clients by options such as --name and --address, not both");
	filter.counted = true;
	filter.first_since = o->since;
	filter.first_until = o->until;
	if (m != NULL) {
		filter.named = ctl->args[0];
		filter.whole_name = m->kind == CLIENT_BY_NAME;
	}
	if (!clients_checkpoint(ctl))
		return fail_told(ctl, KMS_E_NOT_RUNNING,
		    "kmsd must run: it writes the journal. Type: systemctl start kmsd");
	products_ask(ctl, &products);
	code = client_filter_ready(ctl, &filter, &products);
	if (code == CTL_OK)
		code = forget_chosen(ctl, &filter, &products, o->yes);
	products_free(&products);
	return code;
}

const struct option_row client_forget_rows[] = {
	CLIENT_FILTER_ROWS(struct forget_options, filter),
	{ "since", 0, "TIME", "only clients first seen at this time or later",
	    .offset = offsetof(struct forget_options, since), .read = client_filter_time,
	    .takes = CLIENT_FILTER_TIME },
	{ "until", 0, "TIME", "only clients first seen at this time or earlier",
	    .offset = offsetof(struct forget_options, until), .read = client_filter_time,
	    .takes = CLIENT_FILTER_TIME },
	{ "yes", 0, NULL, "do not ask for confirmation",
	    .offset = offsetof(struct forget_options, yes) },
	{ 0 },
};
