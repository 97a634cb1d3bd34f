/*
 * row.h - rows of the index as bytes: fixed, big-endian, small. A checkpoint writes hundreds of
 * thousands of client rows, so product, publisher and pool, which many clients share, are one
 * number in them: the seat (seats.h).
 *
 * Client row, key CMID     0  2  seat            2  1  kind       3  1  flags
 *                          4  2  clones          6  2  status     8  4  entries
 *                         12  3  day it counts on, 0 not counted
 *                         15  5  last seen      20  5  expires   25  8  sequence
 *                         33 16  request id     49  6  batch     55  2  leaf
 *                         57  6  last batch that changed the row
 *                         63  4  FNV-1a of host name and address
 * Host row, key CMID       0  8  first seen      8 16  address   24  1  n   25  n  name
 * Day row, key publisher 8, pool 2, day 4: u32 clients counted on that day
 * Batch row, key number 8: segment 8, offset 8, hash 32
 * Seat row, key seat 2: product 16, publisher 8, pool 2
 */
#ifndef KMSDB_ROW_H
#define KMSDB_ROW_H

#include <stdint.h>

#include "kmsdb/kmsdb.h"

#define ROW_CMID 16
#define ROW_CLIENT 67
#define ROW_HOST_FIXED 25
#define ROW_HOST (ROW_HOST_FIXED + MESSAGE_NAME)
#define ROW_DAY_KEY 14
#define ROW_BATCH 48
#define ROW_SEAT 26

/* A client as entries change it. */
struct client_row {
	struct kmsdb_client c; /* c.product, c.publisher, c.pool: of the seat */
	uint16_t seat;
	uint64_t changed; /* last batch that changed the row */
	uint32_t host_hash;
};

struct seats;
void row_client_encode(uint8_t out[ROW_CLIENT], const struct client_row *r);
/* KMS_OK; KMS_E_ALTERED: wrong length, or a seat that does not exist. */
int row_client_decode(struct client_row *r, const uint8_t cmid[ROW_CMID], const uint8_t *in,
    size_t len, const struct seats *seats);
/* Returns the size. */
size_t row_host_encode(uint8_t out[ROW_HOST], const struct kmsdb_host *h);
int row_host_decode(
    struct kmsdb_host *h, const uint8_t cmid[ROW_CMID], const uint8_t *in, size_t len);
uint32_t row_host_hash(const char *name, const uint8_t address[16]);

#endif
