/*
 * live.c - aspects of the running machine: the firewall in force, the service running, DNS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kmsctl/dns/check.h"
#include "kmsctl/dns/published.h"
#include "kmsctl/dns/records.h"
#include "kmsctl/firewall/live.h"
#include "kmsctl/firewall/ruleset.h"
#include "kmsctl/plan/plan.h"
#include "libkms/kms_error.h"
#include "libkms/minisig.h"
#include "libkms/transport.h"

static void
fixed_port(struct plan *p)
{
	struct difference *d = plan_add(p, 0, "a firewall needs a fixed port", "[listen] port");

	d->by_hand = true;
	snprintf(d->is, sizeof d->is, "0, another one at each start");
	snprintf(d->due, sizeof d->due, "write a port into kms.ini");
}

static int
inspect_firewall(struct plan *p, char why[512])
{
	struct live_difference l = { 0 };
	struct difference *d;
	char *text;
	int e;

	if (p->ctl->config.port == 0) {
		fixed_port(p);
		return KMS_OK;
	}
	if ((text = ruleset_text(&p->ctl->config)) == NULL)
		return KMS_E_NO_MEMORY;
	e = live_compare(&l, text, p->ctl->timeout_ms, why);
	free(text);
	if (e == KMS_OK && l.count > 0) {
		d = plan_add(
		    p, 0, "only allowed networks may reach the port", "table %s", RULESET_TABLE);
		if (live_absent(&l))
			snprintf(d->is, sizeof d->is, "not in force");
		else
			snprintf(d->is, sizeof d->is, "%u line%s of it differ%s from [firewall]",
			    l.count, l.count == 1 ? "" : "s", l.count == 1 ? "s" : "");
		snprintf(d->due, sizeof d->due, "put in force: port %u open to %u networks",
		    p->ctl->config.port, p->ctl->config.allow_count);
	}
	live_difference_free(&l);
	return e;
}

static int
mend_firewall(struct plan *p, const struct difference *d, char why[512])
{
	char *text = ruleset_text(&p->ctl->config);
	int e = text != NULL ? live_load(text, p->ctl->timeout_ms, why) : KMS_E_NO_MEMORY;

	free(text);
	return e;
}

const struct aspect aspect_firewall = {
	.name = "firewall",
	.live = true,
	.inspect = inspect_firewall,
	.mend = mend_firewall,
};

enum { START, RELOAD };

/* The first publisher of kms.ini that the running kmsd has not read; NULL: it knows all. */
static const struct config_publisher *
not_read(const struct plan *p, const struct reply *status)
{
	const struct config *c = &p->ctl->config;
	uint64_t locked = 0;

	reply_number(reply_next(status, "service", NULL), "locked", &locked);
	for (unsigned i = 0; !locked && i < c->publisher_count; i++)
		if (!plan_knows(status, &c->publishers[i]))
			return &c->publishers[i];
	return NULL;
}

static void
look_at_reload(struct plan *p, const struct reply *status)
{
	const struct config_publisher *publisher = not_read(p, status);
	struct difference *d;

	if (publisher == NULL)
		return;
	d = plan_add(p, RELOAD, "kmsd serves the publishers that it has read", "kmsd.service");
	d->by_hand = !plan_systemd(p);
	snprintf(d->is, sizeof d->is, "[publisher %s] is not what it has read", publisher->name);
	if (d->by_hand)
		snprintf(d->due, sizeof d->due, "kill -HUP $(cat %s/kmsd.pid)",
		    p->ctl->config.runtime_directory);
	else
		snprintf(d->due, sizeof d->due, "reloaded");
}

static int
inspect_service(struct plan *p, char why[512])
{
	struct difference *d;
	struct reply reply;
	uint32_t status = ctl_ask_quietly(p->ctl, CONTROL_STATUS, NULL, &reply, why);

	if (status == KMS_OK)
		look_at_reload(p, &reply);
	reply_free(&reply);
	if (status == KMS_OK)
		return KMS_OK;
	d = plan_add(p, START, "clients are served by it", "kmsd.service");
	d->by_hand = !plan_systemd(p) || status != KMS_E_NOT_RUNNING;
	snprintf(d->is, sizeof d->is, "%.150s", status == KMS_E_NOT_RUNNING ? "not running" : why);
	snprintf(d->due, sizeof d->due, d->by_hand ? "start kmsd" : "started");
	return KMS_OK;
}

/* A reload is over when kmsd says what it has read; that it was asked for is not enough. */
static int
await_reload(struct plan *p, char why[512])
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	int64_t until = transport_clock() + p->ctl->timeout_ms;
	struct reply reply;
	bool read = false;

	do {
		nanosleep(&moment, NULL);
		if (ctl_ask_quietly(p->ctl, CONTROL_STATUS, NULL, &reply, why) == KMS_OK)
			read = not_read(p, &reply) == NULL;
		reply_free(&reply);
	} while (!read && transport_clock() < until);
	if (!read)
		snprintf(why, 512, "kmsd has not taken the file: journalctl -u kmsd says why");
	return read ? KMS_OK : KMS_E_TIMEOUT;
}

static int
mend_service(struct plan *p, const struct difference *d, char why[512])
{
	static const char *const start[] = { "systemctl", "start", "kmsd.socket", "kmsd.service",
		NULL };
	static const char *const reload[] = { "systemctl", "reload", "kmsd.service", NULL };
	int e;

	if (d->tag == START)
		return plan_run(p, start, why);
	e = plan_run(p, reload, why);
	return e == KMS_OK ? await_reload(p, why) : e;
}

const struct aspect aspect_service = {
	.name = "service",
	.live = true,
	.inspect = inspect_service,
	.mend = mend_service,
};

/* What publishing puts right, and what it does not. */
struct dns_view {
	struct plan *p;
	unsigned due, stale;
	char first[RECORD_TEXT];
};

static void
dns_row(void *arg, const struct check_row *row)
{
	struct dns_view *v = arg;
	struct difference *d;

	if (row->kind == CHECK_MISSING || row->kind == CHECK_STALE) {
		if (v->due + v->stale == 0)
			record_text(v->first, &row->record);
		v->due += row->kind == CHECK_MISSING;
		v->stale += row->kind == CHECK_STALE;
	} else if (row->problem) {
		d = plan_add(v->p, 0, "clients find the host by it", "%s", row->record.name);
		d->by_hand = true;
		snprintf(d->is, sizeof d->is, "%s: %.120s", check_word(row), row->state);
		snprintf(d->due, sizeof d->due, "kmsctl dns check says more");
	}
}

static int
inspect_dns(struct plan *p, char why[512])
{
	static struct records wanted, published; /* large */
	const struct config *c = &p->ctl->config;
	struct dns_view v = { .p = p };
	struct check check = { .config = c,
		.wanted = &wanted,
		.published = &published,
		.nameserver = p->ctl->nameserver,
		.deadline = transport_clock() + p->ctl->timeout_ms,
		.row = dns_row,
		.arg = &v };
	struct minisig_key key;
	struct difference *d;
	int e;

	if (c->dns_domain_count == 0)
		return KMS_OK; /* who wants no records names no domain */
	e = records_wanted(&wanted, c, why);
	if (e != KMS_OK)
		return e;
	published_glance(p->ctl, &published);
	if (c->publisher_count > 0 && minisig_key_parse(&key, c->publishers[0].key) == KMS_OK)
		memcpy(check.publisher, key.id, sizeof check.publisher);
	check_run(&check);
	if (v.due + v.stale == 0)
		return KMS_OK;
	d = plan_add(p, 0, "clients find the host by them", "records");
	snprintf(d->is, sizeof d->is, "%u missing, %u stale, as %.90s", v.due, v.stale, v.first);
	snprintf(d->due, sizeof d->due, "published, as kmsctl dns publish does");
	return KMS_OK;
}

/* Ourselves in another process: what it says is its, and its failures are kept apart name by name. */
static int
mend_dns(struct plan *p, const struct difference *d, char why[512])
{
	const char *const argv[] = { "/proc/self/exe", "-c", p->ctl->config_path, "dns", "publish",
		NULL };

	return plan_run(p, argv, why);
}

const struct aspect aspect_dns = {
	.name = "dns",
	.live = true,
	.inspect = inspect_dns,
	.mend = mend_dns,
};
