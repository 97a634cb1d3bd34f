/*
 * journal.h - the writing end of the journal: one open segment, appended to
 * and synced, and the next one prepared ahead.
 *
 * A segment is written full of zeros and synced before it is used. With space that is only
 * allocated (fallocate), every fdatasync would also write metadata: unwritten extents.
 */
#ifndef KMSDB_JOURNAL_H
#define KMSDB_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsdb/scan.h"

struct journal;

typedef void (*journal_log_fn)(int level, const char *event, const char *text, void *arg);

/*
 * Continues where a scan ended: clears a torn end, writes a footer that is missing after a crash,
 * makes the first segment when there is none. journalfd is borrowed.
 */
int journal_open(struct journal **out, int journalfd, uint64_t segment_size,
    const struct scan *scan, journal_log_fn log, void *log_arg, struct fault *fault);
void journal_close(struct journal *j);

/*
 * Append and sync a sealed record, whose batch gets hash. *first, *offset: where it is. On failure
 * the journal is unchanged: KMS_E_FULL, KMS_E_IO.
 */
int journal_append(struct journal *j, const uint8_t *record, size_t len, const uint8_t hash[32],
    uint64_t *first, uint64_t *offset);

/*
 * Zeros in the segment that begins with first, which fd is: so that an append, perhaps at the same
 * time, does not write what was there before. From the writer thread, too.
 */
int journal_zero(struct journal *j, uint64_t first, int fd, uint64_t offset, uint64_t len);

uint64_t journal_last(const struct journal *j); /* number of the last batch */
const uint8_t *journal_last_hash(const struct journal *j);
/* The current segment is half full and nobody has prepared the next one. */
bool journal_wants_segment(struct journal *j);
/* Prepares it; called in the writer thread, in parallel to appends. */
void journal_prepare(struct journal *j);

#endif
