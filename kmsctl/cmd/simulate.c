/*
 * simulate.c - policy simulate: what a pack would change, before it is installed.
 */
#include "kmsctl/ledger/simulate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cmd/simulate_history.h"
#include "kmsctl/host/class_check.h"
#include "kmsctl/host/install.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/clients.h"
#include "kmsctl/ledger/ledger_access.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

struct simulate_options {
	uint64_t limit; /* 0: none */
	bool full;
	bool all; /* the whole journal */
};

struct forecast {
	struct ctl *ctl;
	const struct simulate_options *options;
	struct publishers publishers;
	struct publisher_file file;        /* the pack */
	const struct publisher *publisher; /* who signed it */
	const struct policy_pack *pack;
	struct simulation simulation;
	struct replayed history;
	char obstacle[FAULT_TEXT + 40]; /* why it could not be installed, or "" */
	uint64_t shown;
};

static int
read_installed(struct forecast *f)
{
	struct fault fault = { 0 };
	int fd = ledger_access_directory(f->ctl), rc;

	if (fd < 0)
		return CTL_FAILED;
	rc = install_find(f->ctl, &f->publishers, fd, &fault);
	ledger_access_close(NULL, fd);
	return rc == KMS_OK ? CTL_OK
			    : fail(f->ctl, (uint32_t)rc, "the installed files cannot be read: %s",
				  fault.text);
}

/* The pack, when a publisher of kms.ini signed it. Would kmsd accept an installation now? */
static int
take_pack(struct forecast *f)
{
	struct fault fault = { 0 };
	int rc = publisher_file_read(&f->publishers, &f->file, &fault);

	if (rc != KMS_OK)
		return fail(f->ctl, (uint32_t)rc, "%s: %s", f->ctl->args[0], fault.text);
	f->publisher = f->file.publisher;
	f->pack = f->file.pack;
	rc = publisher_file_check(&f->publishers, &f->file, (uint64_t)time(NULL), &fault);
	if (rc != KMS_OK)
		snprintf(f->obstacle, sizeof(f->obstacle), "%s (%s)", fault.text,
		    kms_error_find((uint32_t)rc)->symbol);
	return CTL_OK;
}

static int
print_change(const struct simulate_change *c, void *arg)
{
	struct forecast *f = arg;
	struct output *o = f->ctl->out;
	char cmid[33], id[37];
	static const uint8_t none[16];

	if (f->options->limit != 0 && f->shown == f->options->limit)
		return 0;
	f->shown++;
	hex_format(cmid, c->client->cmid, 16);
	uuid_format(id, c->client->product);
	output_row(o);
	output_put(o, &(struct output_field){ .key = "change",
			  .label = "Change",
			  .type = OUTPUT_TEXT,
			  .text = c->gain ? "gains" : "loses",
			  .style = c->gain ? OUTPUT_GOOD : OUTPUT_BAD });
	output_text(o, "name", "Name", c->host != NULL ? c->host->name : NULL);
	if (!f->options->full && !f->ctl->json)
		cmid[CLIENT_SHORT_CMID] = '\0';
	output_text(o, "cmid", "CMID", cmid);
	output_text(o, "product_name", "Product", c->product->name);
	output_text(o, "product", NULL, id);
	client_print_address(o, NULL, c->host != NULL ? c->host->address : none);
	output_time(o, "from", "From", c->from);
	output_text(o, "from_event", "When", c->lease ? "lease-end" : "next-request");
	output_text(o, "status", "Status", kms_error_find(c->status)->symbol);
	/* The reader may have closed the pipe. */
	return ferror(o->file) ? KMS_E_IO : 0;
}

static void
print_products(struct forecast *f)
{
	struct output *o = f->ctl->out;
	char id[37];

	output_list(o, "products", "Products");
	for (unsigned i = 0; i < f->simulation.product_count; i++) {
		const struct simulate_product *p = &f->simulation.products[i];
		const struct policy_product *any = p->after != NULL ? p->after : p->before;

		uuid_format(id, any->id);
		output_row(o);
		output_text(o, "name", "Product", any->name);
		output_text(o, "id", NULL, id);
		output_text(o, "change", "Pack",
		    p->before == NULL  ? "new"
		    : p->after == NULL ? "dropped"
				       : "kept");
		output_bool(o, "covered", "Covered", p->covered);
		output_number(o, "clients", "Clients", p->clients);
		output_number(o, "activated_before", "Activated now", p->activated_before);
		output_number(o, "activated_after", "Activated after", p->activated_after);
		output_number(o, "gain", "Gain", p->gain);
		output_number(o, "lose", "Lose", p->lose);
		output_number(o, "required_before", "Required now",
		    p->before != NULL ? p->before->threshold : 0);
		output_number(o, "required_after", "Required after",
		    p->after != NULL ? p->after->threshold : 0);
	}
	output_end(o);
}

static void
print_pools(struct forecast *f)
{
	struct output *o = f->ctl->out;

	output_list(o, "pools", "Counting pools");
	for (unsigned i = 0; i < f->simulation.pool_count; i++) {
		const struct simulate_pool *p = &f->simulation.pools[i];
		const struct policy_pool *any = p->after != NULL ? p->after : p->before;

		output_row(o);
		output_number(o, "number", "Pool", any->number);
		output_text(o, "name", "Name", any->name);
		output_number(o, "counted_before", "Counted now", p->counted_before);
		output_number(o, "counted_after", "Counted after", p->counted_after);
		output_put(o, &(struct output_field){ .key = "capacity",
				  .label = "Capacity",
				  .type = OUTPUT_LIMIT,
				  .number = p->after != NULL ? p->after->capacity : 0 });
	}
	output_end(o);
}

static void
warn(struct forecast *f, const char *text)
{
	if (f->ctl->json)
		output_row(f->ctl->out);
	output_text(f->ctl->out, "warning", NULL, text);
	output_line(f->ctl->out, OUTPUT_WARN, "%s", text);
}

static void
warn_of_history(struct forecast *f)
{
	char text[256];

	for (unsigned i = 0; i < f->history.count; i++)
		if (replayed_warning(&f->history, i, text, sizeof(text)) != NULL)
			warn(f, text);
}

/* What the new pack asks for and the ledger has no record of, product by product. */
static void
warn_of_product(struct forecast *f, const struct simulate_product *p)
{
	char text[256];

	if (p->before == NULL || p->after == NULL || p->clients == 0)
		return;
	if (p->before->vm == POLICY_ALLOW && p->after->vm == POLICY_REFUSE) {
		snprintf(text, sizeof(text),
		    "%s: the pack refuses virtual machines, but the ledger does not say which clients are virtual, because the pack in force does not record it.",
		    p->after->name);
		warn(f, text);
	}
	if (!p->before->bind && p->after->bind && p->after->bind_refuse) {
		snprintf(text, sizeof(text),
		    "%s: the pack refuses machines without an id (bind-change = refuse), but the ledger does not say which clients send one, because the pack in force does not record it.",
		    p->after->name);
		warn(f, text);
	}
}

static void
print_warnings(struct forecast *f)
{
	char text[320];

	output_list(f->ctl->out, "warnings", NULL);
	if (!f->publisher->confirmed)
		warn(f,
		    "No host certificate of this publisher is installed: no client is activated, with the old pack or the new one.");
	if (f->publisher->revoked != NULL) {
		snprintf(text, sizeof(text),
		    "The publisher revoked this host's %s (%s): no client is activated, with the old pack or the new one.",
		    revocation_what(f->publisher->revoked), f->publisher->revoked->reason);
		warn(f, text);
	}
	for (unsigned i = 0; i < f->simulation.product_count; i++)
		warn_of_product(f, &f->simulation.products[i]);
	warn_of_history(f);
	if (f->simulation.nameless > 0) {
		snprintf(text, sizeof(text),
		    "Clients that were refused because no installed pack names their product: %" PRIu64
		    ". This pack may name it.",
		    f->simulation.nameless);
		warn(f, text);
	}
	output_end(f->ctl->out);
}

static void
print_subject(struct forecast *f)
{
	const struct policy_pack *old = f->publisher->pack;
	struct output *o = f->ctl->out;
	char version[16], before[16] = "";

	snprintf(version, sizeof(version), "%u.%u", f->pack->major, f->pack->minor);
	if (old != NULL)
		snprintf(before, sizeof(before), "%u.%u", old->major, old->minor);
	output_text(o, "publisher", NULL, f->publisher->name);
	output_text(o, "pack", NULL, f->pack->id);
	output_text(o, "version", NULL, version);
	output_text(o, "installed_version", NULL, old != NULL ? before : NULL);
	output_bool(o, "installable", NULL, f->obstacle[0] == '\0');
	output_text(o, "obstacle", NULL, f->obstacle[0] ? f->obstacle : NULL);
	output_line(o, OUTPUT_PLAIN, "%s %s of publisher %s, to replace %s", f->pack->id, version,
	    f->publisher->name, old != NULL ? before : "nothing");
	if (f->obstacle[0] != '\0')
		output_line(o, OUTPUT_BAD, "This pack cannot be installed now: %s", f->obstacle);
}

static int
run_passes(struct forecast *f)
{
	struct ctl *ctl = f->ctl;
	struct kmsdb *db;
	struct fault fault = { 0 };
	int rc = ledger_access_open(ctl, &db, &fault);

	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "the ledger cannot be read: %s", fault.text);
	output_list(ctl->out, "changes", NULL);
	rc = simulate_run(&f->simulation, db, print_change, f);
	output_end(ctl->out);
	ledger_access_close(db, -1);
	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "the ledger cannot be read");
	return CTL_OK;
}

static int
print_outcome(struct forecast *f)
{
	const struct simulation *s = &f->simulation;
	struct output *o = f->ctl->out;

	print_products(f);
	print_pools(f);
	replayed_print(&f->history, o);
	print_warnings(f);
	output_number(o, "clients", NULL, s->clients);
	output_number(o, "away", NULL, s->away);
	output_number(o, "gain", NULL, s->gain);
	output_number(o, "lose", NULL, s->lose);
	output_bool(o, "complete", NULL, f->shown == s->gain + s->lose);
	output_line(o, s->lose > 0 ? OUTPUT_BAD : OUTPUT_GOOD,
	    "Of %" PRIu64 " clients %" PRIu64 " would gain and %" PRIu64
	    " would lose activation. Nothing was changed.",
	    s->clients, s->gain, s->lose);
	return s->lose > 0 || f->obstacle[0] != '\0' ? CTL_PROBLEM : CTL_OK;
}

static int
forecast(struct forecast *f)
{
	int code = take_pack(f);

	if (code != CTL_OK)
		return code;
	output_bool(f->ctl->out, "running", NULL, clients_checkpoint(f->ctl));
	print_subject(f);
	simulate_init(&f->simulation, f->publisher, f->pack, (uint64_t)time(NULL));
	if ((code = run_passes(f)) != CTL_OK)
		return code;
	if ((code = replayed_add(&f->history, f->ctl, f->publisher, f->pack)) == CTL_OK)
		code = replayed_read(&f->history, f->ctl, f->options->all);
	return code == CTL_OK ? print_outcome(f) : code;
}

/* The classes of kms.ini under the packs in force. Would kmsd take them at a reload? */
static int
forecast_classes(struct forecast *f)
{
	struct output *o = f->ctl->out;
	struct fault fault = { 0 };
	int code = CTL_OK;

	if (f->ctl->config.class_count == 0)
		return fail(f->ctl, KMS_E_ARGUMENT,
		    "kms.ini has no class, and no pack is named: kmsctl policy simulate FILE");
	for (unsigned i = 0; code == CTL_OK && i < f->publishers.count; i++)
		if (f->publishers.list[i].pack != NULL)
			code = replayed_add(&f->history, f->ctl, &f->publishers.list[i],
			    f->publishers.list[i].pack);
	if (code != CTL_OK)
		return code;
	output_bool(o, "running", NULL, clients_checkpoint(f->ctl));
	if ((code = replayed_read(&f->history, f->ctl, f->options->all)) != CTL_OK)
		return code;
	if (class_check(f->ctl, &fault) != KMS_OK)
		snprintf(f->obstacle, sizeof(f->obstacle), "%s", fault.text);
	output_text(o, "obstacle", NULL, f->obstacle[0] != '\0' ? f->obstacle : NULL);
	if (f->obstacle[0] != '\0')
		output_line(o, OUTPUT_BAD, "kmsd would refuse these classes: %s", f->obstacle);
	replayed_print(&f->history, o);
	output_list(o, "warnings", NULL);
	warn_of_history(f);
	output_end(o);
	if (f->history.count == 0)
		output_line(o, OUTPUT_WARN, "No installed pack has a pool of these classes.");
	return f->obstacle[0] != '\0' ? CTL_PROBLEM : CTL_OK;
}

static int
run_policy_simulate(struct ctl *ctl)
{
	struct forecast *f = calloc(1, sizeof(*f));
	struct signed_file file = { 0 };
	int code;

	if (f == NULL)
		return fail(ctl, KMS_E_NO_MEMORY, "not enough memory to read a policy pack");
	f->ctl = ctl;
	f->options = ctl->options;
	if ((code = read_installed(f)) == CTL_OK && ctl->args[0] == NULL) {
		code = forecast_classes(f);
	} else if (code == CTL_OK &&
		   (code = install_read_file(ctl, ctl->args[0], &file)) == CTL_OK) {
		f->file = publisher_file_of(FILE_PACK, &file);
		code = forecast(f);
	}
	replayed_free(&f->history);
	publisher_file_free(&f->file);
	signed_file_free(&file);
	publishers_free(&f->publishers);
	free(f);
	return code;
}

static const struct option_row policy_simulate_rows[] = {
	{ "limit", 0, "N", "show at most N rows",
	    .offset = offsetof(struct simulate_options, limit), .read = option_count,
	    .takes = "a number from 1" },
	{ "full", 0, NULL, "show whole CMIDs", .offset = offsetof(struct simulate_options, full) },
	{ "all", 0, NULL, "simulate the whole journal, not only its newest part",
	    .offset = offsetof(struct simulate_options, all) },
	{ 0 },
};

const struct ctl_command cmd_policy_simulate = {
	.line.noun = "policy",
	.line.verb = "simulate",
	.line.args = "[FILE]",
	.line.summary = "show who would gain or lose activation with a pack; changes nothing",
	.line.max = 1,
	.line.options = policy_simulate_rows,
	.line.values = sizeof(struct simulate_options),
	.line.complete = "file *.kmspolicy",
	.paged = true,
	.run = run_policy_simulate,
};
