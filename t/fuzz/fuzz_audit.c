/*
 * fuzz_audit.c - audit files: the reader alone, the whole verification with a key that signed
 * nothing, and the same after the file was signed anew: certificates, rotations and batches by keys
 * of ours, with the roots and hashes put right, and what entries say of other batches and
 * documents, too. Views stay within the file; nothing is proved without a signature, and what is
 * proved adds up.
 *
 * The first byte of the head's host id says what is left as it is: 1 the host id itself, 2 numbers
 * and hashes of batches, 4 roots, 8 what entries say of others. 16: the period of the head is
 * counted, 32: a batch is known from before, 64: another host is expected, 128: leases and a pack
 * are compared.
 */
#include <sodium.h>
#include <string.h>

#include "kmsctl/issue/audit.h"
#include "kmsctl/ledger/audit_file.h"
#include "libkms/core/entry.h"
#include "libkms/core/merkle.h"
#include "libkms/core/publisher_keys.h"
#include "libkms/core/rotation.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

#define HOST_AT 12     /* in the head, audit_file.h */
#define BATCHES 32     /* that are signed: more only takes time */
#define FILE_MAX 65536 /* that is signed */

struct signer {
	struct minisig_key key;
	uint8_t sk[64];
};

struct keys {
	struct signer publisher[ROTATION_CHAIN_MAX + 2]; /* one for each rotation */
	struct signer host;
	uint8_t host_id[16];
};

static void
make_signer(struct signer *s, uint8_t number)
{
	uint8_t seed[32] = { number };

	crypto_sign_seed_keypair(s->key.pk, s->sk, seed);
	memset(s->key.id, number, sizeof(s->key.id));
}

static const struct keys *
keys(void)
{
	static struct keys k;

	if (k.host.key.id[0] == 0) {
		MUST(sodium_init() >= 0);
		for (uint8_t i = 0; i < ROTATION_CHAIN_MAX + 2; i++)
			make_signer(&k.publisher[i], (uint8_t)(i + 1));
		make_signer(&k.host, 200);
		certificate_host_id(k.host_id, k.host.key.pk);
	}
	return &k;
}

/* The same place in the copy, which may be written. */
static uint8_t *
place(uint8_t *copy, const uint8_t *view, const void *start)
{
	return copy + (view - (const uint8_t *)start);
}

static void
sign_certificate(const struct keys *k, uint8_t *octets, size_t len)
{
	if (len < 200 + 64)
		return;
	memcpy(octets + 8, k->publisher[0].key.id, 8);
	memcpy(octets + 32, k->host.key.pk, 32);
	crypto_sign_detached(octets + len - 64, NULL, octets, len - 64, k->publisher[0].sk);
}

/* Times stay as they are. */
static void
sign_rotation(const struct keys *k, uint8_t *octets, size_t len, unsigned number)
{
	const struct signer *old, *new;

	if (len != ROTATION_SIZE || number > ROTATION_CHAIN_MAX)
		return;
	old = &k->publisher[number];
	new = &k->publisher[number + 1];
	memcpy(octets, "KMSROTA1", 8);
	memcpy(octets + 8, old->key.id, 8);
	memcpy(octets + 16, old->key.pk, 32);
	memcpy(octets + 48, new->key.id, 8);
	memcpy(octets + 56, new->key.pk, 32);
	crypto_sign_detached(octets + len - 128, NULL, octets, len - 128, old->sk);
	crypto_sign_detached(octets + len - 64, NULL, octets, len - 64, new->sk);
}

/* Blobs and digests begin behind the text. */
static uint8_t *
blob_of(uint8_t *entry, size_t len, struct entry_admin *e)
{
	return entry_admin_decode(e, entry, len) == KMS_OK ? place(entry, e->blob, entry) : NULL;
}

/* A header of this host, which it signed. */
static void
sign_witness(const struct keys *k, uint8_t *entry, uint8_t *blob)
{
	memcpy(blob + 8, k->host_id, 16);
	crypto_sign_detached(blob + BATCH_HEADER, NULL, blob, BATCH_HEADER, k->host.sk);
	batch_header_hash(entry + 32, blob);
}

/* What the host says of itself is true of this file, but for the numbers. */
static void
claim_admin(const struct keys *k, uint8_t *entry, size_t len, const struct batch_header *last,
    uint8_t pack[32])
{
	struct entry_admin e;
	uint8_t *blob = blob_of(entry, len, &e);

	if (blob == NULL)
		return;
	if (e.kind == ENTRY_WITNESS)
		sign_witness(k, entry, blob);
	else if (e.kind == ENTRY_RESTORED && e.blob[7] != 0)
		memcpy(entry + 32, last->previous, 32);
	else if (e.kind == ENTRY_CERTIFICATE)
		sign_certificate(k, blob, e.blob_len);
	else if (e.kind == ENTRY_ROTATION)
		sign_rotation(k, blob, e.blob_len, e.subject[15] & 3);
	else if (e.kind == ENTRY_POLICY) {
		memcpy(entry + 16, k->publisher[0].key.id, 8);
		memcpy(pack, e.digest, 32);
	}
}

/* An entry of ours, if it is one of a client. */
static void
claim_entry(const struct keys *k, uint8_t *entry, size_t len)
{
	uint8_t again[ENTRY_CLIENT_MAX];
	struct entry_client e;

	if (entry_client_decode(&e, entry, len) != KMS_OK)
		return;
	memcpy(e.publisher, k->publisher[0].key.id, 8);
	if (entry_client_encode(again, sizeof(again), &e) == len)
		memcpy(entry, again, len);
}

static void
sign_batch(const struct keys *k, struct audit_batch *b, uint8_t *copy, uint8_t how,
    struct batch_header *last, uint8_t pack[32])
{
	struct merkle_tree *tree = merkle_tree_new(AUDIT_ENTRIES);
	uint8_t *header = place(copy, b->header_octets, copy), leaf[MERKLE_HASH];

	MUST(tree != NULL);
	for (uint32_t i = 0; i < b->header.size; i++) {
		uint8_t *entry = place(copy, b->items[i].entry, copy);

		if ((how & 8) == 0) {
			claim_entry(k, entry, b->items[i].entry_len);
			claim_admin(k, entry, b->items[i].entry_len, last, pack);
		}
		merkle_leaf(leaf, entry, b->items[i].entry_len);
		MUST(merkle_tree_add(tree, leaf) == KMS_OK);
	}
	if ((how & 4) == 0)
		merkle_tree_close(tree, b->header.root);
	merkle_tree_free(tree);
	memcpy(b->header.host_id, k->host_id, 16);
	if ((how & 2) == 0 && last->number > 0) {
		b->header.number = last->number + 1;
		memcpy(b->header.previous, last->previous, 32);
	}
	batch_header_encode(header, &b->header);
	batch_header_hash(last->previous, header);
	last->number = b->header.number;
	crypto_sign_detached(
	    place(copy, b->signature, copy), NULL, header, BATCH_HEADER, k->host.sk);
}

static void
sign_all(const struct keys *k, uint8_t *copy, size_t size, uint8_t how, uint8_t pack[32])
{
	static struct audit_batch batch;
	struct batch_header last = { 0 };
	struct audit_document d;
	struct audit_reader r;
	unsigned rotations = 0;

	if (audit_reader_init(&r, copy, size) != KMS_OK)
		return;
	if ((how & 1) == 0)
		memcpy(copy + HOST_AT, k->host_id, 16);
	while (audit_next_document(&r, &d) == KMS_OK)
		if (d.kind == AUDIT_CERTIFICATE)
			sign_certificate(k, place(copy, d.octets, copy), d.len);
		else
			sign_rotation(k, place(copy, d.octets, copy), d.len, rotations++);
	for (int i = 0; i < BATCHES && audit_next_batch(&r, &batch) == KMS_OK; i++)
		sign_batch(k, &batch, copy, how, &last, pack);
}

static void
check_report(const struct audit_report *a)
{
	MUST(a->batches > 0 && a->entries >= a->batches && a->last >= a->first);
	MUST(a->batches == a->last - a->first + 1);
	MUST(a->clients <= a->leases && a->beyond <= a->leases && a->leases <= a->entries);
	MUST(a->certificate_count > 0 && a->certificate_count <= AUDIT_CERTIFICATES);
	MUST((a->beginning == BEGINNING_BATCH_1) == (a->first == 1));
	for (unsigned i = 0; i < a->product_count; i++)
		MUST(a->products[i].clients <= a->products[i].leases);
	MUST(a->findings.count <= AUDIT_FINDINGS);
	for (unsigned i = 0; i < a->findings.count; i++) {
		const struct audit_finding *f = &a->findings.list[i];

		MUST(f->text[0] != '\0' && f->count > 0 && f->batch <= a->last);
		MUST(audit_kind_name(f->kind)[0] != '\0');
		MUST(i == 0 || f->grade <= f[-1].grade);
	}
	for (size_t i = 0; i < a->day_count; i++)
		MUST(a->days[i].counted >= 0 && a->days[i].holding >= 0);
	MUST(audit_report_highest(a) <= a->entries);
	for (unsigned i = 0; i < a->pool_count; i++)
		MUST(a->pools[i].counted <= a->entries && a->pools[i].holding <= a->entries);
}

/* A pack whose rules every lease breaks. */
static struct policy_pack *
strict_pack(void)
{
	static struct policy_pack pack;

	pack.pool_count = 1;
	pack.pools[0].number = 1;
	pack.pools[0].capacity = 1;
	pack.product_count = 1;
	pack.products[0].threshold = UINT32_MAX;
	pack.products[0].validity = 1;
	return &pack;
}

/* The first product of the file's first certificate is that of the pack. */
static void
name_product(struct policy_pack *pack, const uint8_t *copy, size_t size)
{
	struct audit_document d;
	struct audit_reader r;
	struct certificate c;

	if (audit_reader_init(&r, copy, size) == KMS_OK && audit_next_document(&r, &d) == KMS_OK &&
	    d.kind == AUDIT_CERTIFICATE && certificate_decode(&c, d.octets, d.len) == KMS_OK)
		memcpy(pack->products[0].id, c.products[0], 16);
}

/* A file that is given twice says what it says once. */
static void
verify_twice(const struct audit_report *once, const struct audit_options *opt, const uint8_t *data,
    size_t size)
{
	static struct audit_report report;
	const struct audit_part parts[2] = { { data, size }, { data, size } };
	struct fault fault = { 0 };

	MUST(audit_verify(&report, opt, parts, 2, &fault) == KMS_OK);
	MUST(report.clients == once->clients && report.leases == once->leases);
	MUST(report.batches == once->batches && report.entries == once->entries);
	MUST(report.beginning == once->beginning && report.beyond == once->beyond);
	audit_report_free(&report);
}

static void
verify_signed(const uint8_t *data, size_t size)
{
	static uint8_t copy[FILE_MAX];
	static struct audit_report report;
	const struct keys *k = keys();
	struct audit_pack pack = { .pack = strict_pack() };
	struct audit_lease leases[3] = { 0 };
	struct audit_options opt = {
		.to = UINT64_MAX, .publisher = k->publisher[0].key, .packs = &pack, .leases = leases
	};
	struct audit_reader r;
	struct fault fault = { 0 };
	uint8_t how;
	int rc;

	if (size < AUDIT_HEAD || size > sizeof(copy))
		return;
	memcpy(copy, data, size);
	how = copy[HOST_AT];
	sign_all(k, copy, size, how, pack.digest);
	name_product(pack.pack, copy, size);
	if ((how & 16) && audit_reader_init(&r, copy, size) == KMS_OK) {
		opt.from = r.head.from;
		opt.to = r.head.to;
	}
	opt.known_count = (how & 32) != 0;
	opt.known[0].number = data[HOST_AT + 1];
	opt.have_host = (how & 64) != 0;
	opt.pack_count = (how & 128) != 0;
	opt.lease_count = (how & 128) != 0 ? 3 : 0;
	for (unsigned i = 0; i < 3; i++) {
		leases[i].number = data[HOST_AT + 1 + i];
		memcpy(leases[i].host, k->host_id, i == 2 && how & 1 ? 0 : 16);
	}
	rc = audit_verify(&report, &opt, &(struct audit_part){ copy, size }, 1, &fault);
	if (rc == KMS_OK) {
		check_report(&report);
		verify_twice(&report, &opt, copy, size);
		audit_report_free(&report);
	} else
		MUST(fault.text[0] != '\0');
}

static void
read_only(const uint8_t *data, size_t size)
{
	static struct audit_batch batch;
	uint8_t head[AUDIT_HEAD];
	struct audit_document d;
	struct audit_reader r;
	int rc;

	if (audit_reader_init(&r, data, size) != KMS_OK)
		return;
	audit_head_encode(head, &r.head);
	MUST(memcmp(head, data, sizeof(head)) == 0);
	while ((rc = audit_next_document(&r, &d)) == KMS_OK) {
		MUST(d.octets >= data && d.octets + d.len <= data + size);
		audit_document_head_encode(head, d.kind, d.len);
		MUST(memcmp(head, d.octets - AUDIT_DOCUMENT_HEAD, AUDIT_DOCUMENT_HEAD) == 0);
	}
	while (rc == KMS_E_NOT_FOUND && audit_next_batch(&r, &batch) == KMS_OK)
		for (uint32_t i = 0; i < batch.header.size; i++)
			MUST(batch.items[i].aside + batch.items[i].aside_len <= data + size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct audit_report report;
	struct audit_options opt = { .to = UINT64_MAX };
	struct fault fault = { 0 };

	read_only(data, size);
	MUST(audit_verify(&report, &opt, &(struct audit_part){ data, size }, 1, &fault) != KMS_OK);
	MUST(fault.text[0] != '\0');
	verify_signed(data, size);
	return 0;
}
