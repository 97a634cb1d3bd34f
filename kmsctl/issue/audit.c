/*
 * audit.c - see audit.h. Trust follows one path: publisher's key, certificate, the host's signing
 * key in it, batch header, root, entries; and from header to header by hash. Anything in the file
 * outside this path does not count.
 */
#include "kmsctl/issue/audit.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/ledger/audit_file.h"
#include "libkms/core/entry.h"
#include "libkms/core/merkle.h"
#include "libkms/core/publisher_keys.h"
#include "libkms/kms_error.h"

struct seat {
	uint8_t product[16];
	uint8_t cmid[16];
};

struct audit {
	const struct audit_options *opt;
	struct audit_report *out;
	struct fault *fault;
	struct publisher_keys publisher;
	struct audit_batch batch;
	uint8_t hash[32]; /* of the batch before */
	struct seat *seats;
	size_t count, room;
	uint64_t bare, named;          /* entries of clients without an aside, entries with one */
	uint64_t certificates, serial; /* how many there were, and the number of the last */
};

static void __attribute__((format(printf, 3, 4)))
find(struct audit *a, uint64_t batch, const char *fmt, ...)
{
	struct audit_report *out = a->out;
	struct audit_finding *f;
	va_list ap;

	if (out->finding_count++ >= AUDIT_FINDINGS)
		return;
	f = &out->findings[out->finding_count - 1];
	f->batch = batch;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

/* -- documents -- */

static int
take_certificate(struct audit *a, const struct audit_document *d)
{
	struct audit_report *out = a->out;
	struct certificate cert;
	int rc = publisher_keys_certificate(&a->publisher, &cert, d->octets, d->len, NULL);

	if (rc == KMS_E_PUBLISHER)
		return fault_set(
		    a->fault, rc, "it contains a host certificate of another publisher");
	if (rc != KMS_OK)
		return fault_set(a->fault, rc,
		    "it contains a host certificate that does not verify: %s",
		    kms_strerror((uint32_t)rc));
	if (a->certificates++ > 0 && cert.serial <= a->serial)
		return fault_set(a->fault, KMS_E_FORMAT,
		    "its host certificates are not in the order of their numbers");
	a->serial = cert.serial;
	if (out->certificate_count > 0 && memcmp(cert.host_id, out->host, 16) != 0)
		return fault_set(
		    a->fault, KMS_E_UNKNOWN_HOST, "it contains certificates of two hosts");
	memcpy(out->host, cert.host_id, 16);
	if (out->certificate_count == AUDIT_CERTIFICATES)
		memmove(out->certificates, out->certificates + 1,
		    (--out->certificate_count) * sizeof(cert));
	out->certificates[out->certificate_count++] = cert;
	return KMS_OK;
}

/* Rotations first: they determine whose certificates count. */
static int
take_rotations(struct audit *a, struct audit_reader r)
{
	uint8_t chain[ROTATION_CHAIN_MAX][ROTATION_SIZE];
	struct audit_document d;
	unsigned count = 0;

	while (audit_next_document(&r, &d) == KMS_OK) {
		if (d.kind != AUDIT_ROTATION)
			continue;
		if (count == ROTATION_CHAIN_MAX)
			return fault_set(a->fault, KMS_E_LIMIT,
			    "it contains more than %d key rotations", ROTATION_CHAIN_MAX);
		if (d.len != ROTATION_SIZE)
			return fault_set(
			    a->fault, KMS_E_FORMAT, "it contains a key rotation of a wrong length");
		memcpy(chain[count++], d.octets, ROTATION_SIZE);
	}
	if (publisher_keys_chain(&a->publisher, chain[0], count) != KMS_OK)
		return fault_set(a->fault, KMS_E_SIGNATURE,
		    "it contains a key rotation of another publisher, or an altered one");
	return KMS_OK;
}

static int
take_documents(struct audit *a, struct audit_reader *r)
{
	struct audit_document d;
	bool rotations = false;
	int rc = take_rotations(a, *r);

	if (rc != KMS_OK)
		return rc;
	while ((rc = audit_next_document(r, &d)) == KMS_OK) {
		if (d.kind == AUDIT_CERTIFICATE && rotations)
			return fault_set(a->fault, KMS_E_FORMAT,
			    "a host certificate is behind the key rotations");
		rotations = rotations || d.kind == AUDIT_ROTATION;
		if (d.kind == AUDIT_CERTIFICATE && (rc = take_certificate(a, &d)) != KMS_OK)
			return rc;
	}
	if (rc == KMS_E_TRUNCATED)
		return fault_set(a->fault, rc, "it ends in the middle of its documents");
	if (rc != KMS_E_NOT_FOUND)
		return fault_set(a->fault, rc,
		    "it contains a document of a kind that this kmsissue does not know");
	if (a->out->certificate_count == 0)
		return fault_set(a->fault, KMS_E_NOT_CONFIRMED, "it contains no host certificate");
	if (a->opt->have_host && memcmp(a->opt->host, a->out->host, 16) != 0)
		return fault_set(a->fault, KMS_E_UNKNOWN_HOST, "it is the journal of another host");
	return KMS_OK;
}

/* -- entries -- */

static bool
covered(const struct audit_report *out, const struct entry_client *e)
{
	for (unsigned i = 0; i < out->certificate_count; i++) {
		const struct certificate *c = &out->certificates[i];

		if (e->time >= c->not_before && e->time <= c->not_after &&
		    certificate_covers(c, e->product))
			return true;
	}
	return false;
}

static bool
ours(const struct audit *a, const uint8_t publisher[8])
{
	return publisher_keys_find(&a->publisher, publisher) != NULL;
}

/* The name beside an entry must be the one that the entry commits to. */
static void
check_item(struct audit *a, const struct item *item)
{
	uint64_t number = a->batch.header.number;

	if (!batch_time_near(entry_time(item->entry, item->entry_len), a->batch.header.time))
		find(a, number, "an entry's time is more than 4 hours from its batch's");
	a->bare +=
	    item->aside_len == 0 && entry_kind_is_client(entry_kind(item->entry, item->entry_len));
	a->named += item->aside_len != 0;
	if (item_names(item) == KMS_E_ALTERED)
		find(a, number, "names do not match what the entry commits to");
}

static int
take_entry(struct audit *a, const struct item *item)
{
	const uint8_t *octets = item->entry;
	size_t len = item->entry_len;
	struct entry_client e;
	struct seat *grown;
	int rc;

	if ((rc = entry_check(octets, len)) != KMS_OK)
		return fault_set(a->fault, rc == KMS_E_SCHEMA ? rc : KMS_E_FORMAT,
		    rc == KMS_E_SCHEMA
			? "batch %llu: it contains an entry by another version of kmsd, which this kmsissue does not know"
			: "batch %llu: an entry is malformed",
		    (unsigned long long)a->batch.header.number);
	check_item(a, item);
	if (entry_kind(octets, len) != ENTRY_LEASE ||
	    entry_client_decode(&e, octets, len) != KMS_OK)
		return KMS_OK;
	if (!ours(a, e.publisher) || e.time < a->opt->from || e.time > a->opt->to)
		return KMS_OK;
	if (a->count == a->room) {
		a->room = a->room != 0 ? 2 * a->room : 1024;
		if ((grown = realloc(a->seats, a->room * sizeof(*grown))) == NULL)
			return fault_set(
			    a->fault, KMS_E_NO_MEMORY, "not enough memory for its clients");
		a->seats = grown;
	}
	memcpy(a->seats[a->count].product, e.product, 16);
	memcpy(a->seats[a->count++].cmid, e.cmid, 16);
	a->out->leases++;
	a->out->beyond += !covered(a->out, &e);
	return KMS_OK;
}

/* -- batches -- */

static int
check_root(struct audit *a, struct merkle_tree *tree)
{
	const struct audit_batch *b = &a->batch;
	uint8_t root[MERKLE_HASH];

	merkle_tree_reset(tree);
	for (uint32_t i = 0; i < b->header.size; i++) {
		uint8_t leaf[MERKLE_HASH];

		merkle_leaf(leaf, b->items[i].entry, b->items[i].entry_len);
		if (merkle_tree_add(tree, leaf) != KMS_OK)
			return fault_set(a->fault, KMS_E_TOO_LARGE, "a batch has too many entries");
	}
	merkle_tree_close(tree, root);
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

	if (memcmp(b->header.host_id, a->out->host, 16) != 0)
		return fault_set(a->fault, KMS_E_UNKNOWN_HOST,
		    "batch %llu (offset %llu) belongs to another host than the certificate",
		    (unsigned long long)b->header.number, (unsigned long long)b->offset);
	/* One host id means one signing key: the id is a hash of the key. */
	if (batch_verify(b->header_octets, b->signature, a->out->certificates[0].sign_pk) != KMS_OK)
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
		return fault_set(a->fault, KMS_E_CHAIN, "its first batch follows another");
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

/* Checks the known batch, if this is that batch or the one after it. */
static int
check_known(struct audit *a)
{
	const struct audit_options *opt = a->opt;
	uint64_t number = a->batch.header.number;
	const uint8_t *hash = number == opt->last ? a->hash : a->batch.header.previous;

	if (!opt->have_last || (number != opt->last && number != opt->last + 1) ||
	    memcmp(hash, opt->last_hash, 32) == 0)
		return KMS_OK;
	return fault_set(a->fault, KMS_E_CHAIN,
	    "batch %llu differs from the known batch: the journal was replaced, there or earlier",
	    (unsigned long long)opt->last);
}

static int
take_batch(struct audit *a, struct merkle_tree *tree)
{
	struct audit_report *out = a->out;
	const struct audit_batch *b = &a->batch;
	int rc;

	if ((rc = check_signature(a)) != KMS_OK || (rc = check_chain(a)) != KMS_OK ||
	    (rc = check_root(a, tree)) != KMS_OK)
		return rc;
	batch_header_hash(a->hash, b->header_octets);
	if ((rc = check_known(a)) != KMS_OK)
		return rc;
	if (out->batches++ == 0) {
		out->first = b->header.number;
		out->first_time = b->header.time;
	}
	out->last = b->header.number;
	out->last_time = b->header.time;
	out->entries += b->header.size;
	for (uint32_t i = 0; i < b->header.size; i++)
		if ((rc = take_entry(a, &b->items[i])) != KMS_OK)
			return rc;
	return KMS_OK;
}

static int
take_batches(struct audit *a, struct audit_reader *r)
{
	struct merkle_tree *tree = merkle_tree_new(AUDIT_ENTRIES);
	int rc;

	if (tree == NULL)
		return fault_set(a->fault, KMS_E_NO_MEMORY, "not enough memory");
	while ((rc = audit_next_batch(r, &a->batch)) == KMS_OK)
		if ((rc = take_batch(a, tree)) != KMS_OK)
			break;
	merkle_tree_free(tree);
	if (rc == KMS_E_NOT_FOUND)
		return KMS_OK;
	return fault_set(a->fault, rc, "%s batch %llu",
	    rc == KMS_E_TRUNCATED ? "it is cut off after" : "something other than a batch follows",
	    (unsigned long long)a->out->last);
}

/* -- the whole -- */

/* Does the file cover the period, and reach the known batch? */
static int
check_range(struct audit *a)
{
	const struct audit_options *opt = a->opt;
	struct audit_report *out = a->out;

	if (out->batches == 0)
		return fault_set(a->fault, KMS_E_MISSING, "it contains no batch");
	if (out->first > 1 && out->first_time >= opt->from)
		return fault_set(a->fault, KMS_E_MISSING,
		    "it begins with batch %llu, after the start of the period: earlier batches are missing",
		    (unsigned long long)out->first);
	if (opt->have_last && out->last < opt->last)
		return fault_set(a->fault, KMS_E_MISSING,
		    "it ends with batch %llu, but batch %llu is known: the end was cut off",
		    (unsigned long long)out->last, (unsigned long long)opt->last);
	if (opt->have_last && out->first > opt->last + 1)
		return fault_set(a->fault, KMS_E_MISSING,
		    "it begins with batch %llu: batches after the known batch %llu are missing",
		    (unsigned long long)out->first, (unsigned long long)opt->last);
	memcpy(out->last_hash, a->hash, 32);
	out->closed = out->last_time > opt->to;
	return KMS_OK;
}

/* The head is not signed: what it says is compared with what is proved. */
static void
check_head(struct audit *a, const struct audit_head *h)
{
	const struct audit_report *out = a->out;

	if (memcmp(h->host, out->host, sizeof(h->host)) != 0)
		find(a, 0, "the head names another host");
	if (h->first != out->first || h->last != out->last)
		find(a, 0, "the head names batches %llu to %llu, and the file holds %llu to %llu",
		    (unsigned long long)h->first, (unsigned long long)h->last,
		    (unsigned long long)out->first, (unsigned long long)out->last);
	if (h->names && a->bare > 0 && a->named == 0)
		find(a, 0, "the head says that names are in the file, and there are none");
	if (h->to < h->from || (out->first > 1 && out->first_time >= h->from && out->batches > 1))
		find(a, 0,
		    "the head names a period that the file does not cover from its beginning");
}

static int
by_product(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct seat));
}

static int
by_client(const void *x, const void *y)
{
	return memcmp(((const struct seat *)x)->cmid, ((const struct seat *)y)->cmid, 16);
}

static int
count(struct audit *a)
{
	struct audit_report *out = a->out;
	struct audit_product *p = NULL;

	if (a->count == 0)
		return KMS_OK;
	qsort(a->seats, a->count, sizeof(*a->seats), by_product);
	for (size_t i = 0; i < a->count; i++) {
		if (p == NULL || memcmp(p->id, a->seats[i].product, 16) != 0) {
			if (out->product_count == AUDIT_PRODUCTS)
				return fault_set(a->fault, KMS_E_TOO_LARGE,
				    "it has more than %d products", AUDIT_PRODUCTS);
			p = &out->products[out->product_count++];
			memcpy(p->id, a->seats[i].product, 16);
		}
		p->leases++;
		p->clients +=
		    i == 0 || memcmp(&a->seats[i], &a->seats[i - 1], sizeof(*a->seats)) != 0;
	}
	qsort(a->seats, a->count, sizeof(*a->seats), by_client);
	for (size_t i = 0; i < a->count; i++)
		out->clients += i == 0 || by_client(&a->seats[i], &a->seats[i - 1]) != 0;
	return KMS_OK;
}

int
audit_verify(struct audit_report *out, const struct audit_options *opt, const void *data,
    size_t len, struct fault *fault)
{
	struct audit *a = calloc(1, sizeof(*a));
	struct audit_reader r;
	int rc;

	memset(out, 0, sizeof(*out));
	if (a == NULL)
		return KMS_E_NO_MEMORY;
	a->opt = opt;
	a->publisher.key = opt->publisher;
	a->out = out;
	a->fault = fault;
	rc = audit_reader_init(&r, data, len);
	if (rc == KMS_E_SCHEMA && r.head.version != AUDIT_VERSION)
		fault_version(
		    a->fault, &(struct fault_version){ .what = "audit file",
				  .found = r.head.version,
				  .known = AUDIT_VERSION,
				  .reader = "kmsissue",
				  .next = "Use the kmsissue that came with the customer's kmsd" });
	else if (rc == KMS_E_SCHEMA)
		fault_set(a->fault, rc,
		    "it has a flag that this kmsissue %s does not know: use a newer one",
		    PACKAGE_VERSION);
	else if (rc != KMS_OK)
		fault_set(a->fault, rc, "it is not an audit file");
	out->names = r.head.names;
	if (rc == KMS_OK && (rc = take_documents(a, &r)) == KMS_OK &&
	    (rc = take_batches(a, &r)) == KMS_OK && (rc = check_range(a)) == KMS_OK) {
		check_head(a, &r.head);
		rc = count(a);
	}
	free(a->seats);
	free(a);
	return rc;
}
