/*
 * check.c - asks DNS as clients do, with libkms's own discovery, for each name that we publish or
 * once published; distinguishes our records from stale and foreign ones; and connects to every
 * address.
 *
 * A foreign record alone is not a problem: an organisation may have several hosts. A record that
 * leads nowhere is, because clients try it. A foreign host need not be a kmsd of our publishers,
 * and a host for _vlmcs uses another protocol: for these, an accepted connection is enough.
 */
#include "kmsctl/dns/check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kmsctl/dns/probe.h"
#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/client/discover.h"
#include "libkms/client/transport.h"
#include "libkms/kms_error.h"

const char *
check_word(const struct check_row *row)
{
	static const char *const words[] = { "ours", "missing", "stale", "foreign", "unknown" };

	if (row->kind == CHECK_FOREIGN && !row->reachable)
		return "unreachable";
	if (row->kind == CHECK_OURS && !row->reachable && row->problem)
		return "unreachable";
	return words[row->kind];
}

static void
tell(struct check *c, const struct check_row *row)
{
	c->problems += row->problem;
	c->row(c->arg, row);
}

static struct discover
question(const struct check *c)
{
	return (struct discover){ .nameserver = c->nameserver, .deadline = c->deadline };
}

static enum check_kind
kind_of(const struct check *c, const struct record *r)
{
	const struct record *w;
	unsigned i;

	if (records_have(c->wanted, r))
		return CHECK_OURS;
	if (records_have(c->published, r))
		return CHECK_STALE;
	for (i = 0; i < c->wanted->count; i++) {
		w = &c->wanted->rows[i];
		if (w->type == RECORD_SRV && strcasecmp(w->data, r->data) == 0)
			return CHECK_STALE;
	}
	return CHECK_FOREIGN;
}

/* One address of one record. */
static void
knock(struct check *c, struct check_row *row, const struct discover_address *a)
{
	bool kmsd = strncmp(row->record.name, "_kms.", 5) == 0;
	struct probe p;

	if (clock_ms() >= c->deadline) {
		snprintf(row->state, sizeof(row->state), "not tried: the time limit was reached");
		row->problem = true;
	} else {
		probe_address(&p, a, kmsd, c->publisher, c->deadline);
		snprintf(row->address, sizeof(row->address), "%s", p.address);
		snprintf(row->state, sizeof(row->state), "%s", p.state);
		row->reachable = p.reached;
		row->problem = !p.reached || row->kind == CHECK_STALE ||
			       (row->kind == CHECK_OURS && kmsd && !p.serves);
	}
	tell(c, row);
}

static void
look_at_target(struct check *c, const struct record *r)
{
	struct discover_address addresses[DISCOVER_ADDRESSES];
	struct check_row row = { .record = *r, .kind = kind_of(c, r) };
	struct discover d = question(c);
	struct discover_host host = { .port = r->port };
	size_t count, i;

	c->records++;
	snprintf(host.name, sizeof(host.name), "%s", r->data);
	if (discover_addresses(&d, &host, addresses, &count) != KMS_OK) {
		snprintf(row.state, sizeof(row.state), "%s",
		    d.absent ? "the target has no address" : d.detail);
		row.problem = true;
		tell(c, &row);
		return;
	}
	for (i = 0; i < count; i++) {
		struct check_row one = row;

		knock(c, &one, &addresses[i]);
	}
}

static void
fill_record(struct record *r, const char *name, const struct discover_host *h)
{
	size_t len = strlen(h->name);

	memset(r, 0, sizeof(*r));
	r->type = RECORD_SRV;
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->data, sizeof(r->data), "%.*s",
	    (int)(len > 0 && h->name[len - 1] == '.' ? len - 1 : len), h->name);
	r->priority = h->priority;
	r->weight = h->weight;
	r->port = h->port;
}

static void
tell_missing(struct check *c, const char *name, const struct records *found, const char *state)
{
	struct check_row row = { .kind = CHECK_MISSING, .problem = true };
	unsigned i;

	for (i = 0; i < c->wanted->count; i++) {
		row.record = c->wanted->rows[i];
		if (strcasecmp(row.record.name, name) != 0 || records_have(found, &row.record))
			continue;
		snprintf(row.state, sizeof(row.state), "%s", state);
		tell(c, &row);
	}
}

/* name is SERVICE._tcp.DOMAIN. */
static void
look_at_service(struct check *c, const char *name)
{
	const char *at = strstr(name, "._tcp.");
	struct check_row unknown = { .kind = CHECK_UNKNOWN, .problem = true };
	struct discover_host hosts[DISCOVER_HOSTS];
	struct discover d = question(c);
	static struct records found; /* large */
	struct record r;
	char service[32];
	size_t count, i;

	found.count = 0;
	if (at == NULL)
		return;
	snprintf(service, sizeof(service), "%.*s", (int)(at - name), name);
	d.service = service;
	d.domain = at + strlen("._tcp.");
	if (discover_hosts(&d, hosts, &count) != KMS_OK && !d.absent) {
		snprintf(unknown.record.name, sizeof(unknown.record.name), "%s", name);
		snprintf(unknown.state, sizeof(unknown.state), "%s", d.detail);
		tell(c, &unknown);
		return;
	}
	for (i = 0; i < count; i++) {
		fill_record(&r, name, &hosts[i]);
		records_add(&found, &r);
		look_at_target(c, &r);
	}
	tell_missing(c, name, &found, "not in DNS");
}

/* The host's own addresses, when kms.ini has them published. */
static void
look_at_host(struct check *c, const char *name)
{
	struct discover_address addresses[DISCOVER_ADDRESSES];
	struct check_row row = { .kind = CHECK_OURS, .reachable = true };
	struct discover_host host = { .port = c->config->port };
	struct discover d = question(c);
	static struct records found; /* large */
	struct record r = { 0 };
	uint8_t address[16];
	size_t count, i;

	found.count = 0;
	snprintf(host.name, sizeof(host.name), "%s", name);
	snprintf(r.name, sizeof(r.name), "%s", name);
	if (discover_addresses(&d, &host, addresses, &count) != KMS_OK && !d.absent) {
		tell_missing(c, name, &found, d.detail);
		return;
	}
	for (i = 0; i < count; i++) {
		bool six = addresses[i].to.ss_family == AF_INET6;

		(void)address_take(address, NULL, (const struct sockaddr *)&addresses[i].to);
		r.type = six ? RECORD_AAAA : RECORD_A;
		(void)address_text(r.data, address);
		records_add(&found, &r);
		row.record = r;
		row.kind = records_have(c->wanted, &r)      ? CHECK_OURS
			   : records_have(c->published, &r) ? CHECK_STALE
							    : CHECK_FOREIGN;
		row.problem = row.kind == CHECK_STALE;
		c->records++;
		tell(c, &row);
	}
	tell_missing(c, name, &found, "not in DNS");
}

static bool
seen_before(const struct records *set, unsigned i)
{
	unsigned j;

	for (j = 0; j < i; j++)
		if (strcasecmp(set->rows[j].name, set->rows[i].name) == 0)
			return true;
	return false;
}

void
check_run(struct check *c)
{
	static struct records all; /* large */
	unsigned i;

	c->records = c->problems = 0;
	all = *c->wanted;
	for (i = 0; i < c->published->count; i++)
		records_add(&all, &c->published->rows[i]);
	for (i = 0; i < all.count; i++) {
		if (seen_before(&all, i))
			continue;
		if (all.rows[i].type == RECORD_SRV)
			look_at_service(c, all.rows[i].name);
		else
			look_at_host(c, all.rows[i].name);
	}
}
