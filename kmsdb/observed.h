/*
 * observed.h - what the relay observed of one source address, as a row: made only from
 * ENTRY_RELAYED and ENTRY_RELAYED_NAME, and counted nowhere else.
 *
 * Row, key the commitment to the address (subject of both)
 *    0  6  last batch that changed it    6  5  first seen    11  5  last seen
 *   16 24  exchanges of each outcome, u32, in the order of enum ipc_relayed_outcome
 *   40  1  outcome of the last           41  4  its RPC status
 *   45  4  its latency, microseconds
 *   49 32  four versions: major 2, minor 2, u32 exchanges     81  4  exchanges of others
 *   85 66  three hosts: address 16, port 2, u32 exchanges    151  4  exchanges with others
 *  155 16  CMID    171  4  count    175  5  when, as the KMS host's log gives them; zero: not
 *          imported
 *  180 16  address, IPv4 as ::ffff:a.b.c.d; zeros: erased
 *  196  5  time of the entry that brought the address       201  5  the same of the name
 *  206  1  n      207  n  name
 */
#ifndef KMSDB_OBSERVED_H
#define KMSDB_OBSERVED_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsdb/apply.h"
#include "kmsdb/kmsdb.h"

#define ROW_OBSERVED_FIXED 207
#define ROW_OBSERVED (ROW_OBSERVED_FIXED + MESSAGE_NAME)

struct observed_row {
	struct kmsdb_relayed r;
	uint64_t changed;
};

size_t observed_encode(uint8_t out[ROW_OBSERVED], const struct observed_row *row);
int observed_decode(
    struct observed_row *row, const uint8_t subject[16], const uint8_t *in, size_t len);
/* Effect of an entry of either kind; KMS_OK or the decoder's error. */
int observed_apply(struct observed_row *row, const struct item *item, const struct apply_entry *e);
/* Is the row absent? */
bool observed_expired(const struct kmsdb_relayed *r, const struct index_floors *floors);
/* Address and name of entries up to that time are erased. */
void observed_blank(struct kmsdb_relayed *r, uint64_t floor);

#endif
