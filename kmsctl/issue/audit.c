/*
 * audit.c - see audit.h. Trust follows one path: publisher's key, certificate, the host's signing
 * key in it, batch header, root, entries; and from header to header by hash. Anything in the file
 * outside this path does not count.
 */
#include "kmsctl/issue/audit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/ledger/audit_file.h"
#include "libkms/core/entry.h"
#include "libkms/core/merkle.h"
#include "libkms/kms_error.h"

struct audit {
	const struct audit_options *opt;
	struct audit_report *out;
	struct fault *fault;
	struct audit_documents documents;
	struct audit_clients clients;
	struct audit_history history;
	struct audit_rules rules;
	struct merkle_tree *tree;
	struct audit_batch batch;
	uint8_t hash[32];     /* of the batch before */
	uint64_t bare, named; /* entries of clients without an aside, entries with one */
};

/* -- entries -- */

/* The name beside an entry must be the one that the entry commits to. */
static void
check_item(struct audit *a, const struct item *item)
{
	uint64_t number = a->batch.header.number;
	struct audit_findings *f = &a->out->findings;

	if (!batch_time_near(entry_time(item->entry, item->entry_len), a->batch.header.time))
		audit_find(f, AUDIT_ENTRY_FAR, HISTORY_UNEXPLAINED, number, 1,
		    "an entry's time is more than 4 hours from its batch's");
	a->bare +=
	    item->aside_len == 0 && entry_kind_is_client(entry_kind(item->entry, item->entry_len));
	a->named += item->aside_len != 0;
	if (item_names(item) == KMS_E_ALTERED)
		audit_find(f, AUDIT_NAMES_DIFFER, HISTORY_UNEXPLAINED, number, 1,
		    "names do not match what the entry commits to");
}

static int
clients_fault(struct audit *a, int rc)
{
	if (rc == KMS_E_TOO_LARGE)
		return fault_set(a->fault, rc, "it has more than %d pools", AUDIT_POOLS);
	return fault_set(a->fault, rc, "not enough memory for its clients");
}

static int
take_client(struct audit *a, const struct item *item)
{
	uint64_t number = a->batch.header.number;
	struct audit_report *out = a->out;
	struct entry_client e;
	struct audit_act act;
	bool ours, period, covered;
	int rc;

	if (entry_client_decode(&e, item->entry, item->entry_len) != KMS_OK)
		return KMS_OK;
	ours = audit_documents_ours(&a->documents, e.publisher);
	period = ours && e.time >= a->opt->from && e.time <= a->opt->to;
	rc = audit_clients_act(&a->clients, &e, number, ours, period, &act);
	if (rc != KMS_OK)
		return clients_fault(a, rc);
	if (!ours || (e.kind != ENTRY_LEASE && e.kind != ENTRY_SEEN))
		return KMS_OK;
	audit_rules_entry(
	    &a->rules, &e, number, &act, &a->clients.recount, &out->findings, &covered);
	out->leases += period && e.kind == ENTRY_LEASE;
	out->beyond += period && !covered;
	return KMS_OK;
}

static int
take_admin(struct audit *a, const struct item *item)
{
	const struct certificate *host = &a->documents.certificates[0];
	struct audit_findings *f = &a->out->findings;
	struct entry_admin e;

	if (entry_admin_decode(&e, item->entry, item->entry_len) != KMS_OK)
		return KMS_OK;
	audit_documents_entry(&a->documents, &e, a->batch.header.number, f);
	if (e.kind == ENTRY_POLICY)
		audit_rules_policy(&a->rules, &e);
	if (audit_history_entry(&a->history, &a->batch.header, &e, host->sign_pk, f) != KMS_OK)
		return fault_set(a->fault, KMS_E_NO_MEMORY, "not enough memory for its entries");
	return KMS_OK;
}

static int
take_about(struct audit *a, const struct item *item)
{
	uint64_t number = a->batch.header.number;
	struct entry_about e;
	bool late;
	int rc;

	if (entry_about_decode(&e, item->entry, item->entry_len) != KMS_OK)
		return KMS_OK;
	if ((rc = audit_clients_about(&a->clients, &e, number, &late)) != KMS_OK)
		return clients_fault(a, rc);
	if (late)
		audit_find(&a->out->findings, AUDIT_UNCOUNTED, HISTORY_UNEXPLAINED, number, 1,
		    "an entry that ends a seat is through a lower sequence number than the client had before");
	return KMS_OK;
}

static int
take_entry(struct audit *a, const struct item *item)
{
	int rc = entry_check(item->entry, item->entry_len), kind;

	if (rc != KMS_OK)
		return fault_set(a->fault, rc == KMS_E_SCHEMA ? rc : KMS_E_FORMAT,
		    rc == KMS_E_SCHEMA
			? "batch %llu: it contains an entry by another version of kmsd, which this kmsissue does not know"
			: "batch %llu: an entry is malformed",
		    (unsigned long long)a->batch.header.number);
	check_item(a, item);
	kind = entry_kind(item->entry, item->entry_len);
	if (entry_kind_is_client(kind))
		return take_client(a, item);
	return entry_kind_is_about(kind) ? take_about(a, item) : take_admin(a, item);
}

/* -- batches -- */

static int
check_root(struct audit *a)
{
	const struct audit_batch *b = &a->batch;
	uint8_t root[MERKLE_HASH];

	merkle_tree_reset(a->tree);
	for (uint32_t i = 0; i < b->header.size; i++) {
		uint8_t leaf[MERKLE_HASH];

		merkle_leaf(leaf, b->items[i].entry, b->items[i].entry_len);
		if (merkle_tree_add(a->tree, leaf) != KMS_OK)
			return fault_set(a->fault, KMS_E_TOO_LARGE, "a batch has too many entries");
	}
	merkle_tree_close(a->tree, root);
	if (memcmp(root, b->header.root, sizeof(root)) != 0)
		return fault_set(a->fault, KMS_E_ALTERED,
		    "batch %llu (offset %llu): its entries differ from those that were signed",
		    (unsigned long long)b->header.number, (unsigned long long)b->offset);
	return KMS_OK;
}

static int
check_signature(struct audit *a)
{
	const struct audit_batch *b = &a->batch;

	if (memcmp(b->header.host_id, a->documents.host, 16) != 0)
		return fault_set(a->fault, KMS_E_UNKNOWN_HOST,
		    "batch %llu (offset %llu) belongs to another host than the certificate",
		    (unsigned long long)b->header.number, (unsigned long long)b->offset);
	/* One host id means one signing key: the id is a hash of the key. */
	if (batch_verify(b->header_octets, b->signature, a->documents.certificates[0].sign_pk) !=
	    KMS_OK)
		return fault_set(a->fault, KMS_E_SIGNATURE,
		    "batch %llu (offset %llu): the host's signature does not verify",
		    (unsigned long long)b->header.number, (unsigned long long)b->offset);
	return KMS_OK;
}

static int
check_chain(struct audit *a)
{
	const struct batch_header *h = &a->batch.header;
	const struct audit_report *out = a->out;

	if (out->batches == 0) {
		if (h->number > 1)
			return KMS_OK;
		if (h->number == 1 && sodium_is_zero(h->previous, sizeof(h->previous)))
			return KMS_OK;
		return fault_set(a->fault, KMS_E_CHAIN,
		    "its first batch is not the first of a journal: it names a batch before it");
	}
	if (h->number == out->last + 1 && memcmp(h->previous, a->hash, 32) == 0)
		return KMS_OK;
	if (h->number <= out->last)
		return fault_set(a->fault, KMS_E_CHAIN, "batch %llu follows batch %llu",
		    (unsigned long long)h->number, (unsigned long long)out->last);
	if (h->number > out->last + 1)
		return fault_set(a->fault, KMS_E_CHAIN,
		    "batch %llu is missing: batch %llu follows batch %llu",
		    (unsigned long long)out->last + 1, (unsigned long long)h->number,
		    (unsigned long long)out->last);
	return fault_set(a->fault, KMS_E_CHAIN,
	    "batch %llu does not follow batch %llu: the hashes differ",
	    (unsigned long long)h->number, (unsigned long long)out->last);
}

/* Checks the known batches, if this is one of them or the one after. */
static int
check_known(struct audit *a)
{
	uint64_t number = a->batch.header.number;

	for (unsigned i = 0; i < a->opt->known_count; i++) {
		const struct audit_known *k = &a->opt->known[i];
		const uint8_t *hash = number == k->number ? a->hash : a->batch.header.previous;

		if ((number == k->number || number == k->number + 1) &&
		    memcmp(hash, k->hash, 32) != 0)
			return fault_set(a->fault, KMS_E_CHAIN,
			    "batch %llu differs from the known batch: the journal was replaced, there or earlier. If the host was restored, ask why, and take the file with --override REASON",
			    (unsigned long long)k->number);
	}
	return KMS_OK;
}

static void
take_header(struct audit *a)
{
	const struct batch_header *h = &a->batch.header;
	struct audit_report *out = a->out;

	if (out->batches++ == 0) {
		out->first = h->number;
		out->first_time = h->time;
		a->rules.whole = h->number == 1;
	}
	out->last = h->number;
	out->last_time = h->time;
	out->entries += h->size;
}

static int
take_batch(struct audit *a)
{
	const struct audit_batch *b = &a->batch;
	int rc;

	if ((rc = check_signature(a)) != KMS_OK || (rc = check_chain(a)) != KMS_OK ||
	    (rc = check_root(a)) != KMS_OK)
		return rc;
	batch_header_hash(a->hash, b->header_octets);
	if ((rc = check_known(a)) != KMS_OK)
		return rc;
	take_header(a);
	if (audit_history_begin(&a->history, &b->header, b->header_octets) != KMS_OK)
		return fault_set(a->fault, KMS_E_NO_MEMORY, "not enough memory for its batches");
	for (uint32_t i = 0; i < b->header.size; i++)
		if ((rc = take_entry(a, &b->items[i])) != KMS_OK)
			return rc;
	audit_history_end(&a->history, &b->header, &a->out->findings);
	return KMS_OK;
}

static int
take_batches(struct audit *a, struct audit_reader *r)
{
	int rc;

	if ((a->tree = merkle_tree_new(AUDIT_ENTRIES)) == NULL)
		return fault_set(a->fault, KMS_E_NO_MEMORY, "not enough memory");
	while ((rc = audit_next_batch(r, &a->batch)) == KMS_OK)
		if ((rc = take_batch(a)) != KMS_OK)
			break;
	if (rc == KMS_E_NOT_FOUND)
		return KMS_OK;
	return fault_set(a->fault, rc, "%s batch %llu",
	    rc == KMS_E_TRUNCATED ? "it is cut off after" : "something other than a batch follows",
	    (unsigned long long)a->out->last);
}

/* -- the whole -- */

/* Does the file reach each known batch? What it begins with is proved by batch 1 or by one. */
static int
check_range(struct audit *a)
{
	const struct audit_options *opt = a->opt;
	struct audit_report *out = a->out;

	if (out->batches == 0)
		return fault_set(a->fault, KMS_E_MISSING, "it contains no batch");
	out->beginning = out->first == 1 ? BEGINNING_BATCH_1 : BEGINNING_NOT_PROVED;
	for (unsigned i = 0; i < opt->known_count; i++) {
		uint64_t known = opt->known[i].number;

		if (out->last < known)
			return fault_set(a->fault, KMS_E_MISSING,
			    "it ends with batch %llu, but batch %llu is known: the end was cut off, or the file is older than the last audit (to look at an older one, give -P and no --last)",
			    (unsigned long long)out->last, (unsigned long long)known);
		if (out->first > known + 1)
			return fault_set(a->fault, KMS_E_MISSING,
			    "it begins with batch %llu: batches after the known batch %llu are missing: ask for an export that begins earlier (kmsctl audit export --from)",
			    (unsigned long long)out->first, (unsigned long long)known);
		if (out->beginning == BEGINNING_NOT_PROVED) {
			out->beginning = BEGINNING_KNOWN;
			out->joined = known;
		}
	}
	memcpy(out->last_hash, a->hash, 32);
	out->closed = out->last_time > opt->to;
	return KMS_OK;
}

/* The head is not signed: what it says is compared with what is proved. */
static void
check_head(struct audit *a, const struct audit_head *h)
{
	const struct audit_report *out = a->out;
	struct audit_findings *f = &a->out->findings;

	if (memcmp(h->host, out->host, sizeof(h->host)) != 0)
		audit_find(
		    f, AUDIT_HEAD_HOST, HISTORY_UNEXPLAINED, 0, 1, "the head names another host");
	if (h->first != out->first || h->last != out->last)
		audit_find(f, AUDIT_HEAD_BATCHES, HISTORY_UNEXPLAINED, 0, 1,
		    "the head names batches %llu to %llu, but the file has %llu to %llu",
		    (unsigned long long)h->first, (unsigned long long)h->last,
		    (unsigned long long)out->first, (unsigned long long)out->last);
	if (h->names && a->bare > 0 && a->named == 0)
		audit_find(f, AUDIT_HEAD_NAMES, HISTORY_UNEXPLAINED, 0, 1,
		    "the head says that the file has names, but it has none");
	if (h->to < h->from || (out->first > 1 && out->first_time >= h->from && out->batches > 1))
		audit_find(f, AUDIT_HEAD_PERIOD, HISTORY_UNEXPLAINED, 0, 1,
		    "the head names a period that the file does not cover from its beginning");
}

/* A host has its journal before it can be confirmed: a later one is not its first. */
static void
check_begun(struct audit *a)
{
	const struct audit_report *out = a->out;
	uint64_t since = audit_documents_since(&a->documents);

	if (a->opt->confirmed != 0 && a->opt->confirmed < since)
		since = a->opt->confirmed;
	if (out->first == 1 && out->first_time > since && out->first_time - since > BATCH_SKEW)
		audit_find(&a->out->findings, AUDIT_BEGUN_ANEW, HISTORY_UNEXPLAINED, 1, 1,
		    "the journal was begun anew: its first batch is %llu hours later than the host's first confirmation",
		    (unsigned long long)((out->first_time - since) / 3600));
}

static int
finish(struct audit *a, const struct audit_head *head)
{
	struct audit_report *out = a->out;
	struct audit_documents *d = &a->documents;
	unsigned skip = d->count > AUDIT_CERTIFICATES ? d->count - AUDIT_CERTIFICATES : 0;
	int rc;

	out->certificate_count = d->count - skip;
	memcpy(out->certificates, d->certificates + skip,
	    out->certificate_count * sizeof(out->certificates[0]));
	check_head(a, head);
	check_begun(a);
	audit_documents_findings(d, out->first == 1, head->to == UINT64_MAX, &out->findings);
	audit_history_findings(
	    &a->history, out->host, a->opt->leases, a->opt->lease_count, &out->findings);
	audit_clients_findings(&a->clients, &out->findings);
	audit_findings_sort(&out->findings);
	rc = audit_clients_count(&a->clients, &out->clients, out->products, &out->product_count);
	if (rc == KMS_E_TOO_LARGE)
		return fault_set(a->fault, rc, "it has more than %d products", AUDIT_PRODUCTS);
	if (rc != KMS_OK || (rc = audit_clients_close(&a->clients)) != KMS_OK ||
	    (rc = audit_report_days(out, &a->clients.recount, a->opt->from, a->opt->to)) != KMS_OK)
		return fault_set(a->fault, rc, "not enough memory for its clients");
	return KMS_OK;
}

static int
read_head(struct audit_reader *r, const void *data, size_t len, struct fault *fault)
{
	int rc = audit_reader_init(r, data, len);

	if (rc == KMS_E_SCHEMA && r->head.version != AUDIT_VERSION)
		fault_version(
		    fault, &(struct fault_version){ .what = "audit file",
			       .found = r->head.version,
			       .known = AUDIT_VERSION,
			       .reader = "kmsissue",
			       .next = "Use the kmsissue that came with the customer's kmsd" });
	else if (rc == KMS_E_SCHEMA)
		fault_set(fault, rc,
		    "it has a flag that this kmsissue %s does not know: use a newer one",
		    PACKAGE_VERSION);
	else if (rc != KMS_OK)
		fault_set(fault, rc, "it is not an audit file");
	return rc;
}

static int
run(struct audit *a, const void *data, size_t len)
{
	const struct audit_options *opt = a->opt;
	struct audit_reader r;
	int rc;

	if ((rc = read_head(&r, data, len, a->fault)) != KMS_OK ||
	    (rc = audit_documents_read(&a->documents, &opt->publisher, &r, a->fault)) != KMS_OK)
		return rc;
	a->out->names = r.head.names;
	memcpy(a->out->host, a->documents.host, sizeof(a->out->host));
	if (opt->have_host && memcmp(opt->host, a->out->host, 16) != 0)
		return fault_set(a->fault, KMS_E_UNKNOWN_HOST, "it is the journal of another host");
	if ((rc = take_batches(a, &r)) != KMS_OK || (rc = check_range(a)) != KMS_OK)
		return rc;
	return finish(a, &r.head);
}

int
audit_verify(struct audit_report *out, const struct audit_options *opt, const void *data,
    size_t len, struct fault *fault)
{
	struct audit *a = calloc(1, sizeof(*a));
	int rc;

	memset(out, 0, sizeof(*out));
	if (a == NULL)
		return KMS_E_NO_MEMORY;
	a->opt = opt;
	a->out = out;
	a->fault = fault;
	a->rules = (struct audit_rules){ &a->documents, opt->packs, opt->pack_count, NULL, false };
	audit_clients_init(&a->clients);
	audit_history_init(&a->history, data);
	rc = run(a, data, len);
	merkle_tree_free(a->tree);
	audit_history_free(&a->history);
	audit_clients_free(&a->clients);
	audit_documents_free(&a->documents);
	free(a);
	if (rc != KMS_OK)
		audit_report_free(out);
	return rc;
}

int
audit_host(uint8_t host[16], const struct minisig_key *publisher, const void *data, size_t len,
    struct fault *fault)
{
	struct audit_documents d = { 0 };
	struct audit_reader r;
	int rc = read_head(&r, data, len, fault);

	if (rc == KMS_OK && (rc = audit_documents_read(&d, publisher, &r, fault)) == KMS_OK)
		memcpy(host, d.host, 16);
	audit_documents_free(&d);
	return rc;
}
