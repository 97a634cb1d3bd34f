/*
 * audit.c - kmsissue audit verify: the audit file of a customer's host, and what it proves.
 */
#include "kmsctl/issue/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/base/number.h"
#include "policy/pack.h"
#include "policy/values.h"

struct verify_options {
	const char *publisher, *from, *to, *last, *host, *policy;
};

struct audit_job {
	struct audit_options opt;
	struct audit_report report;
	struct policy_pack *pack; /* NULL: products have no names */
};

/* "17:0123..." */
static bool
take_last(struct audit_options *opt, const char *text)
{
	const char *colon = strchr(text, ':');
	char number[24];

	if (colon == NULL || (size_t)(colon - text) >= sizeof(number))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)(colon - text), text);
	opt->have_last = true;
	return number_parse(&opt->last, NUMBER_EXACT, number) && opt->last > 0 &&
	       hex_parse(opt->last_hash, sizeof(opt->last_hash), colon + 1);
}

static int
take_options(struct issue *i, struct audit_options *opt)
{
	const struct verify_options *o = i->options;

	opt->to = UINT64_MAX;
	if (o->from != NULL && !value_time_parse(&opt->from, o->from, false))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--from needs a date or a time");
	if (o->to != NULL && !value_time_parse(&opt->to, o->to, true))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--to needs a date or a time");
	if (opt->to < opt->from)
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--to is before --from");
	if (o->last != NULL && !take_last(opt, o->last))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--last needs the number of a batch, a colon and 64 hexadecimal digits");
	opt->have_host = o->host != NULL;
	if (opt->have_host && !hex_parse(opt->host, sizeof(opt->host), o->host))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--host needs 32 hexadecimal digits");
	return issue_publisher(i, o->publisher, &opt->publisher);
}

static int
take_pack(struct issue *i, struct audit_job *job)
{
	const struct verify_options *o = i->options;
	struct publisher_file c;
	int rc;

	if (o->policy == NULL)
		return KMS_OK;
	rc = sign_read(i, o->policy, FILE_PACK, &job->opt.publisher, &c, NULL, 0);
	if (rc == KMS_OK)
		job->pack = c.pack;
	return rc;
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
		issue_time(i, "not_before", c->not_before);
		issue_time(i, "not_after", c->not_after);
	}
	output_end(i->out);
}

static void
show_products(struct issue *i, const struct audit_job *job)
{
	const struct audit_report *r = &job->report;

	output_list(i->out, "products", NULL);
	for (unsigned n = 0; n < r->product_count; n++) {
		const struct audit_product *p = &r->products[n];
		const struct policy_product *named =
		    job->pack != NULL ? policy_product_find(job->pack, p->id) : NULL;

		output_row(i->out);
		tell_uuid(i->out, "id", p->id);
		if (named != NULL)
			tell_text(i->out, "name", named->name);
		tell_number(i->out, "clients", p->clients);
		tell_number(i->out, "leases", p->leases);
	}
	output_end(i->out);
}

static void
show_findings(struct issue *i, const struct audit_report *r)
{
	tell_number(i->out, "finding_count", r->finding_count);
	output_list(i->out, "findings", NULL);
	for (unsigned n = 0; n < AUDIT_FINDINGS && n < r->finding_count; n++) {
		output_row(i->out);
		tell_number(i->out, "batch", r->findings[n].batch);
		tell_text(i->out, "finding", r->findings[n].text);
	}
	output_end(i->out);
	i->findings = r->finding_count > 0;
}

static void
show_report(struct issue *i, const struct audit_job *job)
{
	const struct audit_report *r = &job->report;
	char last[24 + 64];

	snprintf(last, sizeof(last), "%llu:", (unsigned long long)r->last);
	hex_format(last + strlen(last), r->last_hash, sizeof(r->last_hash));
	tell_hex(i->out, "host", r->host, sizeof(r->host));
	tell_number(i->out, "clients", r->clients);
	tell_number(i->out, "leases", r->leases);
	tell_number(i->out, "leases_not_covered", r->beyond);
	tell_number(i->out, "first_batch", r->first);
	issue_time(i, "first_time", r->first_time);
	tell_number(i->out, "last_batch", r->last);
	issue_time(i, "last_time", r->last_time);
	tell_text(i->out, "last", last);
	tell_number(i->out, "batches", r->batches);
	tell_number(i->out, "entries", r->entries);
	tell_flag(i->out, "goes_beyond_period", r->closed);
	tell_flag(i->out, "names", r->names);
	show_findings(i, r);
	show_products(i, job);
	show_certificates(i, r);
}

/* A journal may be larger than memory: the file is mapped, and must not be truncated meanwhile. */
static int
map_file(struct issue *i, const void **data, size_t *len)
{
	int fd = open(i->operand, O_RDONLY | O_CLOEXEC), rc = KMS_OK;
	struct stat st;
	void *at;

	*data = NULL;
	*len = 0;
	if (fd < 0 || fstat(fd, &st) != 0)
		rc = issue_fail_file(i, file_status(errno), i->operand);
	else if (!S_ISREG(st.st_mode))
		rc = fault_set(&i->fault, KMS_E_FORMAT, "%s is not a file", i->operand);
	if (rc == KMS_OK && st.st_size > 0) {
		at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (at == MAP_FAILED)
			rc = issue_fail_file(i, file_status(errno), i->operand);
		else
			*data = at;
		*len = (size_t)st.st_size;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
run_audit_verify(struct issue *i)
{
	struct audit_job *job = calloc(1, sizeof(*job));
	const void *data = NULL;
	size_t len = 0;
	struct fault f = { 0 };
	int rc;

	if (job == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = take_options(i, &job->opt)) == KMS_OK && (rc = take_pack(i, job)) == KMS_OK &&
	    (rc = map_file(i, &data, &len)) == KMS_OK) {
		rc = audit_verify(&job->report, &job->opt, data != NULL ? data : "", len, &f);
		if (rc == KMS_OK)
			show_report(i, job);
		else
			fault_set(&i->fault, rc, "%s: %s", i->operand, fault_text(&f, rc));
	}
	if (data != NULL)
		munmap((void *)(uintptr_t)data, len);
	free(job->pack);
	free(job);
	return rc;
}

static const struct option_row rows[] = {
	ISSUE_DIR,
	{ "publisher", 'P', "KEY", "public key \"RW...\" or its file, to verify with",
	    .offset = offsetof(struct verify_options, publisher), .complete = "file *.pub" },
	{ "from", 0, "TIME", "first moment of the period",
	    .offset = offsetof(struct verify_options, from) },
	{ "to", 0, "TIME", "last moment of the period",
	    .offset = offsetof(struct verify_options, to) },
	{ "last", 0, "BATCH:HASH", "a batch known from an earlier audit, which must be in the file",
	    .offset = offsetof(struct verify_options, last) },
	{ "host", 0, "ID", "the host to which the journal must belong",
	    .offset = offsetof(struct verify_options, host) },
	{ "policy", 'p', "FILE", "signed policy pack",
	    .offset = offsetof(struct verify_options, policy), .complete = "file *.kmspolicy" },
	{ 0 },
};

const struct issue_command cmd_audit_verify = {
	.line.noun = "audit",
	.line.verb = "verify",
	.line.args = "FILE",
	.line.summary = "verify a host's exported journal",
	.line.min = 1,
	.line.max = 1,
	.line.options = rows,
	.line.values = sizeof(struct verify_options),
	.run = run_audit_verify,
};
