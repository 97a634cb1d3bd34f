/*
 * audit_documents.c - see audit_documents.h.
 */
#include "kmsctl/issue/audit_documents.h"

#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

/* -- reading -- */

static int
take_certificate(struct audit_documents *d, const struct audit_document *doc, struct fault *fault)
{
	struct certificate *cert = &d->certificates[d->count];
	int rc = publisher_keys_certificate(&d->keys, cert, doc->octets, doc->len, NULL);

	if (rc == KMS_E_PUBLISHER)
		return fault_set(fault, rc, "it contains a host certificate of another publisher");
	if (rc != KMS_OK)
		return fault_set(fault, rc,
		    "it contains a host certificate that does not verify: %s",
		    kms_strerror((uint32_t)rc));
	if (d->count > 0 && cert->serial <= cert[-1].serial)
		return fault_set(fault, KMS_E_FORMAT,
		    "its host certificates are not in the order of their numbers, or one occurs twice");
	if (d->count > 0 && memcmp(cert->host_id, d->host, 16) != 0)
		return fault_set(
		    fault, KMS_E_UNKNOWN_HOST, "it contains certificates of two hosts");
	memcpy(d->host, cert->host_id, 16);
	d->papers[d->count++] = (struct audit_paper){ doc->octets, doc->len, false };
	return KMS_OK;
}

/* Compares the file's order of n statements with that of the chain that they make. */
static void
compare_order(struct audit_documents *d, uint8_t (*read)[ROTATION_SIZE], unsigned n)
{
	unsigned next = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned before = 0;

		while (before < i && memcmp(read[before], read[i], ROTATION_SIZE) != 0)
			before++;
		if (before < i)
			d->rotation_repeated++;
		else if (memcmp(d->keys.octets[next++], read[i], ROTATION_SIZE) != 0)
			d->rotation_order++;
	}
}

/* Rotations first: they determine whose certificates count. */
static int
take_rotations(struct audit_documents *d, struct audit_reader r, struct fault *fault)
{
	uint8_t chain[ROTATION_CHAIN_MAX][ROTATION_SIZE];
	struct audit_document doc;
	unsigned count = 0;

	while (audit_next_document(&r, &doc) == KMS_OK) {
		if (doc.kind != AUDIT_ROTATION)
			continue;
		if (count == ROTATION_CHAIN_MAX)
			return fault_set(fault, KMS_E_LIMIT,
			    "it contains more than %d key rotations", ROTATION_CHAIN_MAX);
		if (doc.len != ROTATION_SIZE)
			return fault_set(
			    fault, KMS_E_FORMAT, "it contains a key rotation of a wrong length");
		memcpy(chain[count++], doc.octets, ROTATION_SIZE);
	}
	if (publisher_keys_chain(&d->keys, chain[0], count) != KMS_OK)
		return fault_set(fault, KMS_E_SIGNATURE,
		    "it contains a key rotation of another publisher, or an altered one");
	compare_order(d, chain, count);
	return KMS_OK;
}

int
audit_documents_read(struct audit_documents *d, const struct minisig_key *publisher,
    struct audit_reader *r, struct fault *fault)
{
	struct audit_document doc;
	bool rotations = false;
	int rc;

	*d = (struct audit_documents){ .keys.key = *publisher };
	d->certificates = calloc(r->documents + 1u, sizeof(*d->certificates));
	d->papers = calloc(r->documents + 1u, sizeof(*d->papers));
	if (d->certificates == NULL || d->papers == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, "not enough memory for its documents");
	if ((rc = take_rotations(d, *r, fault)) != KMS_OK)
		return rc;
	while ((rc = audit_next_document(r, &doc)) == KMS_OK) {
		if (doc.kind == AUDIT_CERTIFICATE && rotations)
			return fault_set(fault, KMS_E_FORMAT,
			    "a host certificate comes after the key rotations");
		rotations = rotations || doc.kind == AUDIT_ROTATION;
		if (doc.kind == AUDIT_CERTIFICATE &&
		    (rc = take_certificate(d, &doc, fault)) != KMS_OK)
			return rc;
	}
	if (rc == KMS_E_TRUNCATED)
		return fault_set(fault, rc, "it ends in the middle of its documents");
	if (rc != KMS_E_NOT_FOUND)
		return fault_set(
		    fault, rc, "it contains a document of a kind that this kmsissue does not know");
	if (d->count == 0)
		return fault_set(fault, KMS_E_NOT_CONFIRMED, "it contains no host certificate");
	return KMS_OK;
}

void
audit_documents_free(struct audit_documents *d)
{
	free(d->certificates);
	free(d->papers);
	*d = (struct audit_documents){ 0 };
}

/* Puts it in its place by serial, unless it is there. */
static int
join_certificate(struct audit_documents *d, const struct certificate *c,
    const struct audit_paper *paper, struct fault *fault)
{
	unsigned at = 0;

	while (at < d->count && d->certificates[at].serial < c->serial)
		at++;
	if (at < d->count && d->certificates[at].serial == c->serial) {
		if (d->papers[at].len == paper->len &&
		    memcmp(d->papers[at].octets, paper->octets, paper->len) == 0)
			return KMS_OK;
		return fault_set(fault, KMS_E_FORMAT,
		    "its certificate of number %llu differs from the one in an earlier file of this host",
		    (unsigned long long)c->serial);
	}
	memmove(d->certificates + at + 1, d->certificates + at,
	    (d->count - at) * sizeof(*d->certificates));
	memmove(d->papers + at + 1, d->papers + at, (d->count - at) * sizeof(*d->papers));
	d->certificates[at] = *c;
	d->papers[at] = *paper;
	d->count++;
	return KMS_OK;
}

int
audit_documents_join(
    struct audit_documents *d, const struct audit_documents *other, struct fault *fault)
{
	struct certificate *certificates;
	struct audit_paper *papers;
	int rc = KMS_OK;

	if (memcmp(d->host, other->host, sizeof(d->host)) != 0)
		return fault_set(fault, KMS_E_UNKNOWN_HOST, "it is the journal of another host");
	certificates = realloc(d->certificates, (d->count + other->count) * sizeof(*certificates));
	d->certificates = certificates != NULL ? certificates : d->certificates;
	papers = realloc(d->papers, (d->count + other->count) * sizeof(*papers));
	d->papers = papers != NULL ? papers : d->papers;
	if (certificates == NULL || papers == NULL)
		return fault_set(fault, KMS_E_NO_MEMORY, "not enough memory for its documents");
	for (unsigned i = 0; i < other->count && rc == KMS_OK; i++)
		rc = join_certificate(d, &other->certificates[i], &other->papers[i], fault);
	if (rc == KMS_OK &&
	    publisher_keys_chain(&d->keys, other->keys.octets[0], other->keys.count) != KMS_OK)
		rc = fault_set(fault, KMS_E_SIGNATURE,
		    "it contains a key rotation that is not in one chain with those of an earlier file of this host");
	d->rotation_order += other->rotation_order;
	d->rotation_repeated += other->rotation_repeated;
	return rc;
}

/* -- questions -- */

bool
audit_documents_ours(const struct audit_documents *d, const uint8_t publisher[8])
{
	return publisher_keys_find(&d->keys, publisher) != NULL;
}

static bool
valid_at(const struct certificate *c, const struct entry_client *e)
{
	return e->time >= c->not_before && e->time <= c->not_after &&
	       certificate_covers(c, e->product);
}

bool
audit_documents_cover(const struct audit_documents *d, const struct entry_client *e)
{
	for (unsigned i = d->count; i-- > 0;)
		if (valid_at(&d->certificates[i], e) && e->expires <= d->certificates[i].not_after)
			return true;
	return false;
}

uint32_t
audit_documents_capacity(const struct audit_documents *d, const struct entry_client *e)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < d->count; i++) {
		const struct certificate *c = &d->certificates[i];

		if (!valid_at(c, e) || (c->issued > e->time && c->issued - e->time > BATCH_SKEW))
			continue;
		if (c->capacity == 0)
			return 0;
		if (c->capacity > most)
			most = c->capacity;
	}
	return most;
}

uint64_t
audit_documents_since(const struct audit_documents *d)
{
	uint64_t since = UINT64_MAX;

	for (unsigned i = 0; i < d->count; i++)
		if (d->certificates[i].issued < since)
			since = d->certificates[i].issued;
	return since;
}

/* -- the journal's entries -- */

static void
certificate_entry(struct audit_documents *d, const struct entry_admin *e, uint64_t batch,
    struct audit_findings *f)
{
	struct certificate cert;
	int rc;

	for (unsigned i = 0; i < d->count; i++)
		if (d->papers[i].len == e->blob_len &&
		    memcmp(d->papers[i].octets, e->blob, e->blob_len) == 0) {
			d->papers[i].entered = true;
			return;
		}
	rc = publisher_keys_certificate(&d->keys, &cert, e->blob, e->blob_len, NULL);
	if (rc == KMS_OK)
		audit_find(f, AUDIT_ENTRY_ALONE, HISTORY_UNEXPLAINED, batch, 1,
		    "the journal has a certificate or rotation that is not among the documents: the first is the certificate of serial %llu",
		    (unsigned long long)cert.serial);
	else if (rc == KMS_E_SIGNATURE)
		audit_find(f, AUDIT_ENTRY_ALONE, HISTORY_UNEXPLAINED, batch, 1,
		    "the journal has a certificate with this publisher's name, but its signature does not verify");
}

static void
rotation_entry(struct audit_documents *d, const struct entry_admin *e, uint64_t batch,
    struct audit_findings *f)
{
	struct publisher_keys longer;

	if (e->blob_len != ROTATION_SIZE)
		return;
	for (unsigned i = 0; i < d->keys.count; i++)
		if (memcmp(d->keys.octets[i], e->blob, ROTATION_SIZE) == 0) {
			d->rotated[i] = true;
			return;
		}
	longer = d->keys;
	if (publisher_keys_rotate(&longer, e->blob) == KMS_OK)
		audit_find(f, AUDIT_ENTRY_ALONE, HISTORY_UNEXPLAINED, batch, 1,
		    "the journal has a certificate or rotation that is not among the documents: the first is a rotation");
}

void
audit_documents_entry(struct audit_documents *d, const struct entry_admin *e, uint64_t batch,
    struct audit_findings *f)
{
	if (e->kind == ENTRY_CERTIFICATE)
		certificate_entry(d, e, batch, f);
	else if (e->kind == ENTRY_ROTATION)
		rotation_entry(d, e, batch, f);
}

void
audit_documents_findings(
    const struct audit_documents *d, bool begins, bool whole, struct audit_findings *f)
{
	uint64_t alone = 0;

	if (d->rotation_repeated > 0)
		audit_find(f, AUDIT_DOCUMENT_REPEATED, HISTORY_UNEXPLAINED, 0, d->rotation_repeated,
		    "a key rotation occurs twice");
	if (d->rotation_order > 0)
		audit_find(f, AUDIT_DOCUMENT_ORDER, HISTORY_UNEXPLAINED, 0, d->rotation_order,
		    "the key rotations are not in the order of their chain");
	if (!begins)
		return;
	for (unsigned i = 0; i < d->count; i++)
		alone += !d->papers[i].entered;
	for (unsigned i = 0; i < d->keys.count; i++)
		alone += !d->rotated[i];
	if (alone > 0)
		audit_find(f, AUDIT_DOCUMENT_ALONE, whole ? HISTORY_UNEXPLAINED : HISTORY_NOTE, 0,
		    alone, "a document of the file is in no entry of the journal");
}
