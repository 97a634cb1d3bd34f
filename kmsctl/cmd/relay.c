/*
 * relay.c - relay status, and the clients that the relay observed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ask_host.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/clients.h"
#include "kmsctl/ledger/ledger_access.h"
#include "kmsctl/relay/observed_list.h"
#include "kmsdb/kmsdb.h"
#include "libkms/base/address.h"
#include "libkms/base/fault.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

/* A limit of ours says nothing about a KMS host, so the fronts alone know it. */
static uint64_t
refused_connections(struct ctl *ctl)
{
	struct reply reply;
	uint64_t sum;

	if (ask_quietly(ctl, CONTROL_STATUS, NULL, &reply, NULL) != KMS_OK)
		return 0;
	sum = reply_sum(&reply, "front", "refused-connections");
	reply_free(&reply);
	return sum;
}

static int
run_relay_status(struct ctl *ctl)
{
	struct reply reply = { 0 };
	const struct reply_row *relay;
	uint64_t turned;
	uint64_t configured = 0;
	int code = ask_host(ctl, CONTROL_RELAY_STATUS, NULL, &reply);

	if (code == CTL_OK) {
		relay = reply_next(&reply, "relay", NULL);
		if (relay != NULL) {
			reply_number(relay, "configured", &configured);
			reply_print_fields(ctl->out, relay);
		}
		reply_print_list(ctl->out, &reply, "relay-host", "hosts", "KMS hosts");
		reply_print_list(
		    ctl->out, &reply, "relay-version", "versions", "Protocol versions");
		turned = refused_connections(ctl);
		output_number(ctl->out, "refused_connections", NULL, turned);
		if (turned > 0)
			output_line(ctl->out, OUTPUT_WARN,
			    "%" PRIu64
			    " connections were refused since kmsd started: their addresses are not in [relay] allow, or had more connections than connections_per_source of [relay] or [limits]",
			    turned);
		if (!configured)
			output_line(ctl->out, OUTPUT_WARN,
			    "No relay is set up: see [relay] in kms.ini(5) and kms-relay(7)");
	}
	reply_free(&reply);
	return code;
}

/* "6.0 x 12, 5.0 x 1" */
static void
versions(char *out, size_t size, const struct kmsdb_relayed *r)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < KMSDB_RELAYED_VERSIONS && used < size; i++)
		if (r->versions[i].count > 0)
			used += (size_t)snprintf(out + used, size - used, "%s%u.%u x %u",
			    used ? ", " : "", r->versions[i].major, r->versions[i].minor,
			    r->versions[i].count);
	if (r->other_versions > 0 && used < size)
		snprintf(
		    out + used, size - used, "%sothers x %u", used ? ", " : "", r->other_versions);
}

static void
hosts(char *out, size_t size, const struct kmsdb_relayed *r)
{
	char address[ADDRESS_TEXT];
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < KMSDB_RELAYED_HOSTS && used < size; i++) {
		if (r->hosts[i].count == 0)
			continue;
		address_text(address, r->hosts[i].address);
		used += (size_t)snprintf(out + used, size - used, "%s%s port %u x %u",
		    used ? ", " : "", address, r->hosts[i].port, r->hosts[i].count);
	}
	if (r->other_hosts > 0 && used < size)
		snprintf(
		    out + used, size - used, "%sothers x %u", used ? ", " : "", r->other_hosts);
}

/* The last one of a client, and the key of how many there were. */
static const char *const outcomes[KMSDB_RELAYED_OUTCOMES + 1][2] = {
	{ "", "" },
	{ "answered", "answered" },
	{ "faults", "faults" },
	{ "lost", "lost" },
	{ "late", "late" },
	{ "no-host", "no_host" },
	{ "refused", "refused" },
};

struct listing {
	struct ctl *ctl;
	uint64_t limit, shown;
};

static int
list_one(const struct kmsdb_relayed *r, void *arg)
{
	struct listing *l = arg;
	struct output *o = l->ctl->out;
	char cmid[33], text[256];

	if (l->limit != 0 && l->shown == l->limit)
		return 1;
	l->shown++;
	output_row(o);
	client_print_address(o, "Address", r->address);
	output_text(o, "name", "Name", r->name[0] != '\0' ? r->name : NULL);
	hex_format(cmid, r->cmid, 16);
	output_text(o, "cmid", NULL, r->name[0] != '\0' ? cmid : NULL);
	output_number(o, "count", NULL, r->count);
	output_time(o, "first_seen", NULL, r->first_seen);
	output_time(o, "last_seen", "Last seen", r->last_seen);
	output_text(o, "last_outcome", "Last",
	    r->outcome >= 1 && r->outcome <= KMSDB_RELAYED_OUTCOMES ? outcomes[r->outcome][0]
								    : NULL);
	for (unsigned i = 1; i <= KMSDB_RELAYED_OUTCOMES; i++)
		output_number(o, outcomes[i][1], i == 1 ? "Answered" : NULL, r->outcomes[i - 1]);
	versions(text, sizeof(text), r);
	output_text(o, "versions", "Versions", text[0] != '\0' ? text : NULL);
	hosts(text, sizeof(text), r);
	output_text(o, "hosts", "KMS hosts", text[0] != '\0' ? text : NULL);
	output_bool(o, "observed", NULL, true);
	return 0;
}

int
relayed_list(struct ctl *ctl, uint64_t limit)
{
	struct listing l = { .ctl = ctl, .limit = limit };
	struct kmsdb *db = NULL;
	struct fault fault = { 0 };
	int rc;

	ctl->leave_root = true;
	rc = ledger_access_open(ctl, &db, &fault);
	if (rc == KMS_OK) {
		output_list(
		    ctl->out, "relayed", "Clients of another KMS host that the relay observed");
		output_columns(ctl->out,
		    "address,name,cmid,count,first_seen,last_seen,last_outcome,answered,faults,lost,late,no_host,refused,versions,hosts,observed");
		rc = kmsdb_each_relayed(db, list_one, &l);
		output_end(ctl->out);
		if (rc == 1)
			rc = KMS_OK;
	}
	ledger_access_close(db, -1);
	if (rc != KMS_OK)
		return fail(ctl, (uint32_t)rc, "%s",
		    fault.text[0] != '\0' ? fault.text : "the index cannot be read");
	if (l.shown == 0)
		output_line(ctl->out, OUTPUT_PLAIN, "The relay has seen no client yet.");
	return CTL_OK;
}

const struct ctl_command cmd_relay_status = {
	.line.noun = "relay",
	.line.verb = "status",
	.line.summary = "show the relayed Windows clients, by KMS host and protocol version",
	.paged = true,
	.run = run_relay_status,
};
