/*
 * journal.h - the writing end of the journal: one open segment, appended to
 * and synced, and the next one prepared ahead.
 *
 * A segment is written full of zeros and synced before it is used. Space that is merely
 * allocated (fallocate) would make every fdatasync change metadata too: unwritten extents.
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
 * Go on where a scan ended: clears what is torn, writes a footer that a crash left out,
 * makes the first segment when there is none. journalfd is borrowed.
 */
int journal_open(struct journal **out, int journalfd, uint64_t segment_size,
    const struct scan *scan, journal_log_fn log, void *log_arg, struct fault *fault);
void journal_close(struct journal *j);

/*
 * Append and sync a sealed record, whose batch gets hash. *first, *offset: where it stands. On
 * failure the journal is as before: KMS_E_FULL, KMS_E_IO.
 */
int journal_append(struct journal *j, const uint8_t *record, size_t len, const uint8_t hash[32],
    uint64_t *first, uint64_t *offset);

uint64_t journal_last(const struct journal *j); /* number of the last batch */
const uint8_t *journal_last_hash(const struct journal *j);
/* The current segment is half full and nobody has prepared the next one. */
bool journal_wants_segment(struct journal *j);
/* Prepare it; from the writer thread, beside appends. */
void journal_prepare(struct journal *j);

#endif
