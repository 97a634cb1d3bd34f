/*
 * row.h - rows of the index as bytes: fixed, big-endian, small. A checkpoint writes hundreds of
 * thousands of hot rows, so product, publisher, pool and class, which many clients share, are one
 * number in them: the seat (seats.h). A renewal reads and writes the hot row alone.
 *
 * Hot row, key CMID    0  2  seat, 0xffff none
 *                      2  2  flags: those of the act in the low 8 bits, KMSDB_RELEASED ...
 *                      4  2  chain, 0 own
 *                      6  1  kind of the act, 0: refusals only
 *                      7  1  holder of the right for the seat's pool, enum row_holder
 *                      8  8  sequence number         16 16  request id, zero when ended
 *                     32  6  batch                   38  2  leaf
 *                     40  8  first bytes of the hash of the batch's header
 *                     48  4  counts until, minutes, 0 when ended or released
 *                     52  5  last seen               57  5  expires
 *                     62  2  status last told
 *                     64  4  shown: FNV-1a of the three commitments last seen and the binding of
 *                            the act (zeros without), when that is what the cold row shows; 0: it
 *                            shows something else
 * Cold row, key CMID   0  5  first seen               5  5  last marked CLONE, 0 never
 *                     10  4  last CAUGHT_UP, minutes
 *                     14  8  counter of the revocation register   22  2  chain of it
 *                     24  8  counter of the hold register         32  2  chain of it
 *                     34  5  end of the hold
 *                     39  5  erased up to            44  5  forgotten up to
 *                     49 16  binding                 65 16  address
 *                     81  1  n    82  n  name         .. 1  m   m  user
 * Count row, key publisher 8, pool 2, class 2, BORROWED or 0 1, until 4, holder 1: u32 clients
 * Batch row, key chain 2, 0, number 8: segment 8, offset 8, hash 32
 * Chain row: chains.h
 * Seat row, key seat 2: product 16, publisher 8, pool 2, class 2
 *
 * Numbers of seats and chains are given in the order in which they are met, and shown depends on
 * the order of entries too: rows are compared decoded, without it.
 */
#ifndef KMSDB_ROW_H
#define KMSDB_ROW_H

#include <stdint.h>

#include "kmsdb/kmsdb.h"

#define ROW_CMID 16
#define ROW_HOT 68
#define ROW_HOT_HEADER 40
#define ROW_COLD_FIXED 81
#define ROW_COLD (ROW_COLD_FIXED + 2 * (1 + MESSAGE_NAME))
#define ROW_COUNT_KEY 18
#define ROW_BATCH_KEY 10
#define ROW_BATCH 48
#define ROW_CHAIN 120
#define ROW_SEAT 28
#define ROW_NO_SEAT 0xffff

/* A client as entries change it. */
struct client_row {
	struct kmsdb_client c; /* c.product, publisher, pool, class: of the seat */
	uint16_t seat;
	uint32_t shown;
	uint8_t holder; /* enum row_holder */
};
/* Whose right the seat has (share_rights.h), where hosts count together. */
enum row_holder {
	ROW_HOLDER_NONE, /* nobody's: no act with ENTRY_RIGHT is known */
	ROW_HOLDER_OWN,
	ROW_HOLDER_OTHER,
};
#define ROW_HOLDERS 3

/* Times up to which rows, or their names, are gone; 0: none are. */
struct index_floors {
	uint64_t refusals, forgotten, relayed, names; /* seconds */
	uint64_t clock; /* no floor: the time of the last CLOCK entry, which never falls either */
};
/*
 * Is the row of such a client absent? So are those that have only refusals, up to their floor; and
 * up to another one those that were forgotten, and those of clients without state, whose seat and
 * lease ended by then, too. A client that is revoked or held stays.
 */
bool row_expired(const struct kmsdb_client *c, const struct index_floors *floors);

void row_hot_encode(uint8_t out[ROW_HOT], const struct client_row *r);
/*
 * KMS_OK; KMS_E_ALTERED: wrong length. Of the seat the number alone: seats_row_decode gives the
 * rest.
 */
int row_hot_decode(
    struct client_row *r, const uint8_t cmid[ROW_CMID], const uint8_t *in, size_t len);
/* The minute until which the encoded row counts its client, 0: it does not. */
uint32_t row_hot_counts(const uint8_t row[ROW_HOT]);
uint16_t row_hot_chain(const uint8_t row[ROW_HOT]);
uint64_t row_hot_batch(const uint8_t row[ROW_HOT]);
uint64_t row_hot_last_seen(const uint8_t row[ROW_HOT]);
bool row_hot_expired(const uint8_t row[ROW_HOT], const struct index_floors *floors);
uint16_t row_hot_seat(const uint8_t row[ROW_HOT]);
bool row_hot_borrowed(const uint8_t row[ROW_HOT]);
uint8_t row_hot_holder(const uint8_t row[ROW_HOT]);
/* Returns the size. */
size_t row_cold_encode(uint8_t out[ROW_COLD], const struct kmsdb_cold *c);
int row_cold_decode(
    struct kmsdb_cold *c, const uint8_t cmid[ROW_CMID], const uint8_t *in, size_t len);
/* Never 0. binding NULL: none. */
uint32_t row_shown(const struct commitments *c, const uint8_t binding[16]);

#endif
