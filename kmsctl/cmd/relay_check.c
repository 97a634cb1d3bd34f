/*
 * relay_check.c - relay check: check that the KMS hosts can be reached and that clients find the
 * right one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/host/ini_file.h"
#include "kmsctl/host/port.h"
#include "kmsctl/kmsctl.h"
#include "kmsctl/relay/bind_probe.h"
#include "kmsctl/relay/kms_hosts.h"
#include "kmsctl/relay/srv.h"
#include "kmsd/common/relay_config.h"
#include "libkms/kms_error.h"

#define PATIENCE 5000 /* ms for the connection to an address, and as long for its answer */

struct checking {
	struct ctl *ctl;
	struct kms_hosts upstream;
	uint16_t port; /* this appliance's; 0: not known */
	unsigned problems;
};

/* One row for each finding. */
static void __attribute__((format(printf, 5, 6)))
found(struct checking *c, bool problem, const char *what, const char *subject, const char *fmt, ...)
{
	struct output_field level = { .key = "level",
		.label = "",
		.type = OUTPUT_TEXT,
		.style = problem ? OUTPUT_BAD : OUTPUT_GOOD,
		.text = problem ? "problem" : "ok" };
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	output_row(c->ctl->out);
	output_put(c->ctl->out, &level);
	output_text(c->ctl->out, "what", NULL, what);
	output_text(c->ctl->out, "subject", "Of", subject);
	output_text(c->ctl->out, "text", "Finding", text);
	c->problems += problem;
}

/* A host serves when any of its addresses accepts a bind: the fronts try one after the other. */
static void
check_connect(struct checking *c, const struct kms_host *h, const char *subject)
{
	struct bind_probe best;
	size_t failed = bind_probe_best(&best, h->addresses, h->count, PATIENCE);

	if (best.serves && failed > 0)
		found(c, false, "reach", subject, "%s, at %zu of its %zu addresses", best.text,
		    h->count - failed, h->count);
	else
		found(c, !best.serves, best.connected && !best.serves ? "interface" : "reach",
		    subject, "%s", best.text);
}

/* A KMS host tells its clients its own port, and they use that port the next time. */
static void
check_port(struct checking *c, const struct kms_host *h, const char *subject)
{
	if (c->port == 0 || h->host.port == c->port)
		return;
	found(c, true, "port", subject,
	    "a KMS host tells its clients its own port. Clients will then connect to this appliance on port %u, but the appliance listens on %u. Set port = %u under [listen] here, or make the host listen on %u (slmgr.vbs /sprt %u)",
	    h->host.port, c->port, h->host.port, c->port, c->port);
}

static void
check_host(struct checking *c, const struct kms_host *h)
{
	char subject[300];

	snprintf(subject, sizeof(subject), "%.255s port %u", h->host.name, h->host.port);
	switch (h->state) {
	case KMS_HOST_NAMELESS:
		found(c, true, "name", subject, "0x800706BA: the name cannot be resolved: %s",
		    h->why);
		break;
	case KMS_HOST_SELF:
		found(c, !h->dns, "self", subject, "this appliance itself: skipped%s",
		    h->dns ? "" : ". Remove it from upstream");
		break;
	case KMS_HOST_PORT:
		found(c, true, "port", subject,
		    "found by DNS, but left out: the network processes may connect only to ports that kms.ini names. Add %u to ports in [relay]",
		    h->host.port);
		break;
	case KMS_HOST_TWICE:
		found(c, false, "twice", subject, "listed twice: used once");
		break;
	case KMS_HOST_USED:
		check_connect(c, h, subject);
		check_port(c, h, subject);
		break;
	}
}

static bool
counts(const struct kms_host *h)
{
	return h->state == KMS_HOST_USED || h->state == KMS_HOST_NAMELESS;
}

/* All hosts of the lowest priority get clients, and each counts its own clients. */
static void
check_split(struct checking *c)
{
	const struct kms_hosts *b = &c->upstream;
	uint16_t lowest = UINT16_MAX;
	unsigned first = 0;
	bool dns = false;

	for (size_t i = 0; i < b->count; i++)
		if (counts(&b->at[i]) && b->at[i].host.priority < lowest)
			lowest = b->at[i].host.priority;
	for (size_t i = 0; i < b->count; i++)
		if (counts(&b->at[i]) && b->at[i].host.priority == lowest) {
			first++;
			dns |= b->at[i].dns;
		}
	if (first > 1)
		found(c, true, "split", "[relay]",
		    "%u hosts have the same priority: each counts its own clients, so possibly no host reaches 25 clients or 5 servers. Give one host the lowest priority number, and the others higher numbers%s",
		    first, dns ? " (for hosts found by DNS: in their SRV records)" : "");
}

static void
check_hosts(struct checking *c)
{
	const struct kms_hosts *b = &c->upstream;
	bool any = false;

	if (b->why[0] != '\0')
		found(c, true, "domain", c->ctl->config.relay_domain, "no KMS host is found: %s",
		    b->why);
	for (size_t i = 0; i < b->count; i++) {
		check_host(c, &b->at[i]);
		any |= counts(&b->at[i]);
	}
	if (!any)
		found(c, true, "hosts", "[relay]", "there is no KMS host to relay to");
	check_split(c);
}

static void
check_srv(struct checking *c, const char *domain, bool wanted)
{
	struct srv_seen seen;
	const char *text;
	bool problem;

	srv_look(&seen, &c->ctl->config, &c->upstream, c->port, domain);
	text = srv_judge(&seen, wanted, &problem);
	found(c, problem, "srv", domain, "%s%s%s", text, seen.why[0] != '\0' ? ": " : "", seen.why);
}

static void
check_domains(struct checking *c)
{
	const struct config *config = &c->ctl->config;
	bool among = false;

	for (unsigned i = 0; i < config->dns_domains.count; i++) {
		check_srv(c, config->dns_domains.at[i], config->publish_vlmcs);
		among |= strcasecmp(config->dns_domains.at[i], config->relay_domain) == 0;
	}
	/* Clients of that domain find the same records as kmsd does. */
	if (config->relay_domain[0] != '\0' && !among)
		check_srv(c, config->relay_domain, false);
}

static int
run_relay_check(struct ctl *ctl)
{
	struct checking c = { .ctl = ctl };
	int code = ini_load(ctl);

	if (code != CTL_OK)
		return code;
	if (!relay_configured(&ctl->config))
		return fail(ctl, KMS_E_CONFIG, "no relay is set up: see [relay] in kms.ini(5)");
	c.port = port_of_host(ctl);
	if (kms_hosts_collect(&c.upstream, &ctl->config, c.port) != KMS_OK)
		return fail(ctl, KMS_E_NO_MEMORY, "the KMS hosts");
	output_list(ctl->out, "findings", "Relay");
	check_hosts(&c);
	check_domains(&c);
	output_end(ctl->out);
	output_number(ctl->out, "problems", NULL, c.problems);
	kms_hosts_free(&c.upstream);
	return c.problems > 0 ? CTL_PROBLEM : CTL_OK;
}

const struct ctl_command cmd_relay_check = {
	.line.noun = "relay",
	.line.verb = "check",
	.line.summary = "check that the KMS hosts answer and that clients find the right one",
	.run = run_relay_check,
};
