/*
 * refusal_counts.h - how often clients are refused, by publisher, pool and status, until an
 * ENTRY_COUNTERS says so: the refusals themselves are sampled in the journal (refusal.h). At most
 * one entry a minute, and none without refusals, whoever asks and however often.
 */
#ifndef KMSD_ACTIVATE_REFUSAL_COUNTS_H
#define KMSD_ACTIVATE_REFUSAL_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/core/entry_counters.h"

#define REFUSAL_COUNTS_SECONDS 60
/* The places behind these are for refusals of any pool: there are fewer statuses. */
#define REFUSAL_COUNTS_POOLS 300

struct refusal_counts {
	struct entry_counter list[ENTRY_COUNTERS_MAX];
	size_t count, last;
	uint64_t since; /* seconds: the first of them came then, or the last entry was written */
};

/*
 * publisher NULL: no pack names the product. A refusal that only asks the client to try once more,
 * or that says that there is nothing to release, is none here.
 */
void refusal_counts_add(struct refusal_counts *c, const uint8_t publisher[8], uint16_t pool,
    uint32_t status, uint64_t now);
bool refusal_counts_due(const struct refusal_counts *c, uint64_t now);
/* The blob of the entry, of at most ENTRY_COUNTERS_BLOB; sorts the list. */
size_t refusal_counts_blob(struct refusal_counts *c, uint8_t *out, size_t size, uint64_t now);
void refusal_counts_clear(struct refusal_counts *c, uint64_t now);

#endif
