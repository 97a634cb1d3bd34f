/*
 * merkle.h - the Merkle tree of RFC 6962 section 2.1 over SHA-256: leaf
 * hash SHA-256(0x00 || entry), node hash SHA-256(0x01 || left || right).
 */
#ifndef KMS_LIBKMS_CORE_MERKLE_H
#define KMS_LIBKMS_CORE_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/limits.h"

/* SHA-256 of a, then b. */
typedef void (*merkle_sha256)(
    uint8_t out[MERKLE_HASH], const void *a, size_t a_len, const void *b, size_t b_len);

void merkle_leaf(uint8_t out[MERKLE_HASH], const void *entry, size_t len);

/*
 * A tree whose every level is kept, so that a batch of n proofs costs n - 1
 * node hashes in all and not n log n. merkle_tree_new(max leaves) once, then for
 * each batch: reset, add leaves, merkle_tree_close (gives the root), read proofs.
 */
struct merkle_tree;
struct merkle_tree *merkle_tree_new(size_t max_leaves); /* NULL: memory */
/* The same with another SHA-256 than libsodium's (fast_sha256.h). */
struct merkle_tree *merkle_tree_with(size_t max_leaves, merkle_sha256 hash);
void merkle_tree_free(struct merkle_tree *t);
void merkle_tree_reset(struct merkle_tree *t);
/* KMS_E_TOO_LARGE */
int merkle_tree_add(struct merkle_tree *t, const uint8_t leaf[MERKLE_HASH]);
/* The leaf of an entry. KMS_E_TOO_LARGE */
int merkle_tree_add_entry(struct merkle_tree *t, const void *entry, size_t len);
/* Root of an empty tree: SHA-256 of nothing. */
void merkle_tree_close(struct merkle_tree *t, uint8_t root[MERKLE_HASH]);
size_t merkle_tree_size(const struct merkle_tree *t);
/* Inclusion proof PATH(index) of section 2.1.1; returns the number of hashes. */
size_t merkle_tree_proof(
    const struct merkle_tree *t, size_t index, uint8_t proof[MERKLE_MAX_PROOF][MERKLE_HASH]);

/*
 * The root alone, of any number of leaves, in little memory: leaves as they come, then the root of
 * those so far. Begins as zeros.
 */
#define MERKLE_RUN_LEVELS 64
struct merkle_run {
	uint64_t count;
	uint8_t whole[MERKLE_RUN_LEVELS][MERKLE_HASH]; /* of 2^i leaves, where count has that bit */
};
void merkle_run_add(struct merkle_run *r, const uint8_t leaf[MERKLE_HASH]);
void merkle_run_root(const struct merkle_run *r, uint8_t root[MERKLE_HASH]);

/* KMS_OK or KMS_E_PROOF. proof is count hashes, one after the other. */
int merkle_verify(const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size,
    const uint8_t *proof, size_t count, const uint8_t root[MERKLE_HASH]);

#endif
