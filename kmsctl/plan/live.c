/*
 * live.c - aspects of the running machine: the firewall in force, the service running, DNS, what publishers have to send.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsctl/dns/check.h"
#include "kmsctl/dns/published.h"
#include "kmsctl/dns/records.h"
#include "kmsctl/firewall/live.h"
#include "kmsctl/firewall/ruleset.h"
#include "kmsctl/installed.h"
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
		snprintf(d->is, sizeof d->is, "%u line%s of it differ%s from [firewall]", l.count,
		    l.count == 1 ? "" : "s", l.count == 1 ? "s" : "");
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

static int
inspect_service(struct plan *p, char why[512])
{
	struct difference *d;
	struct reply reply;
	uint32_t status = ctl_ask_quietly(p->ctl, CONTROL_STATUS, NULL, &reply, why);

	reply_free(&reply);
	if (status == KMS_OK)
		return KMS_OK;
	d = plan_add(p, 0, "clients are served by it", "kmsd.service");
	d->by_hand = !plan_systemd(p) || status != KMS_E_NOT_RUNNING;
	snprintf(d->is, sizeof d->is, "%.150s", status == KMS_E_NOT_RUNNING ? "not running" : why);
	snprintf(d->due, sizeof d->due, d->by_hand ? "start kmsd" : "started");
	return KMS_OK;
}

static int
mend_service(struct plan *p, const struct difference *d, char why[512])
{
	static const char *const argv[] = { "systemctl", "start", "kmsd.socket", "kmsd.service",
		NULL };

	return plan_run(p, argv, why);
}

const struct aspect aspect_service = {
	.name = "service",
	.live = true,
	.inspect = inspect_service,
	.mend = mend_service,
};

static void
by_hand(struct plan *p, const char *name, const char *is, const char *due)
{
	struct difference *d =
	    plan_add(p, 0, "without it its products are not activated", "%s", name);

	d->by_hand = true;
	snprintf(d->is, sizeof d->is, "%s", is);
	snprintf(d->due, sizeof d->due, "%s", due);
}

/* Keys and packs come from publishers: apply cannot make them. */
static int
inspect_installed(struct plan *p, char why[512])
{
	const struct config *c = &p->ctl->config;
	struct installed *list = NULL;
	char path[512];
	unsigned i;
	int fd, e;

	if (c->publisher_count == 0)
		by_hand(p, "[publisher]", "kms.ini names none",
		    "add [publisher NAME] and its key to kms.ini");
	if (!plan_path(p, path, c->state_directory))
		return KMS_E_LIMIT;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e = fd == -1 ? KMS_E_NOT_FOUND : installed_read(&list, fd, c, why);
	for (i = 0; i < c->publisher_count && (e == KMS_OK || e == KMS_E_NOT_FOUND); i++) {
		if (list == NULL || list[i].pack == NULL)
			by_hand(p, c->publishers[i].name, "no policy pack",
			    "kmsctl policy install FILE.kmspolicy");
		if (list == NULL || !list[i].confirmed)
			by_hand(p, c->publishers[i].name, "no host key that is confirmed",
			    "kmsctl key install FILE.kmskey, then kmsctl key request, kmsctl key "
			    "confirm");
	}
	installed_free(list, list != NULL ? c->publisher_count : 0);
	if (fd != -1)
		close(fd);
	return e == KMS_E_NOT_FOUND ? KMS_OK : e;
}

const struct aspect aspect_installed = { .name = "publishers", .inspect = inspect_installed };

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
