/*
 * dropped.h - what remains of batches that were dropped: the first 16 bytes of the hash of each, in
 * journal/dropped. That of batch N is at 16 * N; the 16 bytes before that of batch 1 are
 * "KMSJDROP", schema 4 (1), zeros 4. They are on disk before a segment is removed. Their Merkle
 * root is in the entry BASE (libkms/core/entry_base.h).
 */
#ifndef KMSDB_DROPPED_H
#define KMSDB_DROPPED_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/core/merkle.h"

#define DROPPED_NAME "dropped"
#define DROPPED_HASH 16

/* To write, made when it is not there. KMS_E_SCHEMA: of another version. */
int dropped_open(int journalfd, int *fd);
int dropped_put(int fd, uint64_t number, const uint8_t hash[32]);
/* KMS_E_NOT_FOUND: it has no such batch. */
int dropped_get(int journalfd, uint64_t number, uint8_t hash[DROPPED_HASH]);
/* Does a journal that begins with batch first, after one with that hash, continue it? */
bool dropped_continues(int journalfd, uint64_t first, const uint8_t previous[32]);
/* Adds those of batches from run->count + 1 up to that one. KMS_E_NOT_FOUND: one is missing. */
int dropped_run(int journalfd, uint64_t upto, struct merkle_run *run);
void dropped_leaf(struct merkle_run *run, const uint8_t hash[DROPPED_HASH]);

#endif
