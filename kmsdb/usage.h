/*
 * usage.h - how much each pool was used, day by day (UTC), for USAGE_DAYS.
 *
 * These are sums, so an entry must feed them once, where the rows of apply.h may be written twice.
 * The rows that changed are therefore held in memory, and a checkpoint writes them first of all,
 * with the number of the last batch that is in them (through). A replay feeds them what comes after
 * that: then every client's row is what it was when the entry was written, because all that an
 * unfinished checkpoint can have written is not after it. So live, replay and rebuild agree.
 *
 * A day is over when an entry of a later one comes: then the count at its end is noted, and each
 * pool that has clients has a row for each day up to then, also for one without entries.
 */
#ifndef KMSDB_USAGE_H
#define KMSDB_USAGE_H

#include <stdint.h>

#include "kmsdb/apply.h"
#include "kmsdb/seats.h"
#include "kmsdb/usage_rows.h"

/* What undoes one entry. */
struct usage_undo {
	enum { USAGE_SAME, USAGE_ROW, USAGE_MADE, USAGE_SAVED } what;
	uint32_t day;
	struct usage_row row;
};
void usage_free(struct usage *s);

/*
 * Before an entry of that time is applied: its day may be a new one. Then usage_act or
 * usage_counters, or neither. KMS_E_NO_MEMORY, KMS_E_IO: usage_undo, as for an entry that is
 * undone.
 */
int usage_reach(
    struct usage *s, struct seats *seats, const struct apply_entry *e, struct usage_undo *u);
/* LEASE, SEEN or RELEASE. before: the client's row before it; NULL: none. */
int usage_act(struct usage *s, const struct kmsdb_client *before, const struct apply_entry *e,
    struct usage_undo *u);
int usage_counters(struct usage *s, const struct apply_entry *e, struct usage_undo *u);
void usage_undo(struct usage *s, const struct usage_undo *u);
/* What was applied will not be undone. */
void usage_settle(struct usage *s);

/* Between checkpoints: what the next one is to write, when it contains batches up to last. */
int usage_freeze(struct usage *s, struct usage_part *out, uint64_t last);
/*
 * Rows as they are at now (seconds), ascending by key, from that key on; NULL: all. Callback
 * non-zero stops and is returned.
 */
int usage_each(const struct usage *s, struct seats *seats, const uint8_t *from, uint64_t now,
    int (*fn)(const struct kmsdb_usage *row, void *arg), void *arg);

#endif
