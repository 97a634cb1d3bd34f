/*
 * clients.c - clients, client show, revoke, unrevoke, forget, erase.
 */
#include "kmsctl/ledger/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/bulk.h"
#include "kmsctl/ledger/clones.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsctl/ledger/ledger_ask.h"
#include "kmsctl/relay/observed_list.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

#define STOP 1 /* from the callback: enough rows */

struct clients_options {
	const char *product;
	uint64_t limit; /* 0: none */
	uint64_t since; /* seconds; 0: not given */
	bool active, full, clones, all, vm, relayed;
};

static bool
read_time(void *field, const char *text)
{
	return value_time_parse(field, text, false);
}

struct listing {
	struct ctl *ctl;
	const struct clients_options *options;
	struct products products;
	bool by_product;
	uint8_t product[16];
	uint64_t shown, total, now;
	uint64_t held; /* of those shown */
};

static int
list_one(const struct kmsdb_client *c, const struct kmsdb_cold *h, void *arg)
{
	struct listing *l = arg;

	/* What stays of a forgotten client is only there to refuse its old requests. */
	if ((c->flags & (KMSDB_FORGOTTEN | KMSDB_REVOKED)) == KMSDB_FORGOTTEN)
		return 0;
	l->total++;
	if (l->by_product && memcmp(c->product, l->product, 16) != 0)
		return 0;
	if (l->options->active && strcmp(kmsdb_client_state(c, l->now), "activated") != 0)
		return 0;
	if (c->last_seen < l->options->since)
		return 0;
	if (l->options->vm && (c->flags & ENTRY_VM) == 0)
		return 0;
	output_row(l->ctl->out);
	client_print(l->ctl, c, h, &l->products, l->options->full ? CLIENT_ROW_FULL : CLIENT_ROW);
	l->shown++;
	l->held += (c->flags & KMSDB_HELD) != 0 && h->hold_end > l->now;
	if (ferror(l->ctl->out->file))
		return STOP; /* the reader has closed the pipe */
	return l->options->limit != 0 && l->shown == l->options->limit ? STOP : 0;
}

static int
list_clients(struct ctl *ctl, struct listing *l, bool running)
{
	struct fault fault = { 0 };
	int rc;

	if (l->options->product != NULL &&
	    !products_find(&l->products, l->options->product, l->product))
		return fail(ctl, KMS_E_NOT_FOUND,
		    running
			? "no installed policy pack names the product \"%s\""
			: "\"%s\" is not a UUID, and product names are known only while kmsd runs",
		    l->options->product);
	l->by_product = l->options->product != NULL;
	ctl->leave_root = true;
	output_list(ctl->out, "clients", NULL);
	rc = ledger_each_client(ctl, list_one, l, &fault);
	output_end(ctl->out);
	if (rc != 0 && rc != STOP)
		return fail(ctl, (uint32_t)rc, "the ledger cannot be read: %s", fault.text);
	output_number(ctl->out, "shown", NULL, l->shown);
	output_bool(ctl->out, "complete", NULL, rc == 0);
	output_line(ctl->out, OUTPUT_PLAIN, "%" PRIu64 " client%s%s", l->shown,
	    l->shown == 1 ? "" : "s",
	    rc == STOP ? ", and there may be more: use a higher --limit" : "");
	output_number(ctl->out, "held", NULL, l->held);
	if (l->held > 0)
		output_line(ctl->out, OUTPUT_BAD,
		    "Of these, %" PRIu64
		    " %s no lease, because two machines use the same key in turn: kmsctl clients --clones",
		    l->held, l->held == 1 ? "gets" : "get");
	return CTL_OK;
}

static int
run_clients(struct ctl *ctl)
{
	const struct clients_options *o = ctl->options;
	const struct clones_wanted clones = { o->product, o->limit, o->full, o->all };
	struct listing l = { .ctl = ctl, .options = o, .now = (uint64_t)time(NULL) };
	bool running;
	int code;

	if (o->relayed &&
	    (o->clones || o->active || o->all || o->vm || o->since != 0 || o->product != NULL))
		return fail(ctl, KMS_E_ARGUMENT,
		    "--relayed lists clients of another host: the only other option that it allows is --limit");
	if (o->clones ? o->active || o->since != 0 : o->all)
		return fail(ctl, KMS_E_ARGUMENT,
		    o->clones ? "--clones goes with neither --active nor --since"
			      : "--all needs --clones: it reads the whole journal");
	running = clients_checkpoint(ctl);
	output_bool(ctl->out, "running", NULL, running);
	if (o->relayed)
		return relayed_list(ctl, o->limit);
	if (running)
		products_ask(ctl, &l.products);
	code = o->clones ? clones_list(ctl, &clones, &l.products) : list_clients(ctl, &l, running);
	products_free(&l.products);
	return code;
}

static int
show_from_ledger(struct ctl *ctl, const uint8_t cmid[16])
{
	struct products none = { 0 };
	struct kmsdb_client client;
	struct kmsdb_cold host;
	struct kmsdb *db;
	struct fault fault = { 0 };
	char hex[33];
	int rc, host_e;

	ctl->leave_root = true;
	rc = ledger_access_open(ctl, &db, &fault);
	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "the ledger cannot be read: %s", fault.text);
	rc = kmsdb_client_get(db, cmid, &client);
	host_e = kmsdb_cold_get(db, cmid, &host);
	ledger_access_close(db, -1);
	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "no client has the CMID \"%s\"", ctl->args[0]);
	output_bool(ctl->out, "running", NULL, false);
	output_line(ctl->out, OUTPUT_WARN, "kmsd is not running: this is the state of the ledger");
	output_object(ctl->out, "client", "Client");
	client_print(ctl, &client, host_e == KMS_OK ? &host : NULL, &none, CLIENT_ALL);
	output_end(ctl->out);
	hex_format(hex, cmid, 16);
	if (host_e == KMS_OK && (client.flags & KMSDB_HELD) != 0)
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
		    "It is still revoked: kmsctl client unrevoke lifts the revocation.");
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
	    "It is not counted yet: it must ask again, and is then decided on like any other client.");
}

#define PREVIEW 20 /* rows */

struct forget_options {
	const char *address;
	uint64_t since, until; /* seconds; 0: not given */
	bool yes;
};

static void
preview(struct ctl *ctl, const struct bulk *b)
{
	struct products none = { 0 };

	for (size_t i = 0; i < b->count && (ctl->json || i < PREVIEW); i++) {
		output_row(ctl->out);
		client_print(ctl, &b->at[i].client, &b->at[i].cold, &none, CLIENT_ROW);
	}
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

static int
forget_chosen(struct ctl *ctl, const struct bulk *b, const struct forget_options *o)
{
	char now[VALUE_TIME + 1];

	output_number(ctl->out, "clients", NULL, b->count);
	if (b->count == 0) {
		output_line(
		    ctl->out, OUTPUT_PLAIN, "No client that counts is from there and then.");
		return CTL_OK;
	}
	if (o->yes)
		return forget_all(ctl, b);
	output_line(ctl->out, OUTPUT_WARN,
	    "%zu client%s would be forgotten%s. Nothing is done yet: add --yes, and --until %s, so that none is forgotten that came since.",
	    b->count, b->count == 1 ? "" : "s",
	    b->count > PREVIEW ? ", of which the first are shown" : "",
	    value_time_format(now, (uint64_t)time(NULL)) ? now : "NOW");
	output_line(ctl->out, OUTPUT_PLAIN,
	    "Their leases stay valid until they expire, and a client that asks again counts again: first keep away what made them (kmsctl firewall).");
	return CTL_OK;
}

/* What one machine made, by its address, by when it was first seen, or by a name (m, else NULL). */
static int
forget_many(struct ctl *ctl, const struct forget_options *o, const struct client_matches *m)
{
	struct bulk_wanted wanted = { .any = o->address == NULL,
		.name = m != NULL ? ctl->args[0] : NULL,
		.whole_name = m != NULL && m->kind == CLIENT_BY_NAME,
		.since = o->since,
		.until = o->until != 0 ? o->until : UINT64_MAX };
	struct fault fault = { 0 };
	struct bulk chosen;
	int rc, code;

	if (ctl->arg_count > 0 && m == NULL)
		return fail(ctl, KMS_E_ARGUMENT,
		    "name a client, or choose by --address, --since and --until, not both");
	if (o->address != NULL && !network_parse(&wanted.network, o->address))
		return fail(ctl, KMS_E_ARGUMENT,
		    "--address takes an address or a network as ADDRESS/BITS, not \"%s\"",
		    o->address);
	if (!clients_checkpoint(ctl))
		return fail(ctl, KMS_E_NOT_RUNNING,
		    "kmsd must run: it writes the journal. Type: systemctl start kmsd");
	rc = bulk_choose(ctl, &wanted, (uint64_t)time(NULL), &chosen, &fault);
	if (rc != KMS_OK) {
		code = fail(ctl, (uint32_t)rc, "the ledger cannot be read: %s", fault.text);
	} else {
		output_list(ctl->out, "chosen", NULL);
		preview(ctl, &chosen);
		output_end(ctl->out);
		code = forget_chosen(ctl, &chosen, o);
	}
	bulk_free(&chosen);
	return code;
}

static int
run_client_forget(struct ctl *ctl)
{
	const struct forget_options *o = ctl->options;
	struct client_matches m;
	uint8_t cmid[16];
	int code;

	if (o->address != NULL || o->since != 0 || o->until != 0)
		return forget_many(ctl, o, NULL);
	if (ctl->arg_count == 0)
		return fail(ctl, KMS_E_ARGUMENT,
		    "name a client, or choose clients by --address, --since and --until");
	if (!hex_parse(cmid, 16, ctl->args[0])) {
		if ((code = client_search(ctl, ctl->args[0], &m)) != CTL_OK)
			return code;
		if (m.count > 1 && m.kind != CLIENT_BY_CMID)
			return forget_many(ctl, o, &m);
	}
	return act_on_client(ctl, CONTROL_CLIENT_FORGET, "forgotten",
	    "The client is no longer counted. If it asks again, it is a new client.");
}

static int
run_client_erase(struct ctl *ctl)
{
	return act_on_client(ctl, CONTROL_CLIENT_ERASE, "erased",
	    "Its names and addresses up to now are erased, in the journal too. If it still renews, it brings its name again. Backups and exports that were made before still have it.");
}

static const struct option_row clients_rows[] = {
	{ "product", 0, "NAME|UUID", "only clients of this product",
	    .offset = offsetof(struct clients_options, product), .complete = "ask products" },
	{ "active", 0, NULL, "only clients with a lease",
	    .offset = offsetof(struct clients_options, active) },
	{ "limit", 0, "N", "show at most N rows", .offset = offsetof(struct clients_options, limit),
	    .read = option_count, .takes = "a number from 1" },
	{ "full", 0, NULL, "show whole CMIDs", .offset = offsetof(struct clients_options, full) },
	{ "clones", 0, NULL, "show machines that share a client key",
	    .offset = offsetof(struct clients_options, clones) },
	{ "all", 0, NULL, "with --clones: read the whole journal",
	    .offset = offsetof(struct clients_options, all) },
	{ "since", 0, "TIME", "only clients heard from at that time or later",
	    .offset = offsetof(struct clients_options, since), .read = read_time,
	    .takes = "a date or a time as 2026-11-23T14:00:00Z" },
	{ "vm", 0, NULL, "only virtual machines", .offset = offsetof(struct clients_options, vm) },
	{ "relayed", 0, NULL, "show clients that the relay observed",
	    .offset = offsetof(struct clients_options, relayed) },
	{ 0 },
};

static const struct option_row forget_rows[] = {
	{ "address", 0, "ADDRESS[/BITS]", "all that count and came from there",
	    .offset = offsetof(struct forget_options, address) },
	{ "since", 0, "TIME", "all that count and were first seen at that time or later",
	    .offset = offsetof(struct forget_options, since), .read = read_time,
	    .takes = "a date or a time as 2026-11-23T14:00:00Z" },
	{ "until", 0, "TIME", "the same, at that time or earlier",
	    .offset = offsetof(struct forget_options, until), .read = read_time,
	    .takes = "a date or a time as 2026-11-23T14:00:00Z" },
	{ "yes", 0, NULL, "do it: without it, show what would be forgotten",
	    .offset = offsetof(struct forget_options, yes) },
	{ 0 },
};

const struct ctl_command cmd_clients = {
	.line.noun = "clients",
	.line.summary = "list the clients in the ledger, even when kmsd is not running",
	.line.options = clients_rows,
	.line.values = sizeof(struct clients_options),
	.run = run_clients,
};
const struct ctl_command cmd_client_show = {
	.line.noun = "client",
	.line.verb = "show",
	.line.args = "CMID|NAME",
	.line.summary = "show everything that is known about one client",
	.line.min = 1,
	.line.max = 1,
	.run = run_client_show,
};
const struct ctl_command cmd_client_revoke = {
	.line.noun = "client",
	.line.verb = "revoke",
	.line.args = "CMID|NAME",
	.line.summary = "refuse this client new leases",
	.line.min = 1,
	.line.max = 1,
	.run = run_client_revoke,
};
const struct ctl_command cmd_client_unrevoke = {
	.line.noun = "client",
	.line.verb = "unrevoke",
	.line.args = "CMID|NAME",
	.line.summary = "lift a revocation; the client must ask again",
	.line.min = 1,
	.line.max = 1,
	.run = run_client_unrevoke,
};
const struct ctl_command cmd_client_erase = {
	.line.noun = "client",
	.line.verb = "erase",
	.line.args = "CMID|NAME",
	.line.summary = "erase a client's names and addresses; it stays counted",
	.line.min = 1,
	.line.max = 1,
	.run = run_client_erase,
};
const struct ctl_command cmd_client_forget = {
	.line.noun = "client",
	.line.verb = "forget",
	.line.args = "[CMID|NAME]",
	.line.summary =
	    "forget a client, or all of an address and a time, so that they no longer count",
	.line.options = forget_rows,
	.line.values = sizeof(struct forget_options),
	.line.max = 1,
	.run = run_client_forget,
};
