/*
 * rotations.h - the chain of a publisher's key rotations in the state directory,
 * publishers/ID/rotations (ID: the key of kms.ini): statements one after the other, the oldest
 * first, and the SHA-256 of them all. The statements carry their signatures; the hash tells a
 * damaged file from a forged one.
 */
#ifndef KMS_POLICY_FILES_ROTATIONS_H
#define KMS_POLICY_FILES_ROTATIONS_H

#include "policy/files/publisher_list.h"
#include "policy/files/signed_file.h"

#define ROTATIONS_DIGEST 32
#define ROTATIONS_MAX (ROTATION_CHAIN_MAX * ROTATION_SIZE + ROTATIONS_DIGEST) /* bytes */

/* The file's bytes; pure. */
size_t rotations_encode(uint8_t out[ROTATIONS_MAX], const struct publisher_keys *k);
/*
 * Takes the file's statements into k. KMS_E_FORMAT: damaged; else why a statement is not the
 * publisher's (publisher_keys.h). On failure, k has no rotation.
 */
int rotations_decode(struct publisher_keys *k, const uint8_t *in, size_t len);

void rotations_path(char out[SIGNED_FILE_PATH], const struct publisher *p);
/* KMS_E_NOT_FOUND: none is installed. */
int rotations_read(int dirfd, struct publisher *p, struct fault *f);
/* Could the statement be added? As publisher_keys_rotate. */
int rotations_check(const struct publisher *p, const uint8_t statement[ROTATION_SIZE]);
/* Writes the chain with this statement added; p is not changed. */
int rotations_store(int dirfd, const struct publisher *p, const uint8_t statement[ROTATION_SIZE]);

#endif
