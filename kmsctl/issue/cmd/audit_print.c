/*
 * audit_print.c - see audit_print.h.
 */
#include "kmsctl/issue/cmd/audit_print.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/kms_error.h"
#include "policy/values.h"

typedef unsigned long long ull;

void
audit_print_item(struct issue *i, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	output_text(i->out, NULL, NULL, text);
}

void
audit_print_day(struct issue *i, const char *key, uint32_t day)
{
	char text[VALUE_TIME + 1];

	if (value_time_format(text, day * UINT64_C(86400)))
		text[10] = '\0'; /* the date alone */
	else
		strcpy(text, "later");
	tell_text(i->out, key, text);
}

/* -- the three lists -- */

static uint64_t
leases_at(const struct audit_options *opt, enum audit_lease_place place)
{
	uint64_t n = 0;

	for (size_t i = 0; i < opt->lease_count; i++)
		n += opt->leases[i].place == place;
	return n;
}

static void
show_proved(struct issue *i, const struct audit_print *p)
{
	const struct audit_report *r = p->report;
	const struct certificate *c = &r->certificates[r->certificate_count - 1];

	output_list(i->out, "proved", NULL);
	audit_print_item(i, "The publisher confirmed this host for %s, with certificate %llu.",
	    c->customer, (ull)c->serial);
	audit_print_item(i, "Each batch from %llu to %llu was signed with this host's key.",
	    (ull)r->first, (ull)r->last);
	audit_print_item(i,
	    "These batches form one chain: no batch was removed, inserted or changed after the next one was signed.");
	audit_print_item(i,
	    "All %llu entries are unchanged since they were signed; %llu of them are leases of the period.",
	    (ull)r->entries, (ull)r->leases);
	if (r->beginning == BEGINNING_BATCH_1)
		audit_print_item(i, "The chain begins with batch 1.");
	else if (r->beginning == BEGINNING_KNOWN)
		audit_print_item(i,
		    "The chain continues from batch %llu, which is known from an earlier audit.",
		    (ull)r->joined);
	if (leases_at(p->opt, LEASE_IN_CHAIN) > 0)
		audit_print_item(i, "The chain has %llu of the leases given with --lease.",
		    (ull)leases_at(p->opt, LEASE_IN_CHAIN));
	output_end(i->out);
}

static void
show_stated(struct issue *i, const struct audit_report *r)
{
	output_list(i->out, "stated_by_the_host", NULL);
	audit_print_item(i, "All times, and therefore which entries are in the period.");
	audit_print_item(i,
	    "That the %llu clients exist and are different machines: the host can invent clients.",
	    (ull)r->clients);
	audit_print_item(
	    i, "How often clients were refused, and why: %llu times.", (ull)r->refusals.all);
	audit_print_item(
	    i, "Counts, addresses, and names for which there is no lease from a client.");
	if (r->closed)
		audit_print_item(i, "That the host's journal continues after the period.");
	output_end(i->out);
}

static void
show_not_shown(struct issue *i, const struct audit_print *p)
{
	const struct audit_report *r = p->report;

	output_list(i->out, "not_shown", NULL);
	if (r->beginning == BEGINNING_NOT_PROVED)
		audit_print_item(i, "The batches before batch %llu: nothing proves the beginning.",
		    (ull)r->first);
	else if (r->beginning == BEGINNING_BASE)
		audit_print_item(i,
		    "The batches before batch %llu: the host dropped them, after it had kept them as long as the pack asks. This audit does not cover that time.",
		    (ull)r->first);
	else if (r->first > 1 && r->first_time > p->opt->from)
		audit_print_item(i,
		    "Leases of the period in batches before %llu: they are in earlier files.",
		    (ull)r->first);
	if (r->first > 1)
		audit_print_item(i,
		    "Clients that batches before %llu counted: the real counts of pools and days may be higher.",
		    (ull)r->first);
	audit_print_item(i, "That nothing follows batch %llu.", (ull)r->last);
	audit_print_item(i,
	    "That there is no other journal of this host, such as a copy, or a journal that was set back. Clients of such a journal hold leases that this file lacks: compare them with --lease.");
	if (leases_at(p->opt, LEASE_BEFORE) > 0)
		audit_print_item(i,
		    "Whether %llu of the leases given with --lease are in the chain: their batches are before this file.",
		    (ull)leases_at(p->opt, LEASE_BEFORE));
	output_end(i->out);
}

/* -- the others -- */

void
audit_print_finding(
    struct issue *i, const struct audit_finding *f, const uint8_t *host, bool several)
{
	output_row(i->out);
	tell_text(i->out, "grade", history_grade_word(f->grade));
	tell_text(i->out, "kind", audit_kind_name(f->kind));
	if (several && host != NULL)
		tell_hex(i->out, "host", host, 16);
	else if (several)
		tell_text(i->out, "host", "");
	tell_number(i->out, "batch", f->batch);
	tell_number(i->out, "count", f->count);
	tell_text(i->out, "finding", f->text);
}

static void
show_findings(struct issue *i, const struct audit_findings *f)
{
	tell_number(i->out, "finding_count", f->count);
	tell_text(i->out, "worst",
	    f->count > 0 ? history_grade_word((enum history_grade)audit_findings_grade(f))
			 : "none");
	output_list(i->out, "findings", NULL);
	for (unsigned n = 0; n < f->count; n++)
		audit_print_finding(i, &f->list[n], NULL, false);
	output_end(i->out);
}

void
audit_print_leases(struct issue *i, const struct audit_options *opt)
{
	static const char *const words[] = {
		[LEASE_IN_CHAIN] = "in the chain",
		[LEASE_OTHER] = "of another chain",
		[LEASE_AFTER] = "after the end of the file",
		[LEASE_BEFORE] = "before the file",
		[LEASE_OF_ANOTHER] = "of another host",
	};

	output_list(i->out, "lease_files", NULL);
	for (size_t n = 0; n < opt->lease_count; n++) {
		const struct audit_lease *l = &opt->leases[n];

		output_row(i->out);
		tell_text(i->out, "file", l->name);
		issue_batch(i, "batch", l->number, l->hash);
		tell_text(i->out, "place", words[l->place]);
	}
	output_end(i->out);
}

static const struct policy_product *
named(const struct audit_options *opt, const uint8_t id[16])
{
	const struct policy_product *p = NULL;

	for (unsigned n = 0; n < opt->pack_count && p == NULL; n++)
		p = policy_product_find(opt->packs[n].pack, id);
	return p;
}

static void
show_products(struct issue *i, const struct audit_print *p)
{
	output_list(i->out, "products", NULL);
	for (unsigned n = 0; n < p->report->product_count; n++) {
		const struct audit_product *one = &p->report->products[n];
		const struct policy_product *found = named(p->opt, one->id);

		output_row(i->out);
		tell_uuid(i->out, "id", one->id);
		if (found != NULL)
			tell_text(i->out, "name", found->name);
		tell_number(i->out, "clients", one->clients);
		tell_number(i->out, "leases", one->leases);
	}
	output_end(i->out);
}

static void
show_pools(struct issue *i, const struct audit_report *r)
{
	output_list(i->out, "pools", NULL);
	for (unsigned n = 0; n < r->pool_count; n++) {
		const struct audit_pool_report *p = &r->pools[n];

		output_row(i->out);
		tell_number(i->out, "pool", p->number);
		tell_number(i->out, "most_counted", p->counted);
		audit_print_day(i, "counted_on", p->counted_day);
		tell_number(i->out, "most_holding", p->holding);
		audit_print_day(i, "holding_on", p->holding_day);
	}
	output_end(i->out);
}

static void
show_refusals(struct issue *i, const struct audit_refusals *r)
{
	output_list(i->out, "refused", NULL);
	for (unsigned n = 0; n < r->count; n++) {
		const struct kms_error *e = kms_error_find(r->list[n].status);

		output_row(i->out);
		tell_number(i->out, "status", r->list[n].status);
		tell_text(i->out, "symbol", e->symbol);
		tell_number(i->out, "refusals", r->list[n].refusals);
	}
	output_end(i->out);
}

static void
show_days(struct issue *i, const struct audit_report *r)
{
	output_list(i->out, "days", NULL);
	for (size_t n = 0; n < r->day_count; n++) {
		const struct audit_day *d = &r->days[n];

		output_row(i->out);
		tell_number(i->out, "pool", d->pool);
		audit_print_day(i, "day", d->day);
		tell_number(i->out, "counted", d->counted > 0 ? (uint64_t)d->counted : 0);
		tell_number(i->out, "holding", d->holding > 0 ? (uint64_t)d->holding : 0);
	}
	output_end(i->out);
}

static void
show_certificates(struct issue *i, const struct audit_report *r)
{
	output_list(i->out, "certificates", NULL);
	for (unsigned n = 0; n < r->certificate_count; n++) {
		const struct certificate *c = &r->certificates[n];

		output_row(i->out);
		tell_number(i->out, "serial", c->serial);
		tell_uuid(i->out, "host_key", c->host_key_id);
		tell_hex(i->out, "publisher", c->publisher, 8);
		tell_text(i->out, "customer", c->customer);
		tell_text(i->out, "group", c->group);
		tell_number(i->out, "confirmation", c->confirmation);
		tell_limit(i->out, "capacity", c->capacity);
		issue_time(i, "issued", c->issued);
		issue_time(i, "not_before", c->not_before);
		issue_time(i, "not_after", c->not_after);
	}
	output_end(i->out);
}

const char *
audit_print_beginning(enum audit_beginning beginning)
{
	static const char *const beginnings[] = {
		[BEGINNING_NOT_PROVED] = "not proved",
		[BEGINNING_BATCH_1] = "batch 1",
		[BEGINNING_KNOWN] = "known batch",
		[BEGINNING_BASE] = "base",
	};

	return beginnings[beginning];
}

static void
show_figures(struct issue *i, const struct audit_print *p)
{
	const struct audit_report *r = p->report;

	tell_hex(i->out, "host", r->host, sizeof(r->host));
	tell_number(i->out, "clients", r->clients);
	tell_number(i->out, "leases", r->leases);
	tell_number(i->out, "leases_not_covered", r->beyond);
	tell_number(i->out, "refusals", r->refusals.all);
	tell_text(i->out, "beginning", audit_print_beginning(r->beginning));
	tell_number(i->out, "first_batch", r->first);
	issue_time(i, "first_time", r->first_time);
	tell_number(i->out, "last_batch", r->last);
	issue_time(i, "last_time", r->last_time);
	issue_batch(i, "last", r->last, r->last_hash);
	tell_number(i->out, "batches", r->batches);
	tell_number(i->out, "entries", r->entries);
	tell_flag(i->out, "goes_beyond_period", r->closed);
	tell_flag(i->out, "names", r->names);
	tell_flag(i->out, "recorded", p->recorded);
}

void
audit_print_sums(struct issue *i, const struct audit_print *p)
{
	show_products(i, p);
	show_pools(i, p->report);
	show_refusals(i, &p->report->refusals);
	if (p->days)
		show_days(i, p->report);
}

void
audit_print(struct issue *i, const struct audit_print *p)
{
	show_figures(i, p);
	show_proved(i, p);
	show_stated(i, p->report);
	show_not_shown(i, p);
	show_findings(i, &p->report->findings);
	if (p->opt->lease_count > 0)
		audit_print_leases(i, p->opt);
	audit_print_sums(i, p);
	show_certificates(i, p->report);
}
