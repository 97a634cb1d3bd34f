/*
 * network.c - aspects of the running machine: the firewall in force, and DNS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/dns/check.h"
#include "kmsctl/dns/published.h"
#include "kmsctl/dns/records.h"
#include "kmsctl/firewall/loaded.h"
#include "kmsctl/firewall/ruleset.h"
#include "kmsctl/plan/plan.h"
#include "libkms/base/clock.h"
#include "libkms/client/transport.h"
#include "libkms/core/minisig.h"
#include "libkms/kms_error.h"

static void
fixed_port(struct plan *p)
{
	struct difference *d = plan_add(p, 0, "a firewall needs a fixed port", "[listen] port");

	d->by_hand = true;
	snprintf(d->is, sizeof(d->is), "0: the port changes at each start");
	snprintf(d->due, sizeof(d->due), "set a port in kms.ini");
}

static int
inspect_firewall(struct plan *p, struct fault *f)
{
	struct loaded_difference l = { 0 };
	struct difference *d;
	char *text;
	int rc;

	if (p->ctl->config.port == 0) {
		fixed_port(p);
		return KMS_OK;
	}
	if ((text = ruleset_text(&p->ctl->config)) == NULL)
		return KMS_E_NO_MEMORY;
	rc = loaded_compare(&l, text, p->ctl->timeout_ms, f);
	free(text);
	if (rc == KMS_OK && l.count > 0) {
		d = plan_add(
		    p, 0, "only allowed networks may reach the port", "table %s", RULESET_TABLE);
		if (loaded_absent(&l))
			snprintf(d->is, sizeof(d->is), "not in force");
		else
			snprintf(d->is, sizeof(d->is), "%u line%s of it differ%s from [firewall]",
			    l.count, l.count == 1 ? "" : "s", l.count == 1 ? "s" : "");
		snprintf(d->due, sizeof(d->due), "put in force: port %u open to %u networks",
		    p->ctl->config.port, p->ctl->config.allow.count);
	}
	loaded_difference_free(&l);
	return rc;
}

static int
mend_firewall(struct plan *p, const struct difference *d, struct fault *f)
{
	char *text = ruleset_text(&p->ctl->config);
	int rc = text != NULL ? loaded_load(text, p->ctl->timeout_ms, f) : KMS_E_NO_MEMORY;

	free(text);
	return rc;
}

const struct aspect aspect_firewall = {
	.name = "firewall",
	.needs_running_system = true,
	.inspect = inspect_firewall,
	.mend = mend_firewall,
};

/* What publishing corrects, and what it does not. */
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
		d = plan_add(
		    v->p, 0, "clients find the host by this record", "%s", row->record.name);
		d->by_hand = true;
		snprintf(d->is, sizeof(d->is), "%s: %.120s", check_word(row), row->state);
		snprintf(d->due, sizeof(d->due), "run kmsctl dns check for details");
	}
}

static int
inspect_dns(struct plan *p, struct fault *f)
{
	static struct records wanted, published; /* large */
	const struct config *c = &p->ctl->config;
	struct dns_view v = { .p = p };
	struct check check = { .config = c,
		.wanted = &wanted,
		.published = &published,
		.nameserver = p->nameserver,
		.deadline = clock_ms() + p->ctl->timeout_ms,
		.row = dns_row,
		.arg = &v };
	struct minisig_key key;
	struct difference *d;
	int rc;

	if (c->dns_domains.count == 0)
		return KMS_OK; /* without domains, no records are wanted */
	rc = records_wanted(&wanted, c, f);
	if (rc != KMS_OK)
		return rc;
	published_glance(p->ctl, &published);
	if (c->publisher_count > 0 && minisig_key_parse(&key, c->publishers[0].key) == KMS_OK)
		memcpy(check.publisher, key.id, sizeof(check.publisher));
	check_run(&check);
	if (v.due + v.stale == 0)
		return KMS_OK;
	d = plan_add(p, 0, "clients find the host by these records", "records");
	snprintf(d->is, sizeof(d->is), "%u missing, %u stale, for example %.90s", v.due, v.stale,
	    v.first);
	snprintf(d->due, sizeof(d->due), "published with kmsctl dns publish");
	return KMS_OK;
}

/* Runs kmsctl in another process: it prints for itself, and reports failures for each name. */
static int
mend_dns(struct plan *p, const struct difference *d, struct fault *f)
{
	const char *const argv[] = { "/proc/self/exe", "-c", p->ctl->config_path, "dns", "publish",
		NULL };

	return plan_run(p, argv, f);
}

const struct aspect aspect_dns = {
	.name = "dns",
	.needs_running_system = true,
	.inspect = inspect_dns,
	.mend = mend_dns,
};
