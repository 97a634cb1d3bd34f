/*
 * show.c - kmsissue show: prints what a publisher's file contains. The first section tells the
 * kind of file; its name does not matter.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "libkms/core/certificate.h"
#include "policy/pack.h"
#include "policy/revocation.h"
#include "policy/values.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct show_options {
	const char *publisher;
};

struct shown {
	const char *text;
	size_t len;
	const struct minisig_key *publisher; /* NULL: nothing to verify with */
	struct fault err;
};

static const char *const rules[] = { "allow", "flag", "refuse" };

static void
show_groups(struct issue *i, const struct policy_pack *p)
{
	output_list(i->out, "groups", NULL);
	for (unsigned g = 0; g < p->group_count; g++) {
		char covers[POLICY_GROUPS * 34] = "";
		size_t n = 0;

		for (unsigned other = 0; other < p->group_count; other++)
			if (other != g && p->groups[g].covers & UINT32_C(1) << other)
				n += (size_t)snprintf(covers + n, sizeof(covers) - n, "%s%s",
				    n > 0 ? " " : "", p->groups[other].name);
		output_row(i->out);
		tell_text(i->out, "name", p->groups[g].name);
		tell_text(i->out, "covers", covers);
	}
	output_end(i->out);
}

static void
show_pools(struct issue *i, const struct policy_pack *p)
{
	output_list(i->out, "pools", NULL);
	for (unsigned n = 0; n < p->pool_count; n++) {
		output_row(i->out);
		tell_text(i->out, "name", p->pools[n].name);
		tell_number(i->out, "number", p->pools[n].number);
		tell_limit(i->out, "capacity", p->pools[n].capacity);
		tell_number(i->out, "window_days", p->pools[n].window_days);
	}
	output_end(i->out);
}

static void
show_products(struct issue *i, const struct policy_pack *p)
{
	output_list(i->out, "products", NULL);
	for (unsigned n = 0; n < p->product_count; n++) {
		const struct policy_product *product = &p->products[n];

		output_row(i->out);
		tell_uuid(i->out, "id", product->id);
		tell_text(i->out, "name", product->name);
		tell_text(i->out, "group", p->groups[product->group].name);
		tell_text(i->out, "pool", p->pools[product->pool].name);
		tell_number(i->out, "threshold", product->threshold);
		tell_number(i->out, "activation_minutes", product->activation_interval);
		tell_number(i->out, "renewal_minutes", product->renewal_interval);
		tell_number(i->out, "validity_minutes", product->validity);
		tell_number(i->out, "grace_minutes", product->grace);
		tell_text(i->out, "virtual_machines", rules[product->vm]);
		tell_text(i->out, "clones", rules[product->clones]);
	}
	output_end(i->out);
}

static void
show_contacts(struct issue *i, const struct policy_pack *p)
{
	output_list(i->out, "contacts", NULL);
	for (unsigned n = 0; n < p->contact_count; n++) {
		output_row(i->out);
		tell_text(i->out, "country", p->contacts[n].country);
		tell_text(i->out, "text", p->contacts[n].text);
	}
	output_end(i->out);
}

static int
show_pack(struct issue *i, struct shown *s)
{
	struct policy_pack *p = malloc(sizeof(*p));
	char version[16];
	int rc;

	if (p == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = policy_pack_parse(p, s->text, s->len, &s->err)) == KMS_OK) {
		snprintf(version, sizeof(version), "%u.%u", p->major, p->minor);
		tell_text(i->out, "id", p->id);
		tell_text(i->out, "title", p->title);
		tell_text(i->out, "version", version);
		issue_time(i, "issued", p->issued);
		show_groups(i, p);
		show_pools(i, p);
		show_products(i, p);
		show_contacts(i, p);
	}
	free(p);
	return rc;
}

static int
show_key(struct issue *i, struct shown *s)
{
	struct host_key k;
	int rc = host_key_parse(&k, s->text, s->len, &s->err);

	if (rc != KMS_OK)
		return rc;
	tell_uuid(i->out, "id", k.id);
	tell_hex(i->out, "publisher", k.publisher, sizeof(k.publisher));
	tell_text(i->out, "customer", k.customer);
	tell_text(i->out, "group", k.group);
	issue_time(i, "issued", k.issued);
	issue_time(i, "not_before", k.not_before);
	issue_time(i, "not_after", k.not_after);
	tell_limit(i->out, "capacity", k.capacity);
	tell_number(i->out, "hosts", k.hosts);
	tell_number(i->out, "confirmations", k.confirmations);
	return KMS_OK;
}

static int
show_request(struct issue *i, struct shown *s)
{
	struct confirm_request r;
	uint8_t host[16];
	int rc = confirm_request_parse(&r, s->text, s->len, &s->err);

	if (rc != KMS_OK)
		return rc;
	certificate_host_id(host, r.sign_pk, r.kx_pk);
	tell_uuid(i->out, "host_key", r.host_key_id);
	tell_hex(i->out, "publisher", r.publisher, sizeof(r.publisher));
	tell_hex(i->out, "host", host, sizeof(host));
	tell_text(i->out, "host_name", r.host_name);
	issue_time(i, "time", r.time);
	return KMS_OK;
}

static int
show_certificate(struct issue *i, struct shown *s)
{
	uint8_t octets[CERTIFICATE_MAX];
	struct certificate c;
	size_t len;
	int rc = certificate_file_parse(octets, sizeof(octets), &len, s->text, s->len, &s->err);

	if (rc != KMS_OK || (rc = certificate_decode(&c, octets, len)) != KMS_OK)
		return rc;
	if (s->publisher != NULL && (rc = certificate_verify(&c, octets, len, s->publisher->id,
					 s->publisher->pk)) != KMS_OK)
		return fault_set(&i->fault, rc,
		    "%s: the certificate in it belongs to another publisher", i->operand);
	tell_number(i->out, "serial", c.serial);
	tell_hex(i->out, "publisher", c.publisher, sizeof(c.publisher));
	tell_uuid(i->out, "host_key", c.host_key_id);
	tell_hex(i->out, "host", c.host_id, sizeof(c.host_id));
	tell_text(i->out, "customer", c.customer);
	tell_text(i->out, "group", c.group);
	issue_time(i, "issued", c.issued);
	issue_time(i, "not_before", c.not_before);
	issue_time(i, "not_after", c.not_after);
	tell_limit(i->out, "capacity", c.capacity);
	tell_number(i->out, "confirmation", c.confirmation);
	output_list(i->out, "products", NULL);
	for (unsigned n = 0; n < c.product_count; n++) {
		output_row(i->out);
		tell_uuid(i->out, "id", c.products[n]);
	}
	output_end(i->out);
	return KMS_OK;
}

static int
show_revocations(struct issue *i, struct shown *s)
{
	static const char *const kinds_[] = { [REVOKED_KEY] = "host key",
		[REVOKED_HOST] = "host",
		[REVOKED_CERTIFICATE] = "certificate" };
	struct revocation_list *l = malloc(sizeof(*l));
	int rc;

	if (l == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = revocation_list_parse(l, s->text, s->len, &s->err)) == KMS_OK) {
		tell_hex(i->out, "publisher", l->publisher, sizeof(l->publisher));
		tell_number(i->out, "number", l->number);
		issue_time(i, "issued", l->issued);
		output_list(i->out, "revoked", NULL);
		for (unsigned n = 0; n < l->count; n++) {
			const struct revocation *e = &l->entries[n];

			output_row(i->out);
			tell_text(i->out, "what", kinds_[e->kind]);
			if (e->kind == REVOKED_KEY)
				tell_uuid(i->out, "id", e->id);
			else if (e->kind == REVOKED_HOST)
				tell_hex(i->out, "id", e->id, sizeof(e->id));
			else
				tell_number(i->out, "serial", e->serial);
			issue_time(i, "time", e->time);
			tell_text(i->out, "reason", e->reason);
		}
		output_end(i->out);
	}
	free(l);
	return rc;
}

/* -- which kind, and its signature -- */

static const struct kind {
	const char *section;
	const char *name;
	bool has_signature; /* FILE.minisig by the publisher */
	int (*show)(struct issue *i, struct shown *s);
} kinds[] = {
	{ "[policy]", "policy pack", true, show_pack },
	{ "[host-key]", "KMS host key", true, show_key },
	{ "[confirmation-request]", "confirmation request", false, show_request },
	{ "[revocations]", "revocation list", true, show_revocations },
	{ "[host-certificate]", "host certificate", true, show_certificate },
};

/* A pack may begin with any of its sections. */
static const struct kind *
find_kind(const char *text)
{
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		for (size_t k = 0; k < COUNT(kinds); k++)
			if (strncmp(line, kinds[k].section, strlen(kinds[k].section)) == 0)
				return &kinds[k];
	}
	return NULL;
}

static int
verify(struct issue *i, const struct minisig_key *publisher, const struct shown *s)
{
	char comment[256], *text;
	size_t len;
	int rc =
	    sign_read(i, i->operand, PACK_MAX, publisher, &text, &len, comment, sizeof(comment));

	if (rc != KMS_OK)
		return rc;
	/* Read a second time: the text shown must be the text that was verified. */
	if (len != s->len || memcmp(text, s->text, len) != 0)
		rc =
		    fault_set(&i->fault, KMS_E_ALTERED, "%s changed while it was read", i->operand);
	free(text);
	for (char *c = comment; *c != '\0'; c++)
		if ((unsigned char)*c < 32 || *c == 127)
			*c = '?';
	tell_text(i->out, "signature", "verified");
	tell_text(i->out, "comment", comment);
	return rc;
}

static int
run_show(struct issue *i)
{
	const struct show_options *o = i->options;
	struct minisig_key publisher;
	struct shown s = { 0 };
	const struct kind *kind;
	char *text;
	int rc;

	if (o->publisher != NULL && (rc = issue_publisher(i, o->publisher, &publisher)) != KMS_OK)
		return rc;
	if ((rc = file_read(AT_FDCWD, i->operand, FILE_GIVEN, PACK_MAX, &text, &s.len)) != KMS_OK)
		return issue_fail_file(i, rc, i->operand);
	s.text = text;
	s.publisher = o->publisher != NULL ? &publisher : NULL;
	if ((kind = find_kind(text)) == NULL) {
		rc = fault_set(&i->fault, KMS_E_FORMAT,
		    "%s is not a policy pack, host key, request, host certificate or revocation list",
		    i->operand);
	} else {
		tell_text(i->out, "kind", kind->name);
		if (!kind->has_signature)
			tell_text(i->out, "signature", "verified with the host's own key in it");
		else if (s.publisher == NULL)
			tell_text(i->out, "signature", "not checked: give --publisher");
		else
			rc = verify(i, &publisher, &s);
		if (rc == KMS_OK && (rc = kind->show(i, &s)) != KMS_OK)
			fault_set(&i->fault, rc, "%s:%d: %s", i->operand, s.err.line, s.err.text);
	}
	free(text);
	return rc;
}

static const struct option_row rows[] = {
	{ "publisher", 'P', "KEY", "public key \"RW...\" or its file, to verify with",
	    .offset = offsetof(struct show_options, publisher), .complete = "file *.pub" },
	{ 0 },
};

const struct issue_command cmd_show = {
	.line.noun = "show",
	.line.args = "FILE",
	.line.summary = "show what a file contains",
	.line.min = 1,
	.line.max = 1,
	.line.options = rows,
	.line.values = sizeof(struct show_options),
	.run = run_show,
};
