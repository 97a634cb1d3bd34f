/*
 * cmd_relay.c - relay status, relay check, and the clients that the relay observed.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kmsctl/command.h"
#include "kmsctl/ctl.h"
#include "kmsctl/events.h"
#include "kmsctl/relay.h"
#include "kmsd/common/relay_config.h"
#include "kmsdb/kmsdb.h"
#include "libkms/discover.h"
#include "libkms/kms_error.h"
#include "libkms/transport.h"
#include "libkms/hex.h"

#define PATIENCE 5000 /* ms for one question of check */

static int
run_relay_status(struct ctl *ctl)
{
	struct reply reply = { 0 };
	const struct reply_row *relay;
	uint64_t configured = 0;
	int code = ctl_ask(ctl, CONTROL_RELAY_STATUS, NULL, &reply);

	if (code == CTL_OK) {
		relay = reply_next(&reply, "relay", NULL);
		if (relay != NULL) {
			reply_number(relay, "configured", &configured);
			reply_print_fields(ctl->out, relay);
		}
		reply_print_list(ctl->out, &reply, "relay-host", "hosts", "KMS hosts");
		reply_print_list(
		    ctl->out, &reply, "relay-version", "versions", "Protocol versions");
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
	char address[64];
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < KMSDB_RELAYED_HOSTS && used < size; i++) {
		if (r->hosts[i].count == 0)
			continue;
		ctl_address(address, r->hosts[i].address);
		used += (size_t)snprintf(out + used, size - used, "%s%s port %u x %u",
		    used ? ", " : "", address, r->hosts[i].port, r->hosts[i].count);
	}
	if (r->other_hosts > 0 && used < size)
		snprintf(
		    out + used, size - used, "%sothers x %u", used ? ", " : "", r->other_hosts);
}

static const char *const outcomes[KMSDB_RELAYED_OUTCOMES + 1][2] = {
	{ "", "" },
	{ "answered", "Answered" },
	{ "faults", "Faults" },
	{ "lost", "Lost" },
	{ "late", "Late" },
	{ "no-host", "No host" },
	{ "refused", "Refused" },
};

struct listing {
	struct ctl *ctl;
	uint64_t shown;
};

static int
list_one(const struct kmsdb_relayed *r, void *arg)
{
	struct listing *l = arg;
	struct output *o = l->ctl->out;
	char address[64], cmid[33], text[256];

	if (l->ctl->limit != 0 && l->shown == l->ctl->limit)
		return 1;
	l->shown++;
	output_row(o);
	ctl_address(address, r->address);
	output_text(o, "address", "Address", address);
	output_text(o, "name", "Name", r->name[0] != '\0' ? r->name : NULL);
	hex_format(cmid, r->cmid, 16);
	output_text(o, "cmid", NULL, r->name[0] != '\0' ? cmid : NULL);
	output_number(o, "count", NULL, r->count);
	output_time(o, "first-seen", NULL, r->first_seen);
	output_time(o, "last-seen", "Last seen", r->last_seen);
	output_text(o, "last-outcome", "Last",
	    r->outcome >= 1 && r->outcome <= KMSDB_RELAYED_OUTCOMES ? outcomes[r->outcome][0]
								    : NULL);
	for (unsigned i = 1; i <= KMSDB_RELAYED_OUTCOMES; i++)
		output_number(
		    o, outcomes[i][0], i == 1 ? outcomes[i][1] : NULL, r->outcomes[i - 1]);
	versions(text, sizeof text, r);
	output_text(o, "versions", "Versions", text[0] != '\0' ? text : NULL);
	hosts(text, sizeof text, r);
	output_text(o, "hosts", "KMS hosts", text[0] != '\0' ? text : NULL);
	output_bool(o, "observed", NULL, true);
	return 0;
}

int
relayed_list(struct ctl *ctl)
{
	struct listing l = { .ctl = ctl };
	struct kmsdb *db = NULL;
	char why[256] = "";
	int status = ctl_open_ledger(ctl, &db, why);

	if (status == KMS_OK) {
		output_list(
		    ctl->out, "relayed", "Clients of another KMS host, as the relay saw them");
		status = kmsdb_each_relayed(db, list_one, &l);
		output_end(ctl->out);
		if (status == 1)
			status = KMS_OK;
	}
	ctl_close(db, -1);
	if (status != KMS_OK)
		return ctl_fail(
		    ctl, (uint32_t)status, "%s", why[0] ? why : "the index cannot be read");
	if (l.shown == 0)
		output_line(ctl->out, OUTPUT_PLAIN, "The relay has seen no client yet.");
	return CTL_OK;
}

/* What check found, one row each. */
struct checking {
	struct ctl *ctl;
	unsigned problems;
};

static void
found(struct checking *c, bool problem, const char *what, const char *subject, const char *text)
{
	struct output_field level = { .key = "level",
		.label = "",
		.type = OUTPUT_TEXT,
		.style = problem ? OUTPUT_BAD : OUTPUT_GOOD,
		.text = problem ? "problem" : "ok" };

	output_row(c->ctl->out);
	output_put(c->ctl->out, &level);
	output_text(c->ctl->out, "what", NULL, what);
	output_text(c->ctl->out, "subject", "Of", subject);
	output_text(c->ctl->out, "text", "Finding", text);
	c->problems += problem;
}

/* 0: a connection could be made; else the errno. */
static int
try_connect(const struct discover_address *a)
{
	int fd = socket(a->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof error;

	if (fd < 0)
		return errno;
	error = connect(fd, (const struct sockaddr *)&a->to, a->len) == 0 ? 0 : errno;
	if (error == EINPROGRESS) {
		error = poll(&p, 1, PATIENCE) == 1 ? 0 : ETIMEDOUT;
		if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
			error = errno;
	}
	close(fd);
	return error;
}

/* What Windows calls 0x800706BA, by what the connection says. */
static const char *
cause(int error)
{
	switch (error) {
	case 0:
		return "can be reached";
	case ECONNREFUSED:
		return "0x800706BA: refused. The KMS service does not run there, listens on "
		       "another port "
		       "(slmgr.vbs /dli), or a firewall rejects";
	case ETIMEDOUT:
		return "0x800706BA: no answer. A firewall between drops TCP to that port (on "
		       "Windows: the "
		       "rule \"Key Management Service (TCP-In)\"), or the machine is off";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "0x800706BA: no route to it from here";
	default:
		return "0x800706BA: cannot be connected to";
	}
}

static void
check_host(struct checking *c, const struct discover_host *h)
{
	struct discover dns = { .deadline = transport_clock() + PATIENCE };
	struct discover_address a[DISCOVER_ADDRESSES];
	char subject[300], text[200];
	size_t count = 0;
	int error = 0;

	snprintf(subject, sizeof subject, "%.255s port %u", h->name, h->port);
	if (c->ctl->config.relay_nameserver[0] != '\0')
		dns.nameserver = c->ctl->config.relay_nameserver;
	if (discover_addresses(&dns, h, a, &count) != KMS_OK) {
		snprintf(text, sizeof text, "0x800706BA: the name cannot be resolved: %.140s",
		    dns.detail);
		found(c, true, "name", subject, text);
		return;
	}
	for (size_t i = 0; i < count && error == 0; i++)
		error = try_connect(&a[i]);
	found(c, error != 0, "reach", subject, cause(error));
	if (h->port != c->ctl->config.port)
		found(c, false, "port", subject,
		    "another port than this appliance's: clients that were told the host with its "
		    "port "
		    "(slmgr.vbs /skms host:port) must be told the appliance with its own");
}

/* Hosts of the lowest priority all get clients, and each of them counts for itself. */
static void
check_split(struct checking *c, const struct discover_host *hosts_, size_t count)
{
	unsigned first = 0;
	uint16_t lowest = UINT16_MAX;

	for (size_t i = 0; i < count; i++)
		if (hosts_[i].priority < lowest)
			lowest = hosts_[i].priority;
	for (size_t i = 0; i < count; i++)
		first += hosts_[i].priority == lowest;
	if (first > 1)
		found(c, true, "split", "[relay]",
		    "several hosts have the same priority: each counts for itself, so that none "
		    "may reach "
		    "25 clients or 5 servers. Give one the lowest priority number, the others a "
		    "higher one");
}

static bool
same_name(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	n -= n > 0 && a[n - 1] == '.';
	m -= m > 0 && b[m - 1] == '.';
	return n == m && strncasecmp(a, b, n) == 0;
}

/* Do clients of a domain find both, us and a host that stands behind us? */
static void
check_published(
    struct checking *c, const char *domain, const struct discover_host *behind, size_t count)
{
	struct discover dns = {
		.domain = domain, .service = "_vlmcs", .deadline = transport_clock() + PATIENCE
	};
	struct discover_host out[DISCOVER_HOSTS];
	const char *own = c->ctl->config.dns_host;
	char name[DISCOVER_NAME] = "", text[300];
	bool us = false, them = false;
	size_t records = 0;

	if (c->ctl->config.relay_nameserver[0] != '\0')
		dns.nameserver = c->ctl->config.relay_nameserver;
	if (own[0] == '\0' && gethostname(name, sizeof name - 1) == 0)
		own = name;
	if (discover_hosts(&dns, out, &records) != KMS_OK) {
		snprintf(text, sizeof text, "clients find no KMS host by DNS: %.150s", dns.detail);
		found(c, false, "srv", domain, text);
		return;
	}
	for (size_t i = 0; i < records; i++) {
		us |= same_name(out[i].name, own);
		for (size_t j = 0; j < count; j++)
			them |= same_name(out[i].name, behind[j].name);
	}
	found(c, us && them, "srv", domain,
	    us && them
		? "both this appliance and a KMS host behind it publish _vlmcs._tcp: clients go to "
		  "either. Delete the host's record and set DisableDnsPublishing there"
	    : us   ? "clients find this appliance"
	    : them ? "clients find the KMS host itself, not this appliance"
		   : "clients find another host");
}

static size_t
configured_hosts(const struct config *c, struct discover_host out[RELAY_HOSTS])
{
	struct relay_host listed[RELAY_HOSTS];
	int count = relay_hosts(c->relay_upstream, listed);

	for (int i = 0; i < count; i++) {
		memset(&out[i], 0, sizeof out[i]);
		memcpy(out[i].name, listed[i].name, sizeof listed[i].name);
		out[i].port = listed[i].port;
		out[i].priority = listed[i].priority;
		out[i].weight = listed[i].weight;
	}
	return count > 0 ? (size_t)count : 0;
}

static int
run_relay_check(struct ctl *ctl)
{
	struct discover_host list[RELAY_HOSTS];
	struct checking c = { .ctl = ctl };
	const struct config *config = &ctl->config;
	int code = ctl_load_config(ctl);
	size_t count;

	if (code != CTL_OK)
		return code;
	if (!relay_configured(config))
		return ctl_fail(ctl, KMS_E_CONFIG, "no relay is set up: see [relay] in kms.ini(5)");
	count = configured_hosts(config, list);
	output_list(ctl->out, "findings", "Relay");
	for (size_t i = 0; i < count; i++)
		check_host(&c, &list[i]);
	check_split(&c, list, count);
	if (config->relay_domain[0] != '\0')
		check_published(&c, config->relay_domain, list, count);
	for (unsigned i = 0; i < config->dns_domain_count; i++)
		check_published(&c, config->dns_domain[i], list, count);
	output_end(ctl->out);
	output_number(ctl->out, "problems", NULL, c.problems);
	return c.problems > 0 ? CTL_PROBLEM : CTL_OK;
}

/* Sources that the relay observed, to be matched with names. */
struct sources {
	uint8_t (*addresses)[16];
	size_t count, room;
};

static int
keep_source(const struct kmsdb_relayed *r, void *arg)
{
	struct sources *s = arg;

	if (s->count == s->room) {
		size_t room = s->room == 0 ? 256 : s->room * 2;
		void *more = realloc(s->addresses, room * 16);

		if (more == NULL)
			return KMS_E_NO_MEMORY;
		s->addresses = more;
		s->room = room;
	}
	memcpy(s->addresses[s->count++], r->address, 16);
	return 0;
}

struct import {
	struct ctl *ctl;
	struct sources sources;
	uint64_t joined, unknown, refused;
	int code;
};

/* The observed source that the name stands for, or NULL. */
static const uint8_t *
source_of(const struct import *m, const char *name)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *all = NULL;
	const uint8_t *found = NULL;

	if (getaddrinfo(name, NULL, &hints, &all) != 0)
		return NULL;
	for (struct addrinfo *i = all; i != NULL && found == NULL; i = i->ai_next) {
		uint8_t address[16] = { [10] = 0xff, [11] = 0xff };

		if (i->ai_family == AF_INET)
			memcpy(
			    address + 12, &((struct sockaddr_in *)(void *)i->ai_addr)->sin_addr, 4);
		else if (i->ai_family == AF_INET6)
			memcpy(
			    address, &((struct sockaddr_in6 *)(void *)i->ai_addr)->sin6_addr, 16);
		for (size_t j = 0; j < m->sources.count && found == NULL; j++)
			if (memcmp(m->sources.addresses[j], address, 16) == 0)
				found = m->sources.addresses[j];
	}
	freeaddrinfo(all);
	return found;
}

static int
import_event(const struct event_12290 *e, void *arg)
{
	struct import *m = arg;
	struct control_buf args = { 0 };
	struct reply reply = { 0 };
	const uint8_t *source;

	if (e->status != 0) {
		m->refused++;
		return 0;
	}
	if ((source = source_of(m, e->name)) == NULL) {
		m->unknown++;
		return 0;
	}
	control_octets(&args, "source", source, 16);
	control_octets(&args, "cmid", e->cmid, 16);
	control_text(&args, "name", e->name);
	control_number(&args, "count", e->count);
	control_number(&args, "told", e->time);
	m->code = ctl_ask(m->ctl, CONTROL_RELAY_NAME, &args, &reply);
	m->joined += m->code == CTL_OK;
	control_buf_free(&args);
	reply_free(&reply);
	return m->code != CTL_OK;
}

static int
run_relay_import(struct ctl *ctl)
{
	struct import m = { .ctl = ctl, .code = CTL_OK };
	struct kmsdb *db = NULL;
	char *text = NULL, why[256] = "";
	size_t len = 0, events;
	int status = ctl_read_file(ctl->args[0], EVENTS_MAX, &text, &len);

	if (status != KMS_OK)
		return ctl_fail(ctl, (uint32_t)status, "%s", ctl->args[0]);
	/* What is still on its way to the index is to be found, too. */
	if ((m.code = ctl_ask(ctl, CONTROL_CHECKPOINT, NULL, &(struct reply){ 0 })) != CTL_OK)
		goto done;
	status = ctl_open_ledger(ctl, &db, why);
	if (status == KMS_OK)
		status = kmsdb_each_relayed(db, keep_source, &m.sources);
	ctl_close(db, -1);
	if (status != KMS_OK) {
		m.code = ctl_fail(ctl, (uint32_t)status, "the ledger cannot be read: %s", why);
		goto done;
	}
	events = events_each(text, len, import_event, &m);
	output_number(ctl->out, "events", "Events 12290", events);
	output_number(ctl->out, "joined", "Joined", m.joined);
	output_number(ctl->out, "unknown", "Not observed, or without an address", m.unknown);
	output_number(ctl->out, "refused", "Refused by the host", m.refused);
	if (events == 0)
		m.code = ctl_fail(ctl, KMS_E_FORMAT, "%s: no event 12290 in it", ctl->args[0]);
done:
	free(m.sources.addresses);
	free(text);
	return m.code;
}

const struct command cmd_relay_import = {
	.noun = "relay",
	.verb = "import",
	.args = "FILE",
	.summary = "names and CMIDs of observed clients, from the KMS host's own event log",
	.min = 1,
	.max = 1,
	.run = run_relay_import,
};
const struct command cmd_relay_status = {
	.noun = "relay",
	.verb = "status",
	.summary = "Windows clients relayed to a KMS host, by host and by protocol version",
	.run = run_relay_status,
};
const struct command cmd_relay_check = {
	.noun = "relay",
	.verb = "check",
	.summary = "can the KMS hosts be reached, and do clients find the right one",
	.run = run_relay_check,
};
