/*
 * test_merkle.c - the known answers of RFC 6962's reference implementation,
 * every index of trees of 1 to 70 leaves against the RFC's own recursion, and
 * proofs that must fail.
 */
#include <sodium.h>

#include "libkms/core/merkle.h"
#include "t/unit/core_test.h"

#define MOST 70

/* Leaves and roots of certificate-transparency's merkle tree test. */
static const struct {
	const char *leaf;
	const char *root; /* of the tree up to this leaf */
} known[] = {
	{ "", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
	{ "00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" },
	{ "10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77" },
	{ "2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" },
	{ "3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4" },
	{ "40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef" },
	{ "5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c" },
	{ "606162636465666768696a6b6c6d6e6f",
	    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" },
};

static void
from_hex(uint8_t *out, size_t size, const char *hex, size_t *len)
{
	assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, len, NULL), 0);
}

static void
known_answers(struct merkle_tree *t)
{
	uint8_t leaf[MERKLE_HASH], root[MERKLE_HASH], want[MERKLE_HASH], octets[16];
	size_t len;

	assert_non_null(t);
	merkle_tree_close(t, root);
	from_hex(
	    want, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", &len);
	assert_memory_equal(root, want, 32);
	for (size_t i = 0; i < COUNT(known); i++) {
		from_hex(octets, sizeof(octets), known[i].leaf, &len);
		merkle_leaf(leaf, octets, len);
		assert_int_equal(
		    i % 2 == 0 ? merkle_tree_add(t, leaf) : merkle_tree_add_entry(t, octets, len),
		    KMS_OK);
		merkle_tree_close(t, root);
		from_hex(want, 32, known[i].root, &len);
		assert_memory_equal(root, want, 32);
		assert_int_equal(merkle_tree_size(t), i + 1);
	}
	assert_int_equal(merkle_tree_add(t, leaf), KMS_E_TOO_LARGE);
	assert_int_equal(merkle_tree_add_entry(t, octets, len), KMS_E_TOO_LARGE);
	merkle_tree_free(t);
}

static void
test_known_answers(void **state)
{
	known_answers(merkle_tree_new(COUNT(known)));
	(void)state;
}

/* MTH and PATH as section 2.1 writes them down. */
static size_t
split(size_t n)
{
	size_t k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

static void
mth(uint8_t out[32], const uint8_t (*leaf)[32], size_t n)
{
	uint8_t text[65] = { 1 };
	size_t k = split(n);

	if (n == 1) {
		memcpy(out, leaf, 32);
		return;
	}
	mth(text + 1, leaf, k);
	mth(text + 33, leaf + k, n - k);
	crypto_hash_sha256(out, text, sizeof(text));
}

static size_t
path(uint8_t (*out)[32], size_t m, const uint8_t (*leaf)[32], size_t n)
{
	size_t k = split(n), count;

	if (n == 1)
		return 0;
	if (m < k) {
		count = path(out, m, leaf, k);
		mth(out[count], leaf + k, n - k);
	} else {
		count = path(out, m - k, leaf + k, n - k);
		mth(out[count], leaf, k);
	}
	return count + 1;
}

static void
make_leaves(uint8_t (*leaf)[32])
{
	for (unsigned i = 0; i < MOST; i++)
		merkle_leaf(leaf[i], &i, sizeof(i));
}

/* Everything near a right proof that must not verify. */
static void
check_wrong(const uint8_t *leaf, size_t index, size_t n, uint8_t (*proof)[32], size_t count,
    const uint8_t root[32])
{
	uint8_t bad[32];

	for (size_t i = 0; i < n; i++)
		if (i != index)
			assert_int_equal(
			    merkle_verify(leaf, i, n, proof[0], count, root), KMS_E_PROOF);
	assert_int_equal(merkle_verify(leaf, index, index, proof[0], count, root), KMS_E_PROOF);
	assert_int_equal(merkle_verify(leaf, UINT64_MAX, n, proof[0], count, root), KMS_E_PROOF);
	assert_int_equal(merkle_verify(leaf, index, 0, proof[0], count, root), KMS_E_PROOF);
	if (count > 0)
		assert_int_equal(
		    merkle_verify(leaf, index, n, proof[0], count - 1, root), KMS_E_PROOF);
	memset(proof[count], 0, 32);
	assert_int_equal(merkle_verify(leaf, index, n, proof[0], count + 1, root), KMS_E_PROOF);
	for (size_t i = 0; i < count; i++) {
		proof[i][i % 32] ^= 1;
		assert_int_equal(merkle_verify(leaf, index, n, proof[0], count, root), KMS_E_PROOF);
		proof[i][i % 32] ^= 1;
	}
	memcpy(bad, root, 32);
	bad[31] ^= 0x80;
	assert_int_equal(merkle_verify(leaf, index, n, proof[0], count, bad), KMS_E_PROOF);
	memcpy(bad, leaf, 32);
	bad[0] ^= 1;
	assert_int_equal(merkle_verify(bad, index, n, proof[0], count, root), KMS_E_PROOF);
}

static void
test_every_index(void **state)
{
	static uint8_t leaf[MOST][32];
	uint8_t root[32], want[32], proof[MERKLE_MAX_PROOF][32], expect[MERKLE_MAX_PROOF][32];
	struct merkle_tree *t = merkle_tree_new(MOST);

	assert_non_null(t);
	make_leaves(leaf);
	for (size_t n = 1; n <= MOST; n++) {
		merkle_tree_reset(t);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(merkle_tree_add(t, leaf[i]), KMS_OK);
		merkle_tree_close(t, root);
		mth(want, (const uint8_t(*)[32])leaf, n);
		assert_memory_equal(root, want, 32);
		for (size_t i = 0; i < n; i++) {
			size_t count = merkle_tree_proof(t, i, proof);

			assert_int_equal(count, path(expect, i, (const uint8_t(*)[32])leaf, n));
			if (count > 0)
				assert_memory_equal(proof, expect, count * 32);
			assert_int_equal(
			    merkle_verify(leaf[i], i, n, proof[0], count, root), KMS_OK);
			check_wrong(leaf[i], i, n, proof, count, root);
		}
		assert_int_equal(merkle_tree_proof(t, n, proof), 0);
	}
	merkle_tree_free(t);
	(void)state;
}

/* A tree made for one size must hold its levels apart at every other. */
static void
test_sizes(void **state)
{
	static uint8_t leaf[MOST][32];
	uint8_t root[32], want[32];

	make_leaves(leaf);
	for (size_t max = 1; max <= MOST; max++) {
		struct merkle_tree *t = merkle_tree_new(max);

		assert_non_null(t);
		for (size_t i = 0; i < max; i++)
			assert_int_equal(merkle_tree_add(t, leaf[i]), KMS_OK);
		assert_int_equal(merkle_tree_add(t, leaf[0]), KMS_E_TOO_LARGE);
		merkle_tree_close(t, root);
		mth(want, (const uint8_t(*)[32])leaf, max);
		assert_memory_equal(root, want, 32);
		merkle_tree_free(t);
	}
	assert_null(merkle_tree_new(0));
	assert_null(merkle_tree_new(((size_t)1 << MERKLE_MAX_PROOF) + 1));
	merkle_tree_free(NULL);
	(void)state;
}

/* The root alone, of each number of leaves. */
static void
test_run(void **state)
{
	static uint8_t leaf[MOST][32];
	struct merkle_run run = { .count = 0 };
	uint8_t root[32], want[32];

	make_leaves(leaf);
	merkle_run_root(&run, root);
	crypto_hash_sha256(want, NULL, 0);
	assert_memory_equal(root, want, 32);
	for (size_t n = 1; n <= MOST; n++) {
		merkle_run_add(&run, leaf[n - 1]);
		merkle_run_root(&run, root);
		mth(want, (const uint8_t(*)[32])leaf, n);
		assert_memory_equal(root, want, 32);
	}
	(void)state;
}

/* A node's text taken for an entry: the prefixes keep leaves and nodes apart. */
static void
test_leaf_is_no_node(void **state)
{
	uint8_t leaf[2][32], root[32], text[64], forged[32];
	struct merkle_tree *t = merkle_tree_new(2);

	assert_non_null(t);
	merkle_leaf(leaf[0], "a", 1);
	merkle_leaf(leaf[1], "b", 1);
	merkle_tree_add(t, leaf[0]);
	merkle_tree_add(t, leaf[1]);
	merkle_tree_close(t, root);
	memcpy(text, leaf, 64);
	merkle_leaf(forged, text, 64);
	assert_int_equal(merkle_verify(forged, 0, 1, NULL, 0, root), KMS_E_PROOF);
	merkle_tree_free(t);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_every_index),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_leaf_is_no_node),
	};

	if (sodium_init() < 0)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("merkle", tests, NULL, NULL);
}
