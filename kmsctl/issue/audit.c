/*
 * audit.c - see audit.h. Trust follows one path: publisher's key, certificate, the host's signing
 * key in it, batch header, root, entries; and from header to header by hash. Anything in the file
 * outside this path does not count.
 */
#include "kmsctl/issue/audit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/issue/audit_base.h"
#include "kmsctl/ledger/audit_file.h"
#include "libkms/core/entry.h"
#include "libkms/core/fast_sha256.h"
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
	struct audit_base base;
	struct merkle_tree *tree;
	struct audit_batch batch;
	struct audit_in_part {
		uint64_t batches, first, last, first_time;
		uint8_t hash[32];     /* of its last batch */
		uint64_t bare, named; /* entries of clients without an aside, entries with one */
	} part;                       /* the file that is being read */
	struct entry_about reclaim;   /* the last, whose winner has no entry in the batch yet */
	bool reclaimed;               /* there is one */
};

/* -- entries -- */

/* The name beside an entry must be the one that the entry commits to. */
static void
check_item(struct audit *a, const struct item *item, bool again)
{
	uint64_t number = a->batch.header.number;
	struct audit_findings *f = &a->out->findings;

	if (!again &&
	    !batch_time_near(entry_time(item->entry, item->entry_len), a->batch.header.time))
		audit_find(f, AUDIT_ENTRY_FAR, HISTORY_UNEXPLAINED, number, 1,
		    "an entry's time differs by more than 4 hours from the time of its batch");
	a->part.bare +=
	    item->aside_len == 0 && entry_kind_is_client(entry_kind(item->entry, item->entry_len));
	a->part.named += item->aside_len != 0;
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

/* The seat was taken from a client for another one, whose entry follows in the batch. */
static void
settle_reclaim(struct audit *a, const struct entry_client *e)
{
	const struct entry_about *r = &a->reclaim;

	if (!a->reclaimed)
		return;
	a->reclaimed = false;
	if (e != NULL && (e->kind == ENTRY_LEASE || e->kind == ENTRY_SEEN) && e->pool == r->pool &&
	    memcmp(e->cmid, r->other, 16) == 0 && memcmp(e->publisher, r->publisher, 8) == 0)
		return;
	if (audit_documents_ours(&a->documents, r->publisher))
		audit_find(&a->out->findings, AUDIT_RECLAIM, HISTORY_UNEXPLAINED,
		    a->batch.header.number, 1,
		    "a seat was taken back, but the next entry is not of the client that gets the seat");
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
	settle_reclaim(a, &e);
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
	if (a->opt->together != NULL && audit_together_seat(a->opt->together, &e) != KMS_OK)
		return clients_fault(a, KMS_E_NO_MEMORY);
	return KMS_OK;
}

static int
take_admin(struct audit *a, const struct item *item)
{
	const struct certificate *host = &a->documents.certificates[0];
	struct audit_findings *f = &a->out->findings;
	struct entry_admin e;

	settle_reclaim(a, NULL);
	if (entry_admin_decode(&e, item->entry, item->entry_len) != KMS_OK)
		return KMS_OK;
	if (e.kind == ENTRY_BASE)
		audit_base_entry(&a->base, &e, a->batch.header.number, host->sign_pk);
	audit_documents_entry(&a->documents, &e, a->batch.header.number, f);
	if (e.time >= a->opt->from && e.time <= a->opt->to)
		audit_refusals_entry(&a->out->refusals, &a->documents, &e);
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
	settle_reclaim(a, NULL);
	if ((rc = audit_clients_about(&a->clients, &e, number, &late)) != KMS_OK)
		return clients_fault(a, rc);
	a->reclaimed = e.kind == ENTRY_RECLAIM;
	a->reclaim = e;
	if (late)
		audit_find(&a->out->findings, AUDIT_UNCOUNTED, HISTORY_UNEXPLAINED, number, 1,
		    "an entry that ends a seat names a lower sequence number than the client had before");
	return KMS_OK;
}

/* again: of a batch that an earlier file has, too. */
static int
take_entry(struct audit *a, const struct item *item, bool again)
{
	int rc = entry_check(item->entry, item->entry_len), kind;

	if (rc != KMS_OK)
		return fault_set(a->fault, rc == KMS_E_SCHEMA ? rc : KMS_E_FORMAT,
		    rc == KMS_E_SCHEMA
			? "batch %llu: it contains an entry by another version of kmsd, which this kmsissue does not know"
			: "batch %llu: an entry is malformed",
		    (unsigned long long)a->batch.header.number);
	check_item(a, item, again);
	if (again)
		return KMS_OK;
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
		if (merkle_tree_add_entry(a->tree, b->items[i].entry, b->items[i].entry_len) !=
		    KMS_OK)
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

/* The first batch of a file: after it the chain goes on, if there was a file before. */
static int
check_first(struct audit *a)
{
	const struct batch_header *h = &a->batch.header;
	const struct audit_report *out = a->out;

	if (h->number == 1 && !sodium_is_zero(h->previous, sizeof(h->previous)))
		return fault_set(a->fault, KMS_E_CHAIN,
		    "its first batch is not the first of a journal: it names a batch before it");
	if (out->batches == 0 || h->number <= out->last)
		return KMS_OK;
	if (h->number > out->last + 1)
		return fault_set(a->fault, KMS_E_MISSING,
		    "it begins with batch %llu, and no file of this host has the batches from %llu on: ask for an export that begins earlier (kmsctl audit export --from)",
		    (unsigned long long)h->number, (unsigned long long)out->last + 1);
	if (memcmp(h->previous, out->last_hash, sizeof(h->previous)) == 0)
		return KMS_OK;
	return fault_set(a->fault, KMS_E_CHAIN,
	    "batch %llu does not follow batch %llu of the file before: the hashes differ",
	    (unsigned long long)h->number, (unsigned long long)out->last);
}

static int
check_chain(struct audit *a)
{
	const struct batch_header *h = &a->batch.header;
	const struct audit_in_part *p = &a->part;

	if (p->batches == 0)
		return check_first(a);
	if (h->number == p->last + 1 && memcmp(h->previous, p->hash, 32) == 0)
		return KMS_OK;
	if (h->number <= p->last)
		return fault_set(a->fault, KMS_E_CHAIN, "batch %llu follows batch %llu",
		    (unsigned long long)h->number, (unsigned long long)p->last);
	if (h->number > p->last + 1)
		return fault_set(a->fault, KMS_E_CHAIN,
		    "batch %llu is missing: batch %llu follows batch %llu",
		    (unsigned long long)p->last + 1, (unsigned long long)h->number,
		    (unsigned long long)p->last);
	return fault_set(a->fault, KMS_E_CHAIN,
	    "batch %llu does not follow batch %llu: the hashes differ",
	    (unsigned long long)h->number, (unsigned long long)p->last);
}

/* Does an earlier file have the batch, too? *again is the answer. */
static int
check_again(struct audit *a, bool *again)
{
	uint64_t number = a->batch.header.number;

	*again = a->out->batches > 0 && number <= a->out->last;
	if (!*again || audit_history_place(&a->history, number, a->part.hash) == LEASE_IN_CHAIN)
		return KMS_OK;
	return fault_set(a->fault, KMS_E_CHAIN,
	    "batch %llu differs from the batch of this number in an earlier file of this host",
	    (unsigned long long)number);
}

/* Checks the known batches, if this is one of them or the one after. */
static int
check_known(struct audit *a)
{
	uint64_t number = a->batch.header.number;

	for (unsigned i = 0; i < a->opt->known_count; i++) {
		const struct audit_known *k = &a->opt->known[i];
		const uint8_t *hash = number == k->number ? a->part.hash : a->batch.header.previous;

		if ((number == k->number || number == k->number + 1) &&
		    memcmp(hash, k->hash, 32) != 0)
			return fault_set(a->fault, KMS_E_CHAIN,
			    "batch %llu differs from the known batch: the journal was replaced, there or earlier. If the host was restored, ask why, and take the file with --override REASON",
			    (unsigned long long)k->number);
	}
	return KMS_OK;
}

static void
take_part(struct audit *a)
{
	const struct batch_header *h = &a->batch.header;
	struct audit_in_part *p = &a->part;

	if (p->batches++ == 0) {
		p->first = h->number;
		p->first_time = h->time;
	}
	p->last = h->number;
	batch_header_hash(p->hash, a->batch.header_octets);
}

static void
take_header(struct audit *a)
{
	const struct batch_header *h = &a->batch.header;
	struct audit_report *out = a->out;

	audit_base_batch(&a->base, h);
	if (out->batches++ == 0) {
		audit_base_first(&a->base, h);
		out->first = h->number;
		out->first_time = h->time;
		a->rules.whole = h->number == 1;
	}
	out->last = h->number;
	out->last_time = h->time;
	memcpy(out->last_hash, a->part.hash, sizeof(out->last_hash));
	out->entries += h->size;
}

/* Its header is of the chain. */
static int
take_entries(struct audit *a)
{
	const struct audit_batch *b = &a->batch;
	int rc = KMS_OK;

	take_header(a);
	if (audit_history_begin(&a->history, &b->header, b->header_octets) != KMS_OK)
		return fault_set(a->fault, KMS_E_NO_MEMORY, "not enough memory for its batches");
	for (uint32_t i = 0; i < b->header.size && rc == KMS_OK; i++)
		rc = take_entry(a, &b->items[i], false);
	if (rc != KMS_OK)
		return rc;
	settle_reclaim(a, NULL);
	audit_history_end(&a->history, &b->header, &a->out->findings);
	return KMS_OK;
}

static int
take_batch(struct audit *a)
{
	const struct audit_batch *b = &a->batch;
	bool again;
	int rc;

	if ((rc = check_signature(a)) != KMS_OK || (rc = check_chain(a)) != KMS_OK ||
	    (rc = check_root(a)) != KMS_OK)
		return rc;
	take_part(a);
	if ((rc = check_again(a, &again)) != KMS_OK || (rc = check_known(a)) != KMS_OK)
		return rc;
	if (!again)
		return take_entries(a);
	for (uint32_t i = 0; i < b->header.size && rc == KMS_OK; i++)
		rc = take_entry(a, &b->items[i], true);
	return rc;
}

static int
take_batches(struct audit *a, struct audit_reader *r)
{
	int rc;

	while ((rc = audit_next_batch(r, &a->batch)) == KMS_OK)
		if ((rc = take_batch(a)) != KMS_OK)
			return rc;
	if (rc != KMS_E_NOT_FOUND)
		return fault_set(a->fault, rc, "%s batch %llu",
		    rc == KMS_E_TRUNCATED ? "it is cut off after"
					  : "something other than a batch follows",
		    (unsigned long long)a->part.last);
	if (a->part.batches == 0)
		return fault_set(a->fault, KMS_E_MISSING, "it contains no batch");
	return KMS_OK;
}

/* -- the whole -- */

/* Seconds that the packs which were given ask for; without one, what a pack asks for by itself. */
static uint64_t
least_kept(const struct audit_options *opt)
{
	uint64_t least = opt->pack_count == 0 ? POLICY_AUDIT_KEEP : 0;

	for (unsigned i = 0; i < opt->pack_count; i++)
		if (opt->packs[i].pack->audit_keep > least)
			least = opt->packs[i].pack->audit_keep;
	return least * 60;
}

/* Does the file reach each known batch? What it begins with is proved by batch 1 or by one. */
static int
check_range(struct audit *a)
{
	const struct audit_options *opt = a->opt;
	struct audit_report *out = a->out;

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
	if (audit_base_end(&a->base, least_kept(opt), &out->findings) &&
	    out->beginning == BEGINNING_NOT_PROVED)
		out->beginning = BEGINNING_BASE;
	out->closed = out->last_time > opt->to;
	return KMS_OK;
}

/* The head is not signed: what it says is compared with what is proved. */
static void
check_head(struct audit *a, const struct audit_head *h)
{
	const struct audit_in_part *p = &a->part;
	struct audit_findings *f = &a->out->findings;

	if (memcmp(h->host, a->out->host, sizeof(h->host)) != 0)
		audit_find(
		    f, AUDIT_HEAD_HOST, HISTORY_UNEXPLAINED, 0, 1, "the head names another host");
	if (h->first != p->first || h->last != p->last)
		audit_find(f, AUDIT_HEAD_BATCHES, HISTORY_UNEXPLAINED, 0, 1,
		    "the head names batches %llu to %llu, but the file has %llu to %llu",
		    (unsigned long long)h->first, (unsigned long long)h->last,
		    (unsigned long long)p->first, (unsigned long long)p->last);
	if (h->names && p->bare > 0 && p->named == 0)
		audit_find(f, AUDIT_HEAD_NAMES, HISTORY_UNEXPLAINED, 0, 1,
		    "the head says that the file has names, but it has none");
	if (h->to < h->from || (p->first > 1 && p->first_time >= h->from && p->batches > 1))
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

/* What a batch of another chain of this host means beside this one. */
static void
audit_rival(struct audit *a, struct audit_rival *rival)
{
	rival->grade = audit_history_rival(&a->history, rival->number, rival->time, rival->hash);
}

/* whole: the files say that they have the journal to its end, with all its documents. */
static int
finish(struct audit *a, bool whole)
{
	struct audit_report *out = a->out;
	struct audit_documents *d = &a->documents;
	unsigned skip = d->count > AUDIT_CERTIFICATES ? d->count - AUDIT_CERTIFICATES : 0;
	int rc;

	out->certificate_count = d->count - skip;
	memcpy(out->certificates, d->certificates + skip,
	    out->certificate_count * sizeof(out->certificates[0]));
	check_begun(a);
	audit_documents_findings(d, out->first == 1, whole, &out->findings);
	audit_history_findings(
	    &a->history, out->host, a->opt->leases, a->opt->lease_count, &out->findings);
	for (size_t i = 0; i < a->opt->rival_count; i++)
		audit_rival(a, &a->opt->rivals[i]);
	audit_clients_findings(&a->clients, &out->findings);
	audit_findings_sort(&out->findings);
	rc = audit_clients_count(&a->clients, &out->clients, out->products, &out->product_count);
	if (rc == KMS_E_TOO_LARGE)
		return fault_set(a->fault, rc, "it has more than %d products", AUDIT_PRODUCTS);
	if (rc != KMS_OK || (rc = audit_clients_close(&a->clients)) != KMS_OK ||
	    (rc = audit_report_days(out, &a->clients.recount, a->opt->from, a->opt->to)) !=
		KMS_OK ||
	    (a->opt->together != NULL &&
		(rc = audit_together_take(a->opt->together, d, &a->clients, out)) != KMS_OK))
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

/* The documents of all files, whose readers are then at their first batches. */
static int
read_documents(struct audit *a, struct audit_reader *readers, const struct audit_part *parts,
    size_t count, bool *whole)
{
	struct audit_documents more;
	unsigned last = 0;
	int rc = KMS_OK;

	for (size_t i = 0; i < count && rc == KMS_OK; i++) {
		a->out->part = i;
		if ((rc = read_head(&readers[i], parts[i].data, parts[i].len, a->fault)) != KMS_OK)
			break;
		a->out->names = a->out->names || readers[i].head.names;
		if (i == 0) {
			rc = audit_documents_read(
			    &a->documents, &a->opt->publisher, &readers[i], a->fault);
			last = a->documents.count;
			continue;
		}
		rc = audit_documents_read(&more, &a->opt->publisher, &readers[i], a->fault);
		if (rc == KMS_OK)
			rc = audit_documents_join(&a->documents, &more, a->fault);
		last = more.count;
		audit_documents_free(&more);
	}
	*whole =
	    count > 0 && readers[count - 1].head.to == UINT64_MAX && last == a->documents.count;
	return rc;
}

static int
read_parts(
    struct audit *a, struct audit_reader *readers, const struct audit_part *parts, size_t count)
{
	const struct audit_options *opt = a->opt;
	bool whole;
	int rc = read_documents(a, readers, parts, count, &whole);

	if (rc != KMS_OK)
		return rc;
	memcpy(a->out->host, a->documents.host, sizeof(a->out->host));
	if (opt->have_host && memcmp(opt->host, a->out->host, 16) != 0)
		return fault_set(a->fault, KMS_E_UNKNOWN_HOST, "it is the journal of another host");
	if ((a->tree = merkle_tree_with(AUDIT_ENTRIES, fast_sha256)) == NULL)
		return fault_set(a->fault, KMS_E_NO_MEMORY, "not enough memory");
	for (size_t i = 0; i < count; i++) {
		a->out->part = i;
		a->part = (struct audit_in_part){ 0 };
		if ((rc = take_batches(a, &readers[i])) != KMS_OK)
			return rc;
		check_head(a, &readers[i].head);
	}
	if ((rc = check_range(a)) != KMS_OK)
		return rc;
	return finish(a, whole);
}

static int
run(struct audit *a, const struct audit_part *parts, size_t count)
{
	struct audit_reader *readers = calloc(count + 1, sizeof(*readers));
	int rc = readers != NULL ? read_parts(a, readers, parts, count)
				 : fault_set(a->fault, KMS_E_NO_MEMORY, "not enough memory");

	free(readers);
	return rc;
}

int
audit_verify(struct audit_report *out, const struct audit_options *opt,
    const struct audit_part *parts, size_t count, struct fault *fault)
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
	if (opt->together != NULL)
		a->clients.recount.spans = &opt->together->spans;
	rc = run(a, parts, count);
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
