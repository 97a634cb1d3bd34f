/*
 * show.c - kmsissue show: prints what a publisher's file contains. The first section tells the
 * kind of file; its name does not matter.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/issue/lease_read.h"
#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "libkms/core/certificate.h"
#include "policy/files/publisher_file.h"
#include "policy/host_key.h"
#include "policy/revocation.h"
#include "policy/values.h"

struct show_options {
	const char *publisher, *dir;
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
		tell_number(i->out, "window_minutes", p->pools[n].window);
		tell_text(i->out, "stateless", p->pools[n].stateless_refuse ? "refuse" : "allow");
		tell_number(i->out, "borrow_minutes", p->pools[n].borrow);
		tell_limit(i->out, "borrow_seats", p->pools[n].borrow_seats);
		tell_number(i->out, "overdraft_percent", p->pools[n].overdraft);
		tell_number(i->out, "longest_unseen_minutes", p->pools[n].reclaim);
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
		tell_number(i->out, "clone_hold_minutes", product->clone_hold);
		tell_text(i->out, "bind", product->bind ? "machine" : "no");
		if (product->bind)
			tell_text(i->out, "bind_change", product->bind_refuse ? "refuse" : "mark");
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

static void
show_pack(struct issue *i, const struct publisher_file *c)
{
	char version[16];

	snprintf(version, sizeof(version), "%u.%u", c->pack->major, c->pack->minor);
	tell_text(i->out, "id", c->pack->id);
	tell_text(i->out, "title", c->pack->title);
	tell_text(i->out, "version", version);
	issue_time(i, "issued", c->pack->issued);
	show_groups(i, c->pack);
	show_pools(i, c->pack);
	show_products(i, c->pack);
	show_contacts(i, c->pack);
}

static void
show_key(struct issue *i, const struct publisher_file *c)
{
	const struct host_key *k = &c->key;

	tell_uuid(i->out, "id", k->id);
	tell_hex(i->out, "publisher", k->publisher, sizeof(k->publisher));
	tell_text(i->out, "customer", k->customer);
	tell_text(i->out, "group", k->group);
	issue_time(i, "issued", k->issued);
	issue_time(i, "not_before", k->not_before);
	issue_time(i, "not_after", k->not_after);
	tell_limit(i->out, "capacity", k->capacity);
	tell_number(i->out, "hosts", k->hosts);
	tell_number(i->out, "confirmations", k->confirmations);
	issue_entitlements(i, &k->entitlements);
}

static void
show_rotation(struct issue *i, const struct publisher_file *c)
{
	char old[MINISIG_KEY_LINE + 1], new[MINISIG_KEY_LINE + 1];

	minisig_key_format(old, &c->rotation.old);
	minisig_key_format(new, &c->rotation.new);
	tell_text(i->out, "old", old);
	tell_text(i->out, "new", new);
	issue_time(i, "from", c->rotation.from);
	issue_time(i, "until", c->rotation.until);
}

static void
show_certificate(struct issue *i, const struct publisher_file *file)
{
	const struct certificate *c = &file->certificate;

	tell_number(i->out, "serial", c->serial);
	tell_hex(i->out, "publisher", c->publisher, sizeof(c->publisher));
	tell_uuid(i->out, "host_key", c->host_key_id);
	tell_hex(i->out, "host", c->host_id, sizeof(c->host_id));
	tell_text(i->out, "customer", c->customer);
	tell_text(i->out, "group", c->group);
	issue_time(i, "issued", c->issued);
	issue_time(i, "not_before", c->not_before);
	issue_time(i, "not_after", c->not_after);
	tell_limit(i->out, "capacity", c->capacity);
	tell_number(i->out, "confirmation", c->confirmation);
	issue_entitlements(i, &c->entitlements);
	output_list(i->out, "products", NULL);
	for (unsigned n = 0; n < c->product_count; n++) {
		output_row(i->out);
		tell_uuid(i->out, "id", c->products[n]);
	}
	output_end(i->out);
}

static void
show_revocations(struct issue *i, const struct publisher_file *c)
{
	static const char *const what[] = { [REVOKED_KEY] = "host key",
		[REVOKED_HOST] = "host",
		[REVOKED_CERTIFICATE] = "certificate" };
	const struct revocation_list *l = c->revocations;

	tell_hex(i->out, "publisher", l->publisher, sizeof(l->publisher));
	tell_number(i->out, "number", l->number);
	issue_time(i, "issued", l->issued);
	output_list(i->out, "revoked", NULL);
	for (unsigned n = 0; n < l->count; n++) {
		const struct revocation *e = &l->entries[n];

		output_row(i->out);
		tell_text(i->out, "what", what[e->kind]);
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

/* A request is the host's: no publisher signs it. */
static int
show_request(struct issue *i, const char *text, size_t len)
{
	struct confirm_request r;
	struct fault f = { 0 };
	uint8_t host[16];
	int rc = confirm_request_parse(&r, text, len, &f);

	if (rc != KMS_OK)
		return fault_set(&i->fault, rc, "%s:%d: %s", i->operand, f.line, f.text);
	tell_text(i->out, "kind", "confirmation request");
	tell_text(i->out, "signature", "verified with the host's public key in the request");
	certificate_host_id(host, r.sign_pk);
	tell_uuid(i->out, "host_key", r.host_key_id);
	tell_hex(i->out, "publisher", r.publisher, sizeof(r.publisher));
	tell_hex(i->out, "host", host, sizeof(host));
	tell_text(i->out, "host_name", r.host_name);
	issue_time(i, "time", r.time);
	return KMS_OK;
}

/* -- its signature -- */

static int
read_unverified(struct issue *i, const char *text, size_t len, struct publisher_file *c)
{
	struct fault f = { 0 };
	int rc;

	c->text = text;
	c->len = len;
	tell_text(i->out, "signature", "not checked: give --publisher or --dir");
	if ((rc = publisher_file_parse(c, &f)) != KMS_OK)
		fault_set(&i->fault, rc, "%s:%d: %s", i->operand, f.line, f.text);
	return rc;
}

/* With --dir, the other keys of that directory count as well: rotations replaced them. */
static int
take_keys(struct issue *i, struct minisig_key *publisher)
{
	const struct show_options *o = i->options;
	int rc;

	if (o->dir != NULL)
		i->dir = o->dir;
	if ((rc = issue_publisher(i, o->publisher, publisher)) == KMS_OK && o->dir != NULL)
		sign_take_companions(i);
	return rc;
}

static int
read_verified(struct issue *i, struct publisher_file *c)
{
	struct minisig_key publisher;
	struct publisher_keys keys;
	char comment[256];
	int rc = take_keys(i, &publisher);

	if (rc != KMS_OK || (rc = sign_read(i, i->operand, c->kind, &publisher, c, comment,
				 sizeof(comment))) != KMS_OK)
		return rc;
	tell_text(i->out, "signature", "verified");
	tell_text(i->out, "comment", comment);
	if (c->kind != FILE_CERTIFICATE)
		return KMS_OK;
	sign_keys(&keys, i, &publisher);
	rc = publisher_keys_certificate(
	    &keys, &c->certificate, c->certificate_octets, c->certificate_len, NULL);
	return rc == KMS_OK
		   ? rc
		   : fault_set(&i->fault, rc,
			 "%s: the certificate in it belongs to another publisher", i->operand);
}

static int
show_file(struct issue *i, const char *text, size_t len)
{
	static void (*const shows[FILE_KINDS])(struct issue *, const struct publisher_file *) = {
		[FILE_ROTATION] = show_rotation,
		[FILE_KEY] = show_key,
		[FILE_CERTIFICATE] = show_certificate,
		[FILE_PACK] = show_pack,
		[FILE_REVOCATIONS] = show_revocations,
	};
	const struct show_options *o = i->options;
	struct publisher_file c = { .kind = publisher_file_guess(text) };
	int rc;

	if (c.kind == FILE_KINDS)
		return fault_set(&i->fault, KMS_E_FORMAT,
		    "%s is not a policy pack, host key, request, host certificate, revocation list, key rotation or lease",
		    i->operand);
	tell_text(i->out, "kind", publisher_file_name(c.kind));
	rc = o->publisher != NULL || o->dir != NULL ? read_verified(i, &c)
						    : read_unverified(i, text, len, &c);
	if (rc == KMS_OK)
		shows[c.kind](i, &c);
	publisher_file_free(&c);
	return rc;
}

/* A lease is binary, and has no signature beside it. */
static int
show_lease(struct issue *i, const char *data, size_t len)
{
	const struct show_options *o = i->options;
	struct minisig_key publisher;
	int rc;

	if (o->publisher == NULL && o->dir == NULL)
		return lease_show(i, data, len, NULL);
	if ((rc = take_keys(i, &publisher)) != KMS_OK)
		return rc;
	return lease_show(i, data, len, &publisher);
}

static int
run_show(struct issue *i)
{
	char *text;
	size_t len;
	int rc = file_read(AT_FDCWD, i->operand, FILE_GIVEN, SIGNED_FILE_MAX, &text, &len);

	if (rc != KMS_OK)
		return issue_fail_file(i, rc, i->operand);
	rc = lease_read_is(text, len) ? show_lease(i, text, len)
	     : (strstr(text, "\n[confirmation-request]") != NULL ||
		   strncmp(text, "[confirmation-request]", 22) == 0)
		 ? show_request(i, text, len)
		 : show_file(i, text, len);
	free(text);
	return rc;
}

static const struct option_row rows[] = {
	{ "publisher", 'P', "KEY", "public key \"RW...\" or its file, to verify with",
	    .offset = offsetof(struct show_options, publisher), .complete = "file *.pub" },
	{ "dir", 'd', "DIR", "the publisher's directory: verify with all its keys",
	    .offset = offsetof(struct show_options, dir) },
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
