/*
 * entry_counters.h - ENTRY_COUNTERS (40): how often this host refused requests since the entry of
 * that kind before. Refusals themselves are sampled under a flood, so sums are made from these.
 * The form of entry_blobs.h; subject: host id; digest and text empty; blob:
 *
 *   0  4  seconds that it covers
 *   4  ..  1 to 400 times, ascending, none twice:
 *          0  8  publisher, zeros: no pack names the product
 *          8  2  pool
 *         10  2  status (enum kms_status), not 0
 *         12  4  refusals, not 0
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_COUNTERS_H
#define KMS_LIBKMS_CORE_ENTRY_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY_COUNTERS_MAX 400
#define ENTRY_COUNTERS_HEAD 4
#define ENTRY_COUNTER 16
#define ENTRY_COUNTERS_BLOB (ENTRY_COUNTERS_HEAD + ENTRY_COUNTERS_MAX * ENTRY_COUNTER)

struct entry_counter {
	uint8_t publisher[8];
	uint16_t pool;
	uint16_t status;
	uint32_t refusals;
};

/* Less than, equal to or more than 0: the order of the counters in a blob. */
int entry_counter_compare(const struct entry_counter *a, const struct entry_counter *b);
/* The blob of count counters, which are ascending; returns its size, 0: it does not fit. */
size_t entry_counters_encode(uint8_t *out, size_t size, uint32_t seconds,
    const struct entry_counter *counters, size_t count);
bool entry_counters_ok(const uint8_t *blob, size_t len);
/* Of a blob that is ok. */
size_t entry_counters_count(size_t len);
uint32_t entry_counters_seconds(const uint8_t *blob);
void entry_counters_get(struct entry_counter *out, const uint8_t *blob, size_t i);

#endif
