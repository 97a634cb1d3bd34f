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
#include "kmsdb/version.h"
#include "libkms/base/fault.h"

/* Not an error: the map must grow, then the transaction is repeated. */
#define INDEX_MAP_FULL KMS_E_TOO_LARGE

struct index;

enum index_table {
	INDEX_HOT,
	INDEX_COLD,
	INDEX_COUNTS,
	INDEX_BATCHES,
	INDEX_SEATS,
	INDEX_CHAINS,
	INDEX_WITNESSES,
	INDEX_META,
	INDEX_RELAYED,
	INDEX_RESTORED,
	INDEX_INSTALLED,
	INDEX_USAGE,
	INDEX_RIGHTS, /* and INDEX_SHARE: right_rows.h */
	INDEX_SHARE
};
#define INDEX_TABLES 14

/* Row `kmsdb`: schema 4, last 8, hash 32, counter 8, floors 5 each, clock 8 (widths). */
struct index_meta {
	uint32_t schema;
	uint64_t last; /* last batch whose every effect is in the index */
	uint8_t hash[32];
	uint64_t counter; /* highest in any entry about a client */
	struct index_floors floors;
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
/*
 * Schema, last batch and its hash of an index of any version; the caller keeps writers away. false:
 * there is none, or it cannot be read.
 */
bool index_peek(int dirfd, const char *name, struct index_meta *meta);
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
int index_each_from(struct index *ix, enum index_table table, const void *from, size_t from_len,
    int (*fn)(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg),
    void *arg);
/* All of them; above, those from that key on (NULL: all). */
int index_each(struct index *ix, enum index_table table,
    int (*fn)(const uint8_t *key, size_t key_len, const uint8_t *row, size_t len, void *arg),
    void *arg);

/* Of a row of INDEX_COUNTS. KMS_E_ALTERED. */
int index_count_decode(
    struct kmsdb_count *out, const uint8_t *key, size_t key_len, const uint8_t *row, size_t len);

/* Writing. An error sticks: index_commit returns it and aborts. */
int index_begin(struct index *ix);
void index_put(struct index *ix, enum index_table table, const void *key, size_t key_len,
    const void *row, size_t len);
void index_delete(struct index *ix, enum index_table table, const void *key, size_t key_len);
/* Deletes the rows whose keys are to go. */
void index_drop(struct index *ix, enum index_table table,
    bool (*gone)(const uint8_t *key, size_t key_len, const void *arg), const void *arg);
/* Puts a client's hot row and returns its old one; *had false: it had none. */
void index_swap_hot(struct index *ix, const uint8_t cmid[16], const uint8_t row[ROW_HOT],
    uint8_t old[ROW_HOT], bool *had);
/* Counts clients more or fewer in that row. */
void index_count(struct index *ix, const uint8_t key[ROW_COUNT_KEY], int64_t by);
void index_put_meta(struct index *ix, const struct index_meta *meta);
/*
 * A transaction of its own: of the next count clients, from that CMID on, blanks the names of those
 * that were last seen up to floor; with the last of them, also of what the relay observed. *more:
 * there are others, from *from on.
 */
int index_blank(
    struct index *ix, uint8_t from[ROW_CMID], uint64_t floor, unsigned count, bool *more);
/*
 * The same: removes the rows of clients that are below a floor, and what they counted; with the
 * last of them, also those of relayed sources.
 */
int index_expire(
    struct index *ix, uint8_t from[ROW_CMID], const struct index_floors *floors, bool *more);
/* The same: removes the next count rows at most whose keys are before that one. */
int index_drop_before(struct index *ix, enum index_table table, const void *before, size_t key_len,
    unsigned count, bool *more);
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
uint64_t index_rows(struct index *ix, enum index_table table);

#endif
