/*
 * audit_several.c - see audit_several.h.
 */
#include "kmsctl/issue/cmd/audit_several.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/issue/audit_copies.h"
#include "kmsctl/issue/audit_heard.h"
#include "kmsctl/issue/audit_together.h"
#include "kmsctl/issue/cmd/audit_past.h"
#include "kmsctl/issue/cmd/audit_print.h"
#include "libkms/base/hex.h"
#include "policy/values.h"

typedef unsigned long long ull;

/*
 * Headers of another chain of the host: the first that differs, the last of which this one has the
 * number, and the last.
 */
#define RIVALS 3

struct one {
	struct audit_report report;
	struct audited past;
	struct audit_lease *leases;
	struct audit_rival *rivals; /* RIVALS for each other chain of this host */
	bool parted;                /* this host has another chain */
	bool recorded;
};
struct several {
	const struct audit_several *in;
	struct audit_chains chains;
	struct audit_together *together;
	struct one *list; /* one for each chain */
	size_t verified;
	struct audit_findings *f; /* of the together */
};

static const struct certificate *
newest(const struct one *one)
{
	return &one->report.certificates[one->report.certificate_count - 1];
}

/* -- one chain -- */

static bool
same_host(const struct audit_chain *a, const struct audit_chain *b)
{
	return memcmp(a->host, b->host, sizeof(a->host)) == 0;
}

static bool
rival_of(struct audit_rival *r, const struct audit_chain *c, uint64_t number)
{
	const uint8_t *octets = audit_chain_header(c, number);
	struct batch_header header;

	if (octets == NULL || batch_header_decode(&header, octets) != KMS_OK)
		return false;
	*r = (struct audit_rival){ .number = number, .time = header.time };
	batch_header_hash(r->hash, octets);
	return true;
}

/* What other chains of its host have is judged beside this one. */
static int
take_rivals(struct several *s, size_t n, struct audit_options *opt)
{
	const struct audit_chain *c = &s->chains.chains[n];
	struct one *one = &s->list[n];

	one->rivals = calloc(RIVALS * s->chains.count, sizeof(*one->rivals));
	if (one->rivals == NULL)
		return KMS_E_NO_MEMORY;
	opt->rivals = one->rivals;
	for (size_t k = 0; k < s->chains.count; k++) {
		const struct audit_chain *other = &s->chains.chains[k];

		if (k == n || !same_host(c, other))
			continue;
		one->parted = true;
		opt->rival_count +=
		    rival_of(&one->rivals[opt->rival_count], other, audit_chain_part(c, other));
		opt->rival_count +=
		    rival_of(&one->rivals[opt->rival_count], other, audit_chain_common(c, other));
		opt->rival_count +=
		    rival_of(&one->rivals[opt->rival_count], other, audit_chain_last(other));
	}
	return KMS_OK;
}

/* A batch that another chain of the host has before they part stands for this one's beginning. */
static void
know_other(const struct audit_chain *c, struct audit_options *opt)
{
	struct audit_known *k = &opt->known[opt->known_count];

	if (c->other == NULL || c->number < 2 || c->number < c->files[0]->first)
		return;
	k->number = c->number - 1;
	if (audit_chain_hash(c->other, k->number, k->hash))
		opt->known_count++;
}

static bool
has_known(const struct audit_chain *c, const struct audited *past)
{
	uint8_t hash[32];

	return audit_chain_hash(c, past->last, hash) && memcmp(hash, past->hash, sizeof(hash)) == 0;
}

/* The last audit must be in one of the host's chains. */
static bool
another_has(const struct several *s, size_t n, const struct audited *past)
{
	for (size_t k = 0; k < s->chains.count; k++)
		if (k != n && same_host(&s->chains.chains[k], &s->chains.chains[n]) &&
		    has_known(&s->chains.chains[k], past))
			return true;
	return false;
}

static int
take_past(struct issue *i, struct several *s, size_t n, struct audit_options *opt)
{
	const struct audit_chain *c = &s->chains.chains[n];
	struct audited *past = &s->list[n].past;
	int rc = audit_past_host(i, c->host, past);

	if (rc == KMS_E_NOT_FOUND)
		return KMS_OK;
	if (rc != KMS_OK)
		return rc;
	opt->confirmed = past->confirmed;
	if (past->last == 0 || s->in->override != NULL ||
	    (!has_known(c, past) && another_has(s, n, past)))
		return KMS_OK;
	opt->known[opt->known_count].number = past->last;
	memcpy(opt->known[opt->known_count++].hash, past->hash, sizeof(past->hash));
	return KMS_OK;
}

static int
verify_chain(struct issue *i, struct several *s, size_t n)
{
	const struct audit_chain *c = &s->chains.chains[n];
	struct audit_options opt = *s->in->opt;
	struct one *one = &s->list[n];
	struct fault f = { 0 };
	int rc;

	one->leases = calloc(opt.lease_count + 1, sizeof(*one->leases));
	if (one->leases == NULL || take_rivals(s, n, &opt) != KMS_OK)
		return KMS_E_NO_MEMORY;
	if (opt.lease_count > 0)
		memcpy(one->leases, opt.leases, opt.lease_count * sizeof(*one->leases));
	opt.leases = one->leases;
	opt.together = s->together;
	know_other(c, &opt);
	if (s->in->registered && (rc = take_past(i, s, n, &opt)) != KMS_OK)
		return rc;
	rc = audit_verify(&one->report, &opt, c->parts, c->count, &f);
	if (rc != KMS_OK)
		return fault_set(
		    &i->fault, rc, "%s: %s", c->files[one->report.part]->name, fault_text(&f, rc));
	s->verified++;
	return KMS_OK;
}

/* -- together -- */

/* One customer's files have a name, or a host key, in common with those before. */
static bool
related(const struct one *a, const struct one *b)
{
	for (unsigned x = 0; x < a->report.certificate_count; x++)
		for (unsigned y = 0; y < b->report.certificate_count; y++) {
			const struct certificate *one = &a->report.certificates[x],
						 *other = &b->report.certificates[y];

			if (memcmp(one->host_key_id, other->host_key_id, 16) == 0 ||
			    strcmp(one->customer, other->customer) == 0)
				return true;
		}
	return false;
}

static int
check_customers(struct issue *i, const struct several *s)
{
	for (size_t n = 1; n < s->chains.count; n++) {
		bool found = false;

		for (size_t k = 0; k < s->chains.count && !found; k++)
			found = k != n && related(&s->list[n], &s->list[k]);
		if (!found)
			return fault_set(&i->fault, KMS_E_ARGUMENT,
			    "%s is of customer %s, and %s of customer %s: verify the files of one customer at a time",
			    s->chains.chains[n].files[0]->name, newest(&s->list[n])->customer,
			    s->chains.chains[0].files[0]->name, newest(&s->list[0])->customer);
	}
	return KMS_OK;
}

/* What the worst of the other chain's batches means beside this one. */
static enum history_grade
grade_beside(const struct one *one, const struct audit_chain *other)
{
	enum history_grade worst = HISTORY_NOTE;
	const uint64_t last = audit_chain_last(other);

	for (const struct audit_rival *r = one->rivals; r->number != 0; r++) {
		uint8_t hash[32];

		if (r->number > last || !audit_chain_hash(other, r->number, hash) ||
		    memcmp(hash, r->hash, sizeof(hash)) != 0)
			continue;
		if (r->grade > worst)
			worst = r->grade;
	}
	return worst;
}

/* One of the two may have been set back on purpose, and say so. */
static void
fork_finding(struct several *s, size_t n, size_t k)
{
	const struct audit_chain *a = &s->chains.chains[n], *b = &s->chains.chains[k];
	enum history_grade one = grade_beside(&s->list[n], b), other = grade_beside(&s->list[k], a);
	enum history_grade grade = one < other ? one : other;
	uint64_t number = audit_chain_part(a, b);
	static const char *const why[HISTORY_GRADES] = {
		[HISTORY_NOTE] = "a restore explains that",
		[HISTORY_UNEXPLAINED] = "no restore explains that",
		[HISTORY_CONTRADICTION] = "the host, which was not set back, signed both",
	};

	audit_find(s->f, AUDIT_FORK, grade, number, 1,
	    "two files of one host have different batches %llu, and %s: %.60s and %.60s",
	    (ull)number, why[grade], a->files[a->count - 1]->name, b->files[0]->name);
}

/* Two chains that have no number in common part from a third one. */
static bool
do_part(const struct audit_chain *a, const struct audit_chain *b)
{
	uint64_t number = audit_chain_part(a, b);
	uint8_t hash[32];

	return same_host(a, b) && audit_chain_hash(a, number, hash) &&
	       audit_chain_hash(b, number, hash);
}

static void
find_forks(struct several *s)
{
	for (size_t n = 0; n < s->chains.count; n++)
		for (size_t k = n + 1; k < s->chains.count; k++)
			if (do_part(&s->chains.chains[n], &s->chains.chains[k]))
				fork_finding(s, n, k);
}

static bool
given(const struct several *s, const struct audited *h)
{
	for (size_t n = 0; n < s->chains.count; n++)
		if (memcmp(s->chains.chains[n].host, h->host, 16) == 0)
			return true;
	return false;
}

static bool
key_given(const struct several *s, const struct audited *h)
{
	for (size_t n = 0; n < s->chains.count; n++)
		for (unsigned k = 0; k < s->list[n].report.certificate_count; k++)
			if (memcmp(s->list[n].report.certificates[k].host_key_id, h->host_key,
				16) == 0)
				return true;
	return false;
}

/* Who wants a low count leaves a host out. */
static int
find_absent(struct issue *i, struct several *s)
{
	struct audit_table hosts;
	char hex[33];
	int rc = audit_past_all(i, &hosts);

	for (size_t n = 0; rc == KMS_OK && n < hosts.count; n++) {
		const struct audited *h = audit_table_row(&hosts, n);

		if (h->confirmed == 0 || h->revoked || h->confirmed > s->in->opt->to ||
		    given(s, h) || !key_given(s, h))
			continue;
		hex_format(hex, h->host, sizeof(h->host));
		audit_find(s->f, AUDIT_HOST_ABSENT, HISTORY_UNEXPLAINED, 0, 1,
		    "the register has a host with a host key of these files, but you gave no file of that host: the first is %s (%s)",
		    hex, h->host_name);
	}
	audit_table_free(&hosts);
	return rc == KMS_E_NOT_FOUND ? KMS_OK : rc;
}

static int
take_together(struct issue *i, struct several *s)
{
	int rc = audit_together_end(s->together);

	if (rc == KMS_OK)
		rc = audit_copies(&s->chains, s->together, s->f);
	if (rc == KMS_OK)
		rc = audit_heard(&s->chains, s->together, s->f);
	if (rc != KMS_OK)
		return fault_set(&i->fault, rc, "%s",
		    rc == KMS_E_TOO_LARGE ? "the files have too many products or pools"
					  : "not enough memory for the clients of all files");
	find_forks(s);
	if (s->in->registered && (rc = find_absent(i, s)) != KMS_OK)
		return rc;
	audit_findings_sort(s->f);
	return KMS_OK;
}

/* Two chains of one host: only a person can say which one goes on. */
static int
record(struct issue *i, struct several *s)
{
	const struct audit_several *in = s->in;
	int rc = KMS_OK;

	for (size_t n = 0; n < s->chains.count && rc == KMS_OK; n++) {
		struct one *one = &s->list[n];

		if (!in->registered || in->no_record || one->parted ||
		    one->report.beginning == BEGINNING_NOT_PROVED ||
		    (in->override == NULL &&
			audit_findings_grade(&one->report.findings) >= HISTORY_CONTRADICTION))
			continue;
		rc = audit_past_record(i, in->opt, &one->report, in->override);
		one->recorded = rc == KMS_OK;
	}
	return rc;
}

/* -- printing -- */

static int
worst_of(const struct several *s, uint64_t *count)
{
	int worst = audit_findings_grade(s->f);

	*count = s->f->count;
	for (size_t n = 0; n < s->chains.count; n++) {
		int one = audit_findings_grade(&s->list[n].report.findings);

		*count += s->list[n].report.findings.count;
		if (one > worst)
			worst = one;
	}
	return worst;
}

static void
show_figures(struct issue *i, const struct several *s)
{
	const struct audit_report *r = &s->together->report;
	uint64_t sum = 0;

	for (size_t n = 0; n < s->chains.count; n++)
		sum += s->list[n].report.clients;
	tell_number(i->out, "host_count", s->together->hosts.count);
	tell_number(i->out, "chain_count", s->chains.count);
	tell_number(i->out, "file_count", s->in->count);
	tell_number(i->out, "clients", r->clients);
	tell_number(i->out, "clients_by_host", sum);
	tell_number(
	    i->out, "clients_at_several_hosts", audit_clients_several_count(&s->together->all));
	tell_number(i->out, "leases", r->leases);
	tell_number(i->out, "leases_not_covered", r->beyond);
	tell_number(i->out, "refusals", r->refusals.all);
	issue_time(i, "first_time", r->first_time);
	issue_time(i, "last_time", r->last_time);
	tell_number(i->out, "batches", r->batches);
	tell_number(i->out, "entries", r->entries);
}

static void
show_words(struct issue *i, const struct several *s)
{
	const struct audit_report *r = &s->together->report;
	size_t open = 0;

	for (size_t n = 0; n < s->chains.count; n++)
		open += s->list[n].report.beginning == BEGINNING_NOT_PROVED;
	output_list(i->out, "proved", NULL);
	audit_print_item(i,
	    "The publisher confirmed each of these hosts, and each batch was signed with the key of its host.");
	audit_print_item(i,
	    "The batches of each chain are without a gap, and all %llu entries are unchanged since they were signed.",
	    (ull)r->entries);
	output_end(i->out);
	output_list(i->out, "stated_by_the_host", NULL);
	audit_print_item(i,
	    "All times, by the clock of each host, and therefore which seats of two hosts were taken at the same minute.");
	audit_print_item(i,
	    "That the %llu clients exist and are different machines: a host can invent clients.",
	    (ull)r->clients);
	output_end(i->out);
	output_list(i->out, "not_shown", NULL);
	if (open > 0)
		audit_print_item(
		    i, "The batches before the first batch of %llu of the chains.", (ull)open);
	if (s->in->registered)
		audit_print_item(i,
		    "The clients of hosts that the register does not know, or that are revoked.");
	else
		audit_print_item(i,
		    "Whether these are all hosts of the customer: only the register shows how many were confirmed.");
	audit_print_item(i,
	    "That nothing follows the last batch of each chain, and that there is no other journal of a host: compare the leases of the host's clients with --lease.");
	output_end(i->out);
}

static void
show_chain(struct issue *i, const struct audit_chain *c, const struct one *one)
{
	const struct audit_report *r = &one->report;
	int worst = audit_findings_grade(&r->findings);

	output_row(i->out);
	tell_hex(i->out, "host", c->host, sizeof(c->host));
	tell_text(i->out, "customer", newest(one)->customer);
	tell_text(i->out, "first_file", c->files[0]->name);
	tell_number(i->out, "files", c->count);
	tell_number(i->out, "clients", r->clients);
	tell_number(i->out, "leases", r->leases);
	tell_number(i->out, "most_counted", audit_report_highest(r));
	tell_text(i->out, "beginning", audit_print_beginning(r->beginning));
	tell_number(i->out, "first_batch", r->first);
	tell_number(i->out, "last_batch", r->last);
	issue_batch(i, "last", r->last, r->last_hash);
	tell_flag(i->out, "goes_beyond_period", r->closed);
	tell_number(i->out, "finding_count", r->findings.count);
	tell_text(
	    i->out, "worst", worst >= 0 ? history_grade_word((enum history_grade)worst) : "none");
	tell_flag(i->out, "recorded", one->recorded);
}

/* The worst first, and of one grade those of all together before those of each chain. */
static void
show_findings(struct issue *i, const struct several *s)
{
	uint64_t count;
	int worst = worst_of(s, &count);

	tell_number(i->out, "finding_count", count);
	tell_text(
	    i->out, "worst", worst >= 0 ? history_grade_word((enum history_grade)worst) : "none");
	output_list(i->out, "findings", NULL);
	for (int grade = worst; grade >= 0; grade--) {
		for (unsigned k = 0; k < s->f->count; k++)
			if ((int)s->f->list[k].grade == grade)
				audit_print_finding(i, &s->f->list[k], NULL, true);
		for (size_t n = 0; n < s->chains.count; n++) {
			const struct audit_findings *f = &s->list[n].report.findings;

			for (unsigned k = 0; k < f->count; k++)
				if ((int)f->list[k].grade == grade)
					audit_print_finding(
					    i, &f->list[k], s->chains.chains[n].host, true);
		}
	}
	output_end(i->out);
}

/* The best place of any chain: a lease is of one host, and may be in one of its chains. */
static void
settle_leases(const struct several *s)
{
	for (size_t l = 0; l < s->in->opt->lease_count; l++) {
		struct audit_lease *lease = &s->in->opt->leases[l];

		lease->place = LEASE_OF_ANOTHER;
		for (size_t n = 0; n < s->chains.count; n++)
			if (s->list[n].leases[l].place < lease->place)
				lease->place = s->list[n].leases[l].place;
	}
}

static void
show_peaks(struct issue *i, const struct audit_together *t)
{
	output_list(i->out, "pools_together", NULL);
	for (unsigned n = 0; n < t->peak_count; n++) {
		const struct audit_peak *p = &t->peaks[n];

		output_row(i->out);
		tell_number(i->out, "pool", p->pool);
		tell_number(i->out, "most_at_once", p->count);
		issue_time(i, "at", p->minute * UINT64_C(60));
		tell_limit(i->out, "capacity", p->capacity);
	}
	output_end(i->out);
}

static void
print(struct issue *i, const struct several *s)
{
	const struct audit_print p = { s->in->opt, &s->together->report, s->in->days, false };

	show_figures(i, s);
	show_words(i, s);
	output_list(i->out, "hosts", NULL);
	for (size_t n = 0; n < s->chains.count; n++)
		show_chain(i, &s->chains.chains[n], &s->list[n]);
	output_end(i->out);
	show_findings(i, s);
	settle_leases(s);
	if (s->in->opt->lease_count > 0)
		audit_print_leases(i, s->in->opt);
	show_peaks(i, s->together);
	audit_print_sums(i, &p);
}

static void
conclude(struct issue *i, const struct several *s)
{
	uint64_t count;

	i->findings = worst_of(s, &count) > HISTORY_NOTE;
	for (size_t n = 0; n < s->chains.count; n++) {
		if (s->list[n].report.beginning != BEGINNING_NOT_PROVED)
			continue;
		fault_set(&i->conclusion, KMS_E_NOT_PROVED,
		    "%s begins with batch %llu, and nothing proves the batches before it: give the earlier files of this host, too",
		    s->chains.chains[n].files[0]->name, (ull)s->list[n].report.first);
		return;
	}
}

/* -- all -- */

static int
run(struct issue *i, struct several *s)
{
	struct audit_named *files = calloc(s->in->count, sizeof(*files));
	struct fault f = { 0 };
	const char *bad = i->operand;
	int rc;

	if (files == NULL)
		return KMS_E_NO_MEMORY;
	memcpy(files, s->in->files, s->in->count * sizeof(*files));
	rc = audit_chains_make(&s->chains, files, s->in->count, &s->in->opt->publisher, &f, &bad);
	if (rc != KMS_OK)
		return fault_set(&i->fault, rc, "%s: %s", bad, fault_text(&f, rc));
	if ((s->list = calloc(s->chains.count, sizeof(*s->list))) == NULL)
		return KMS_E_NO_MEMORY;
	for (size_t n = 0; n < s->chains.count && rc == KMS_OK; n++)
		rc = verify_chain(i, s, n);
	if (rc != KMS_OK || (rc = check_customers(i, s)) != KMS_OK ||
	    (rc = take_together(i, s)) != KMS_OK || (rc = record(i, s)) != KMS_OK)
		return rc;
	print(i, s);
	conclude(i, s);
	return KMS_OK;
}

int
audit_several(struct issue *i, const struct audit_several *in)
{
	struct several s = { .in = in, .together = calloc(1, sizeof(*s.together)) };
	int rc = KMS_E_NO_MEMORY;

	if (s.together != NULL) {
		audit_together_init(s.together);
		s.together->from = in->opt->from;
		s.together->to = in->opt->to;
		s.together->packs = in->opt->packs;
		s.together->pack_count = in->opt->pack_count;
		s.f = &s.together->report.findings;
		rc = run(i, &s);
		audit_together_free(s.together);
	}
	for (size_t n = 0; s.list != NULL && n < s.chains.count; n++) {
		if (n < s.verified)
			audit_report_free(&s.list[n].report);
		free(s.list[n].leases);
		free(s.list[n].rivals);
	}
	free(s.list);
	audit_chains_free(&s.chains);
	free(s.together);
	return rc;
}
