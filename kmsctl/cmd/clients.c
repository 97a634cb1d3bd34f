/*
 * clients.c - clients, client show, revoke, unrevoke, forget, erase.
 */
#include "kmsctl/ledger/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cmd/client_forget.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/bulk.h"
#include "kmsctl/ledger/client_filter.h"
#include "kmsctl/ledger/client_sums.h"
#include "kmsctl/ledger/clones.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "kmsctl/relay/observed_list.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

#define STOP 1 /* from the callback: enough rows */

struct clients_options {
	struct client_filter filter;
	uint64_t limit; /* 0: none */
	uint64_t since; /* seconds; 0: not given */
	uint64_t sort;  /* enum bulk_order */
	bool active, full, clones, all, vm, relayed, borrowed, reverse;
};

static bool
read_order(void *field, const char *text)
{
	static const char *const orders[] = { [BULK_NAME] = "name",
		[BULK_SEEN] = "seen",
		[BULK_FIRST] = "first",
		[BULK_EXPIRES] = "expires",
		[BULK_STATE] = "state" };

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (orders[i] != NULL && strcmp(orders[i], text) == 0) {
			*(uint64_t *)field = i;
			return true;
		}
	return false;
}

struct listing {
	struct ctl *ctl;
	const struct clients_options *options;
	struct client_filter filter;
	struct products products;
	struct client_sums sums;
	uint64_t held; /* of those shown */
};

/* True: enough. */
static bool
list_row(struct listing *l, const struct kmsdb_client *c, const struct kmsdb_cold *h)
{
	const struct clients_options *o = l->options;

	output_row(l->ctl->out);
	client_print(l->ctl, c, h, &l->products,
	    o->borrowed ? CLIENT_ROW_BORROWED
	    : o->full   ? CLIENT_ROW_FULL
			: CLIENT_ROW);
	client_sums_add(&l->sums, c, &l->products, l->filter.now);
	l->held += (c->flags & KMSDB_HELD) != 0 && h->hold_end > l->filter.now;
	/* or the reader has closed the pipe */
	return ferror(l->ctl->out->file) || (o->limit != 0 && l->sums.clients == o->limit);
}

static int
list_one(const struct kmsdb_client *c, const struct kmsdb_cold *h, void *arg)
{
	struct listing *l = arg;

	return client_filter_has(&l->filter, c, h) && list_row(l, c, h) ? STOP : 0;
}

static int
list_sorted(struct listing *l, struct fault *fault)
{
	struct bulk b;
	int rc = bulk_choose(l->ctl, &l->filter, &b, fault);
	size_t i = 0;

	bulk_sort(&b, (enum bulk_order)l->options->sort, l->options->reverse, l->filter.now);
	while (rc == KMS_OK && i < b.count && !list_row(l, &b.at[i].client, &b.at[i].cold))
		i++;
	if (rc == KMS_OK && i + 1 < b.count)
		rc = STOP;
	bulk_free(&b);
	return rc;
}

static int
list_clients(struct ctl *ctl, struct listing *l)
{
	bool sorted = l->options->sort != BULK_CMID || l->options->reverse;
	struct fault fault = { 0 };
	int rc;

	ctl->leave_root = true;
	output_list(ctl->out, "clients", NULL);
	output_columns(ctl->out,
	    "name,user,cmid,product_name,product,publisher,pool,class,address,first_seen,last_seen,expires,vm,state,status,sequence,batch,leaf,last_clone,revoked,caught_up,held_until,bound,bound_other,borrowed,overdraft,stateless");
	rc = sorted ? list_sorted(l, &fault) : ledger_each_client(ctl, list_one, l, &fault);
	output_end(ctl->out);
	if (rc != 0 && rc != STOP)
		return ledger_failed(ctl, rc, &fault);
	output_number(ctl->out, "shown", NULL, l->sums.clients);
	output_bool(ctl->out, "complete", NULL, rc == 0);
	client_sums_print(ctl, &l->sums, rc == STOP);
	output_number(ctl->out, "held", NULL, l->held);
	if (l->held > 0)
		output_line(ctl->out, OUTPUT_BAD,
		    "Of these, %" PRIu64
		    " %s no lease, because two machines use the same key in turn: kmsctl clients --clones",
		    l->held, l->held == 1 ? "gets" : "get");
	return CTL_OK;
}

/* What the options mean for the filter. */
static void
list_filter(struct client_filter *f, const struct clients_options *o)
{
	*f = o->filter;
	f->active = o->active;
	f->seen_since = o->since;
	f->flags |= (o->vm ? CLIENT_VM : 0) | (o->borrowed ? CLIENT_BORROWED : 0);
}

/* Are there options that say which clients of the ledger, or in which order? */
static bool
chooses(const struct clients_options *o, bool product)
{
	struct client_filter f = o->filter;

	f.product = product ? f.product : NULL;
	return client_filter_given(&f) || o->active || o->since != 0 || o->vm || o->borrowed ||
	       o->sort != BULK_CMID || o->reverse;
}

static int
check_options(struct ctl *ctl)
{
	const struct clients_options *o = ctl->options;

	if (ctl->csv && ctl->json)
		return fail(ctl, KMS_E_ARGUMENT, "--csv and --json exclude each other");
	if (o->relayed && (o->clones || o->all || chooses(o, true)))
		return fail(ctl, KMS_E_ARGUMENT,
		    "--relayed lists clients of another host: combine it only with --limit and --csv");
	if (o->clones ? chooses(o, false) : o->all)
		return fail(ctl, KMS_E_ARGUMENT,
		    o->clones
			? "combine --clones only with --product, --limit, --full, --all and --csv"
			: "--all needs --clones: it reads the whole journal");
	return CTL_OK;
}

static int
run_clients(struct ctl *ctl)
{
	const struct clients_options *o = ctl->options;
	const struct clones_wanted clones = { o->filter.product, o->limit, o->full, o->all };
	struct listing l = { .ctl = ctl, .options = o };
	bool running;
	int code = check_options(ctl);

	if (code != CTL_OK)
		return code;
	running = clients_checkpoint(ctl);
	output_bool(ctl->out, "running", NULL, running);
	if (o->relayed)
		return relayed_list(ctl, o->limit);
	if (running)
		products_ask(ctl, &l.products);
	list_filter(&l.filter, o);
	code = o->clones ? clones_list(ctl, &clones, &l.products)
			 : client_filter_ready(ctl, &l.filter, &l.products);
	if (code == CTL_OK && !o->clones)
		code = list_clients(ctl, &l);
	products_free(&l.products);
	return code;
}

static int
show_from_ledger(struct ctl *ctl, const uint8_t cmid[16])
{
	struct products none = { 0 };
	struct kmsdb_client client;
	struct kmsdb_cold host;
	struct fault fault = { 0 };
	char hex[33];
	int rc;

	ctl->leave_root = true;
	rc = ledger_one_client(ctl, cmid, &client, &host, &fault);
	if (rc == KMS_E_NOT_FOUND)
		return fail(ctl, (uint32_t)rc, "no client has the CMID \"%s\"", ctl->args[0]);
	if (rc != KMS_OK)
		return ledger_failed(ctl, rc, &fault);
	output_bool(ctl->out, "running", NULL, false);
	output_line(ctl->out, OUTPUT_WARN, "kmsd is not running: this is the state of the ledger");
	output_object(ctl->out, "client", "Client");
	client_print(ctl, &client, &host, &none, CLIENT_ALL);
	output_end(ctl->out);
	hex_format(hex, cmid, 16);
	if ((client.flags & KMSDB_HELD) != 0)
		client_tell_hold(ctl, hex, host.hold_end);
	return CTL_OK;
}

static int
run_client_show(struct ctl *ctl)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	const struct reply_row *row;
	char name[MESSAGE_NAME + 1], hex[33];
	uint64_t held_until;
	struct fault f = { 0 };
	uint8_t cmid[16];
	int rc, code = client_find(ctl, ctl->args[0], cmid, name);

	if (code != CTL_OK)
		return code;
	hex_format(hex, cmid, 16);
	control_text(&args, "cmid", hex);
	rc = ask_quietly(ctl, CONTROL_CLIENT_SHOW, &args, &reply, &f);
	control_buf_free(&args);
	if (rc == KMS_E_NOT_RUNNING)
		return show_from_ledger(ctl, cmid);
	if (rc != KMS_OK)
		return fail_fault(ctl, &f);
	row = reply_next(&reply, "client", NULL);
	if (row == NULL) {
		reply_free(&reply);
		return fail(ctl, KMS_E_FORMAT, "the host's answer contains no client");
	}
	output_bool(ctl->out, "running", NULL, true);
	output_object(ctl->out, "client", "Client");
	reply_print_fields(ctl->out, row);
	output_end(ctl->out);
	if (reply_number(row, "held-until", &held_until))
		client_tell_hold(ctl, hex, held_until);
	reply_free(&reply);
	return CTL_OK;
}

static int
act_on_client(struct ctl *ctl, uint16_t verb, const char *done, const char *note)
{
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	uint64_t revoked = 0;
	char name[MESSAGE_NAME + 1], hex[33];
	uint8_t cmid[16];
	int code = client_find(ctl, ctl->args[0], cmid, name);

	if (code != CTL_OK)
		return code;
	hex_format(hex, cmid, 16);
	control_text(&args, "cmid", hex);
	code = ask_host(ctl, verb, &args, &reply);
	control_buf_free(&args);
	if (code == CTL_OK && reply_next(&reply, "client", NULL) != NULL)
		reply_number(reply_next(&reply, "client", NULL), "revoked", &revoked);
	reply_free(&reply);
	if (code != CTL_OK)
		return code;
	output_text(ctl->out, "cmid", NULL, hex);
	output_text(ctl->out, "name", NULL, name[0] ? name : NULL);
	output_bool(ctl->out, done, NULL, true);
	output_line(ctl->out, OUTPUT_GOOD, "Client %s%s%s%s %s", hex, name[0] ? " (" : "", name,
	    name[0] ? ")" : "", done);
	output_line(ctl->out, OUTPUT_PLAIN, "%s", note);
	if (revoked)
		output_line(ctl->out, OUTPUT_WARN,
		    "It is still revoked: kmsctl client unrevoke %s lifts the revocation.", hex);
	return CTL_OK;
}

static int
run_client_revoke(struct ctl *ctl)
{
	return act_on_client(ctl, CONTROL_CLIENT_REVOKE, "revoked",
	    "The client gets no new lease. Its present lease stays valid until it expires.");
}

static int
run_client_unrevoke(struct ctl *ctl)
{
	return act_on_client(ctl, CONTROL_CLIENT_UNREVOKE, "unrevoked",
	    "It is not counted yet. When it asks again, kmsd decides as for any other client.");
}

static int
run_client_forget(struct ctl *ctl)
{
	const struct forget_options *o = ctl->options;
	struct client_matches m;
	uint8_t cmid[16];
	int code;

	if (client_forget_many(o))
		return client_forget(ctl, o, NULL);
	if (ctl->arg_count == 0)
		return fail(ctl, KMS_E_ARGUMENT,
		    "name a client, or choose clients by options such as --name, --pool, --address and --unseen (kmsctl client forget --help)");
	if (!hex_parse(cmid, 16, ctl->args[0])) {
		if ((code = client_search(ctl, ctl->args[0], &m)) != CTL_OK)
			return code;
		if (m.count > 1 && m.kind != CLIENT_BY_CMID)
			return client_forget(ctl, o, &m);
	}
	return act_on_client(ctl, CONTROL_CLIENT_FORGET, "forgotten",
	    "The client is no longer counted. If it asks again, it is a new client.");
}

static int
run_client_erase(struct ctl *ctl)
{
	return act_on_client(ctl, CONTROL_CLIENT_ERASE, "erased",
	    "Its names and addresses were erased from the index and the journal. If the client renews, kmsd records its name again. Older backups and exports still contain the names.");
}

static const struct option_row clients_rows[] = {
	CLIENT_FILTER_ROWS(struct clients_options, filter),
	{ "active", 0, NULL, "only clients with a lease",
	    .offset = offsetof(struct clients_options, active) },
	{ "since", 0, "TIME", "only clients last seen at this time or later",
	    .offset = offsetof(struct clients_options, since), .read = client_filter_time,
	    .takes = CLIENT_FILTER_TIME },
	{ "vm", 0, NULL, "only virtual machines; the same as --flag vm",
	    .offset = offsetof(struct clients_options, vm) },
	{ "borrowed", 0, NULL, "only clients that borrowed their seat, and until when",
	    .offset = offsetof(struct clients_options, borrowed) },
	{ "sort", 0, "ORDER", "by name, seen, first, expires or state",
	    .offset = offsetof(struct clients_options, sort), .read = read_order,
	    .takes = "name, seen, first, expires or state",
	    .complete = "words name seen first expires state" },
	{ "reverse", 0, NULL, "reverse the order",
	    .offset = offsetof(struct clients_options, reverse) },
	{ "limit", 0, "N", "show at most N rows", .offset = offsetof(struct clients_options, limit),
	    .read = option_count, .takes = "a number from 1" },
	{ "full", 0, NULL, "show whole CMIDs", .offset = offsetof(struct clients_options, full) },
	CTL_CSV,
	{ "clones", 0, NULL, "show machines that share a client key",
	    .offset = offsetof(struct clients_options, clones) },
	{ "all", 0, NULL, "with --clones: read the whole journal",
	    .offset = offsetof(struct clients_options, all) },
	{ "relayed", 0, NULL, "show clients that the relay observed",
	    .offset = offsetof(struct clients_options, relayed) },
	{ 0 },
};

const struct ctl_command cmd_clients = {
	.line.noun = "clients",
	.line.summary = "list the clients in the ledger, even when kmsd is not running",
	.paged = true,
	.line.options = clients_rows,
	.line.values = sizeof(struct clients_options),
	.run = run_clients,
};
const struct ctl_command cmd_client_show = {
	.line.noun = "client",
	.line.verb = "show",
	.line.args = "CMID|NAME",
	.line.complete = "ask clients",
	.line.summary = "show everything that is known about one client",
	.paged = true,
	.line.min = 1,
	.line.max = 1,
	.run = run_client_show,
};
const struct ctl_command cmd_client_revoke = {
	.line.noun = "client",
	.line.verb = "revoke",
	.line.args = "CMID|NAME",
	.line.complete = "ask clients",
	.line.summary = "refuse this client new leases",
	.line.min = 1,
	.line.max = 1,
	.run = run_client_revoke,
};
const struct ctl_command cmd_client_unrevoke = {
	.line.noun = "client",
	.line.verb = "unrevoke",
	.line.args = "CMID|NAME",
	.line.complete = "ask clients",
	.line.summary = "lift a revocation; the client must ask again",
	.line.min = 1,
	.line.max = 1,
	.run = run_client_unrevoke,
};
const struct ctl_command cmd_client_erase = {
	.line.noun = "client",
	.line.verb = "erase",
	.line.args = "CMID|NAME",
	.line.complete = "ask clients",
	.line.summary = "erase a client's names and addresses; it stays counted",
	.line.min = 1,
	.line.max = 1,
	.run = run_client_erase,
};
const struct ctl_command cmd_client_forget = {
	.line.noun = "client",
	.line.verb = "forget",
	.line.args = "[CMID|NAME]",
	.line.complete = "ask clients",
	.line.summary = "stop counting a client, or all clients that the options choose",
	.line.options = client_forget_rows,
	.line.values = sizeof(struct forget_options),
	.line.max = 1,
	.run = run_client_forget,
};
