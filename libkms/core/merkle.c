/*
 * merkle.c - the Merkle tree of RFC 6962 section 2.1 with all levels kept.
 *
 * RFC 6962 splits a list at the largest power of two below its length. Level by
 * level from the leaves, that is: pair neighbours, and carry an odd last node
 * up unchanged. So a proof is the sibling at each level, where there is one.
 */
#include "libkms/core/merkle.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"

_Static_assert(MERKLE_HASH == crypto_hash_sha256_BYTES, "SHA-256");

struct merkle_tree {
	merkle_sha256 hash;
	size_t max;
	size_t count;                         /* leaves */
	uint8_t *level[MERKLE_MAX_PROOF + 1]; /* into nodes */
	uint8_t nodes[];
};

static void
sodium_sha256(uint8_t out[MERKLE_HASH], const void *a, size_t a_len, const void *b, size_t b_len)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, a, a_len);
	crypto_hash_sha256_update(&state, b, b_len);
	crypto_hash_sha256_final(&state, out);
}

static void
leaf_hash(merkle_sha256 hash, uint8_t out[MERKLE_HASH], const void *entry, size_t len)
{
	static const uint8_t prefix = 0;

	hash(out, &prefix, 1, entry, len);
}

void
merkle_leaf(uint8_t out[MERKLE_HASH], const void *entry, size_t len)
{
	leaf_hash(sodium_sha256, out, entry, len);
}

/* out may be left or right. */
static void
node_hash(merkle_sha256 hash, uint8_t out[MERKLE_HASH], const uint8_t *left, const uint8_t *right)
{
	uint8_t text[1 + MERKLE_HASH];

	text[0] = 1;
	memcpy(text + 1, left, MERKLE_HASH);
	hash(out, text, sizeof(text), right, MERKLE_HASH);
}

struct merkle_tree *
merkle_tree_new(size_t max_leaves)
{
	return merkle_tree_with(max_leaves, sodium_sha256);
}

struct merkle_tree *
merkle_tree_with(size_t max_leaves, merkle_sha256 hash)
{
	struct merkle_tree *t;
	size_t nodes = 0, n = max_leaves, at = 0;

	if (max_leaves == 0 || max_leaves > (size_t)1 << MERKLE_MAX_PROOF)
		return NULL;
	for (; n > 1; n = (n + 1) / 2)
		nodes += n;
	if ((t = calloc(1, sizeof(*t) + (nodes + 1) * MERKLE_HASH)) == NULL)
		return NULL;
	t->hash = hash;
	t->max = n = max_leaves;
	for (unsigned i = 0; i <= MERKLE_MAX_PROOF; i++) {
		t->level[i] = t->nodes + at * MERKLE_HASH;
		if (n == 1)
			break;
		at += n;
		n = (n + 1) / 2;
	}
	return t;
}

void
merkle_tree_free(struct merkle_tree *t)
{
	free(t);
}

void
merkle_tree_reset(struct merkle_tree *t)
{
	t->count = 0;
}

int
merkle_tree_add(struct merkle_tree *t, const uint8_t leaf[MERKLE_HASH])
{
	if (t->count == t->max)
		return KMS_E_TOO_LARGE;
	memcpy(t->level[0] + t->count++ * MERKLE_HASH, leaf, MERKLE_HASH);
	return KMS_OK;
}

int
merkle_tree_add_entry(struct merkle_tree *t, const void *entry, size_t len)
{
	if (t->count == t->max)
		return KMS_E_TOO_LARGE;
	leaf_hash(t->hash, t->level[0] + t->count++ * MERKLE_HASH, entry, len);
	return KMS_OK;
}

void
merkle_tree_close(struct merkle_tree *t, uint8_t root[MERKLE_HASH])
{
	size_t n = t->count;
	unsigned level = 0;

	if (n == 0) {
		t->hash(root, "", 0, "", 0);
		return;
	}
	for (; n > 1; n = (n + 1) / 2, level++) {
		const uint8_t *from = t->level[level];
		uint8_t *to = t->level[level + 1];

		for (size_t i = 0; i + 1 < n; i += 2, from += 2 * MERKLE_HASH, to += MERKLE_HASH)
			node_hash(t->hash, to, from, from + MERKLE_HASH);
		if (n % 2 == 1)
			memcpy(to, from, MERKLE_HASH);
	}
	memcpy(root, t->level[level], MERKLE_HASH);
}

size_t
merkle_tree_size(const struct merkle_tree *t)
{
	return t->count;
}

size_t
merkle_tree_proof(
    const struct merkle_tree *t, size_t index, uint8_t proof[MERKLE_MAX_PROOF][MERKLE_HASH])
{
	size_t n = t->count, found = 0;

	if (index >= n)
		return 0;
	for (unsigned level = 0; n > 1; n = (n + 1) / 2, index /= 2, level++) {
		size_t sibling = index ^ 1;

		if (sibling < n)
			memcpy(
			    proof[found++], t->level[level] + sibling * MERKLE_HASH, MERKLE_HASH);
	}
	return found;
}

/* Whole trees are joined as a carry runs through the bits of the count. */
void
merkle_run_add(struct merkle_run *r, const uint8_t leaf[MERKLE_HASH])
{
	uint8_t hash[MERKLE_HASH];
	unsigned level = 0;

	memcpy(hash, leaf, sizeof(hash));
	for (uint64_t n = r->count; (n & 1) != 0; n >>= 1, level++)
		node_hash(sodium_sha256, hash, r->whole[level], hash);
	memcpy(r->whole[level], hash, sizeof(hash));
	r->count++;
}

/* The smaller trees are to the right. */
void
merkle_run_root(const struct merkle_run *r, uint8_t root[MERKLE_HASH])
{
	bool any = false;
	unsigned level = 0;

	if (r->count == 0)
		crypto_hash_sha256(root, NULL, 0);
	for (uint64_t n = r->count; n != 0; n >>= 1, level++) {
		if ((n & 1) == 0)
			continue;
		if (any)
			node_hash(sodium_sha256, root, r->whole[level], root);
		else
			memcpy(root, r->whole[level], MERKLE_HASH);
		any = true;
	}
}

/* RFC 9162 section 2.1.3.2, which spells out what RFC 6962 leaves to the reader. */
int
merkle_verify(const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size, const uint8_t *proof,
    size_t count, const uint8_t root[MERKLE_HASH])
{
	uint8_t hash[MERKLE_HASH];
	uint64_t at = index, last = size - 1;

	if (index >= size)
		return KMS_E_PROOF;
	memcpy(hash, leaf, sizeof(hash));
	for (size_t i = 0; i < count; i++, proof += MERKLE_HASH) {
		if (last == 0)
			return KMS_E_PROOF;
		if (at % 2 == 1 || at == last) {
			node_hash(sodium_sha256, hash, proof, hash);
			while (at % 2 == 0 && at != 0) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			node_hash(sodium_sha256, hash, hash, proof);
		}
		at >>= 1;
		last >>= 1;
	}
	return last == 0 && memcmp(hash, root, MERKLE_HASH) == 0 ? KMS_OK : KMS_E_PROOF;
}
