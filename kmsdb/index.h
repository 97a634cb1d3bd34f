/*
 * index.h - everything that uses LMDB: tables, one snapshot for the main thread's look-ups, one
 * write transaction for the writer.
 */
#ifndef KMSDB_INDEX_H
#define KMSDB_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/row.h"
#include "libkms/base/fault.h"

#define INDEX_SCHEMA 1
/* Not an error: the map must grow, then the transaction is repeated. */
#define INDEX_MAP_FULL KMS_E_TOO_LARGE

struct index;

enum index_table {
	INDEX_CLIENTS,
	INDEX_HOSTS,
	INDEX_DAYS,
	INDEX_BATCHES,
	INDEX_SEATS,
	INDEX_META,
	INDEX_RELAYED
};
#define INDEX_TABLES 7

struct index_meta {
	uint32_t schema;
	uint64_t last; /* last batch whose every effect is in the index */
	uint8_t hash[32];
};

enum index_use {
	INDEX_READ, /* with or without a writer; creates nothing */
	INDEX_WRITE,
	INDEX_SCRATCH, /* write, but a crash may spoil it */
};

/* name: a directory beneath dirfd. */
int index_open(struct index **out, int dirfd, const char *name, enum index_use use,
    uint64_t map_size, struct fault *fault);
void index_close(struct index *ix);
/* Syncs everything to disk, for INDEX_SCRATCH. */
int index_sync(struct index *ix);
/* Removes the files and the directory, if they exist. */
void index_remove(int dirfd, const char *name);

/* The main thread's snapshot: everything committed so far becomes visible. */
int index_refresh(struct index *ix);
/* Views into the snapshot; KMS_E_NOT_FOUND, KMS_E_IO. */
int index_get(struct index *ix, enum index_table table, const void *key, size_t key_len,
    const uint8_t **row, size_t *len);
int index_get_meta(struct index *ix, struct index_meta *meta);
/* In order of keys; fn non-zero stops and is returned. */
int index_each(struct index *ix, enum index_table table,
    int (*fn)(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg),
    void *arg);

/* Writing. An error sticks: index_commit returns it and aborts. */
int index_begin(struct index *ix);
void index_put(struct index *ix, enum index_table table, const void *key, size_t key_len,
    const void *row, size_t len);
void index_delete(struct index *ix, enum index_table table, const void *key, size_t key_len);
/* Puts a client (row NULL: deletes it) and returns its old row; *had false: it had none. */
void index_swap_client(struct index *ix, const uint8_t cmid[16], const uint8_t *row,
    uint8_t old[ROW_CLIENT], bool *had);
/* Counts one client more or less on the row's day. */
void index_count_day(struct index *ix, const uint8_t key[ROW_DAY_KEY], int64_t by);
void index_put_meta(struct index *ix, const struct index_meta *meta);
int index_commit(struct index *ix); /* INDEX_MAP_FULL, KMS_E_FULL, KMS_E_IO */

/*
 * Twice the map. From the main thread, while no transaction writes; views into the
 * snapshot end.
 */
int index_grow(struct index *ix);

struct index_size {
	uint64_t clients, octets, map;
};
void index_size(struct index *ix, struct index_size *out);

#endif
