/*
 * test_lease.c - the lease bundle, and for each check of "Verifying a lease" a
 * lease in which just that one fails, with its own error.
 */
#include <sodium.h>

#include "libkms/core/lease.h"
#include "t/unit/core_test.h"

#define LEAVES 5

static const uint8_t product[16] = { 0x50, 1 }, covered[16] = { 0x60, 1 }, outside[16] = { 0x70 };
static const uint8_t cmid[16] = { 0xc1 }, other_cmid[16] = { 0xc2 };

/* What a lease is made from; a row of the table changes one thing. */
struct making {
	struct certificate cert;
	uint8_t sign_sk[64];
	struct entry_client entry;
	struct aside aside;
	struct batch_header header;
	uint32_t index;
	uint8_t kind, flag; /* not 0: written over those of the entry */
	size_t zero;        /* not 0: offset of 4 bytes of the entry that become zero */
	uint8_t bundle[LEASE_MAX];
	size_t len;
};

static void
making_init(struct making *m)
{
	memset(m, 0, sizeof(*m));
	crypto_sign_keypair(m->cert.sign_pk, m->sign_sk);
	certificate_host_id(m->cert.host_id, m->cert.sign_pk);
	memset(m->cert.publisher, 0xee, 8);
	m->cert.not_before = 1000;
	m->cert.not_after = 9000;
	m->cert.product_count = 2;
	memcpy(m->cert.products[0], product, 16);
	memcpy(m->cert.products[1], covered, 16);
	m->entry = (struct entry_client){ .kind = ENTRY_LEASE,
		.time = 5000,
		.sequence = 1,
		.expires = 8000,
		.renew_after = 6000,
		.until = 2880,
		.width = 1440,
		.operation = MESSAGE_ACTIVATE };
	m->aside = (struct aside){ .salt = { 7 }, .address = { 1 }, .name = "host", .user = "me" };
	aside_commit(&m->entry.commitments, &m->aside);
	memcpy(m->entry.cmid, cmid, 16);
	memcpy(m->entry.product, product, 16);
	memset(m->entry.publisher, 0xee, 8);
	m->header = (struct batch_header){ .number = 1, .time = 5000, .size = LEAVES };
	memcpy(m->header.host_id, m->cert.host_id, 16);
	m->index = 2;
}

/* Encode entry, tree, header and signature into bundle. */
static void
make(struct making *m)
{
	uint8_t entry[ENTRY_CLIENT_MAX], octets[BATCH_HEADER], sig[BATCH_SIGNATURE], leaf[32];
	uint8_t aside[ASIDE_MAX];
	uint8_t proof[MERKLE_MAX_PROOF][MERKLE_HASH];
	struct merkle_tree *t = merkle_tree_new(LEAVES);
	size_t n = entry_client_encode(entry, sizeof(entry), &m->entry);
	struct lease l = { .entry = entry,
		.entry_len = n,
		.header = octets,
		.signature = sig,
		.index = m->index,
		.proof = proof[0],
		.aside = aside,
		.aside_len = aside_encode(aside, sizeof(aside), &m->aside) };

	assert_non_null(t);
	assert_true(n > 0);
	if (m->kind != 0)
		entry[1] = m->kind;
	if (m->flag != 0)
		entry[2] = m->flag;
	if (m->zero != 0)
		memset(entry + m->zero, 0, 4);
	for (uint32_t i = 0; i < LEAVES; i++) {
		merkle_leaf(
		    leaf, i == m->index ? entry : (const uint8_t *)"other", i == m->index ? n : 5);
		assert_int_equal(merkle_tree_add(t, leaf), KMS_OK);
	}
	merkle_tree_close(t, m->header.root);
	l.proof_count = (uint8_t)merkle_tree_proof(t, m->index, proof);
	batch_header_encode(octets, &m->header);
	crypto_sign_detached(sig, NULL, octets, BATCH_HEADER, m->sign_sk);
	m->len = lease_encode(m->bundle, sizeof(m->bundle), &l);
	assert_true(m->len > 0);
	merkle_tree_free(t);
}

static int
verify(const struct making *m, const uint8_t *want_cmid, const uint8_t *want_product)
{
	struct entry_client e;

	return lease_verify(&e, m->bundle, m->len, &m->cert, want_cmid, want_product);
}

static void
test_good(void **state)
{
	struct making m;
	struct entry_client e;
	struct aside a;

	making_init(&m);
	make(&m);
	assert_int_equal(lease_verify(&e, m.bundle, m.len, &m.cert, cmid, product), KMS_OK);
	assert_true(e.expires == 8000 && e.renew_after == 6000);
	assert_int_equal(lease_names(&a, m.bundle, m.len, &e), KMS_OK);
	assert_string_equal(a.name, "host");
	assert_string_equal(a.user, "me");
	assert_int_equal(verify(&m, NULL, NULL), KMS_OK);
	assert_int_equal(verify(&m, other_cmid, product), KMS_E_LEASE_OTHER);
	assert_int_equal(verify(&m, cmid, covered), KMS_E_LEASE_OTHER);
	(void)state;
}

static void
host_id(struct making *m)
{
	m->header.host_id[0] ^= 1;
}
static void
kind_seen(struct making *m)
{
	m->entry.kind = ENTRY_SEEN;
	m->entry.status = KMS_E_COUNT_TOO_LOW;
	m->entry.renew_after = 0;
}
static void
kind_unknown(struct making *m)
{
	m->kind = 14;
}
static void
flag_unknown(struct making *m)
{
	m->flag = 1; /* 0x0100 */
}
static void
does_not_count(struct making *m)
{
	m->zero = 108;
}
static void
header_later(struct making *m)
{
	m->header.time = m->entry.time + BATCH_SKEW;
}
static void
header_too_late(struct making *m)
{
	m->header.time = m->entry.time + BATCH_SKEW + 1;
}
static void
header_too_early(struct making *m)
{
	m->cert.not_after = 900000;
	m->entry.time = 200000;
	m->entry.expires = 300000;
	m->entry.until = 5760;
	m->header.time = m->entry.time - BATCH_SKEW - 1;
}
static void
kind_refusal(struct making *m)
{
	m->entry.kind = ENTRY_REFUSAL;
	m->entry.status = KMS_E_CLONE;
	m->entry.expires = m->entry.renew_after = m->entry.until = m->entry.width = 0;
}
static void
publisher(struct making *m)
{
	m->entry.publisher[7] ^= 1;
}
static void
not_covered(struct making *m)
{
	memcpy(m->entry.product, outside, 16);
}
static void
too_early(struct making *m)
{
	m->entry.time = 999;
}
static void
first_instant(struct making *m)
{
	m->entry.time = 1000;
}
static void
too_late(struct making *m)
{
	m->entry.time = 9001;
	m->entry.expires = 9002;
}
static void
last_instant(struct making *m)
{
	m->entry.time = 8999;
	m->entry.expires = 9000;
}
static void
outlives(struct making *m)
{
	m->entry.expires = 9001;
}
static void
host_key(struct making *m)
{
	m->cert.sign_pk[0] ^= 1;
}
static void
number(struct making *m)
{
	m->header.number = 0;
}
static void
tree_size(struct making *m)
{
	m->header.size = 2;
}
static void
last_leaf(struct making *m)
{
	m->index = LEAVES - 1;
}

static const struct {
	const char *what;
	void (*change)(struct making *m);
	int status;
} rows[] = {
	{ "host id in the header", host_id, KMS_E_LEASE_OTHER },
	{ "kind SEEN", kind_seen, KMS_E_FORMAT },
	{ "kind REFUSAL", kind_refusal, KMS_E_FORMAT },
	{ "an unknown kind", kind_unknown, KMS_E_SCHEMA },
	{ "an unknown flag", flag_unknown, KMS_E_SCHEMA },
	{ "it does not count", does_not_count, KMS_E_FORMAT },
	{ "4 hours before its header", header_later, KMS_OK },
	{ "more than 4 hours before", header_too_late, KMS_E_FORMAT },
	{ "more than 4 hours after", header_too_early, KMS_E_FORMAT },
	{ "publisher", publisher, KMS_E_PUBLISHER },
	{ "product not covered", not_covered, KMS_E_NOT_COVERED },
	{ "before the certificate", too_early, KMS_E_KEY_EXPIRED },
	{ "its first instant", first_instant, KMS_OK },
	{ "after the certificate", too_late, KMS_E_KEY_EXPIRED },
	{ "its last instant", last_instant, KMS_OK },
	{ "outlives the certificate", outlives, KMS_E_KEY_EXPIRED },
	{ "another host's signing key", host_key, KMS_E_SIGNATURE },
	{ "batch number 0", number, KMS_E_FORMAT },
	{ "index outside the tree", tree_size, KMS_E_PROOF },
	{ "the last leaf", last_leaf, KMS_OK },
};

static void
test_each_check(void **state)
{
	struct making m;

	for (size_t i = 0; i < COUNT(rows); i++) {
		making_init(&m);
		rows[i].change(&m);
		make(&m);
		if (verify(&m, NULL, NULL) != rows[i].status)
			fail_msg(
			    "%s: %d, not %d", rows[i].what, verify(&m, NULL, NULL), rows[i].status);
	}
	(void)state;
}

/* No bit of a bundle can change unnoticed; its place says what is reported. */
static void
test_every_bit(void **state)
{
	struct making m;
	struct entry_client e;
	struct aside a;
	struct lease l;
	size_t header, signature, index, aside;

	making_init(&m);
	make(&m);
	assert_int_equal(lease_decode(&l, m.bundle, m.len), KMS_OK);
	header = (size_t)(l.header - m.bundle);
	signature = (size_t)(l.signature - m.bundle);
	index = signature + BATCH_SIGNATURE;
	aside = (size_t)(l.aside - m.bundle);
	for (size_t i = 0; i < 8 * m.len; i++) {
		size_t at = i / 8;
		int got, want = at < 2            ? KMS_E_FORMAT
				: at < header     ? KMS_E_PROOF
				: at < signature  ? 0
				: at < index      ? KMS_E_SIGNATURE
				: at == index + 4 ? KMS_E_FORMAT
				: at < aside - 1  ? KMS_E_PROOF
				: at == aside - 1 ? KMS_E_FORMAT
						  : KMS_OK;

		m.bundle[at] ^= (uint8_t)(1 << i % 8);
		got = lease_verify(&e, m.bundle, m.len, &m.cert, NULL, NULL);
		/* The aside proves nothing: it is compared with what is proved. */
		if (at >= aside && lease_names(&a, m.bundle, m.len, &e) == KMS_OK)
			fail_msg("bit %zu of the names", i);
		m.bundle[at] ^= (uint8_t)(1 << i % 8);
		/* In the header it depends on the field, but never is it well. */
		if ((got == KMS_OK && at < aside) || (want != 0 && got != want))
			fail_msg("bit %zu: %d, not %d", i, got, want);
	}
	(void)state;
}

static int
decode(const uint8_t *in, size_t len)
{
	struct lease l;

	return lease_decode(&l, in, len);
}

static void
test_shape(void **state)
{
	struct making m;
	struct lease l;
	uint8_t longer[LEASE_MAX + 1];

	making_init(&m);
	make(&m);
	check_truncations(decode, m.bundle, m.len);
	memcpy(longer, m.bundle, m.len);
	longer[m.len] = 0;
	assert_int_equal(decode_exact(decode, longer, m.len + 1), KMS_E_TRAILING);
	m.len--;
	assert_int_equal(verify(&m, NULL, NULL), KMS_E_FORMAT);
	m.len++;
	assert_int_equal(lease_decode(&l, m.bundle, m.len), KMS_OK);
	assert_int_equal(lease_encode(longer, m.len - 1, &l), 0);
	assert_int_equal(lease_encode(longer, m.len, &l), m.len);
	assert_memory_equal(longer, m.bundle, m.len);
	l.proof_count = MERKLE_MAX_PROOF + 1;
	assert_int_equal(lease_encode(longer, sizeof(longer), &l), 0);
	(void)state;
}

/* 21 proof hashes, all there; an entry and an aside one byte too long. */
static void
test_limits(void **state)
{
	static uint8_t in[LEASE_MAX + 64];
	size_t n = 2 + BATCH_HEADER + BATCH_SIGNATURE + 5 + 1;

	in[n - 2] = MERKLE_MAX_PROOF;
	assert_int_equal(decode_exact(decode, in, n + 32 * MERKLE_MAX_PROOF), KMS_OK);
	in[n - 2] = MERKLE_MAX_PROOF + 1;
	assert_int_equal(decode_exact(decode, in, n + 32 * (MERKLE_MAX_PROOF + 1)), KMS_E_FORMAT);
	in[n - 2] = 0;
	in[0] = ENTRY_CLIENT_MAX >> 8;
	in[1] = ENTRY_CLIENT_MAX & 255;
	assert_int_equal(decode_exact(decode, in, n + ENTRY_CLIENT_MAX), KMS_OK);
	in[1]++;
	assert_int_equal(decode_exact(decode, in, n + ENTRY_CLIENT_MAX + 1), KMS_E_FORMAT);
	in[0] = in[1] = 0;
	in[n - 1] = ASIDE_MAX;
	assert_int_equal(decode_exact(decode, in, n + ASIDE_MAX), KMS_OK);
	in[n - 1]++;
	assert_int_equal(decode_exact(decode, in, n + ASIDE_MAX + 1), KMS_E_FORMAT);
	(void)state;
}

/* Names that are left out, erased, or another client's. */
static void
test_names(void **state)
{
	struct making m;
	struct entry_client e;
	struct aside a;
	struct lease l;
	size_t aside;

	making_init(&m);
	make(&m);
	assert_int_equal(lease_verify(&e, m.bundle, m.len, &m.cert, NULL, NULL), KMS_OK);
	assert_int_equal(lease_decode(&l, m.bundle, m.len), KMS_OK);
	aside = (size_t)(l.aside - m.bundle);
	memset(m.bundle + aside, 0, l.aside_len);
	assert_int_equal(verify(&m, cmid, product), KMS_OK);
	assert_int_equal(lease_names(&a, m.bundle, m.len, &e), KMS_E_NOT_FOUND);
	assert_string_equal(a.name, "");
	m.bundle[aside - 1] = 0;
	m.len = aside;
	assert_int_equal(verify(&m, cmid, product), KMS_OK);
	assert_int_equal(lease_names(&a, m.bundle, m.len, &e), KMS_E_NOT_FOUND);
	strcpy(m.aside.name, "tsoh");
	make(&m);
	assert_int_equal(verify(&m, cmid, product), KMS_OK);
	assert_int_equal(lease_names(&a, m.bundle, m.len, &e), KMS_E_LEASE_OTHER);
	assert_string_equal(a.name, "");
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_each_check),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_names),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
