/*
 * right_rows.h - rows of the two tables of the index that a host has which counts together with
 * others.
 *
 * Right row, one for a client and pool with an act that used a right, or that may be seen for
 * longer than its row says. Key: CMID, and its first bytes xor publisher 8 and pool 2
 *	 0 16  CMID             16  8  publisher         24  2  pool
 *	26  1  1: a right was used; else 0, and zeros up to 49
 *	27  8  the highest act that did: sequence        35  2  chain     37  8  batch    45  4 leaf
 *	49  4  the latest minute until which any act counts that was not, or is no longer, what the
 *	       client's row says; 0 none
 * Share row, key what 1, chain 1, and as below
 *	 0  8  batch and  8  4  leaf of the entry, and from 12:
 *	SHARE  zeros 14                  octet 1, name
 *	ALONE  zeros 14                  octet 1, time 8
 *	HEARD  chain 1, zeros 13         the 56 octets of the entry for it; not of the own chain
 *	GIVE   batch 8, leaf 4, zeros 2  the blob; those of this host, and to it
 *	HELD   the same                  the blob; those of this host
 * Of SHARE and ALONE the last one, of HEARD the highest batch. None is a sum, so entries give the
 * same rows in any order, and applied twice they change nothing.
 */
#ifndef KMSDB_RIGHT_ROWS_H
#define KMSDB_RIGHT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROW_RIGHT 53
#define ROW_RIGHT_KEY 16
#define ROW_SHARE_HEAD 12
#define ROW_SHARE 68 /* the longest */
#define ROW_SHARE_KEY 16

struct right_row {
	uint8_t cmid[16];
	uint8_t publisher[8];
	uint16_t pool;
	bool used;
	uint64_t sequence;
	uint16_t chain;
	uint64_t batch;
	uint32_t leaf;
	uint32_t until; /* minutes */
};

void right_row_key(
    uint8_t key[ROW_RIGHT_KEY], const uint8_t cmid[16], const uint8_t publisher[8], uint16_t pool);
void right_row_encode(uint8_t out[ROW_RIGHT], const struct right_row *r);
/* KMS_E_ALTERED: wrong length. */
int right_row_decode(struct right_row *r, const uint8_t *in, size_t len);

/* Key of SHARE, ALONE; of GIVE and HELD; of HEARD. */
void share_row_key(uint8_t key[ROW_SHARE_KEY], uint8_t kind, unsigned chain);
void share_row_key_at(
    uint8_t key[ROW_SHARE_KEY], uint8_t kind, unsigned chain, uint64_t batch, uint32_t leaf);
void share_row_key_heard(uint8_t key[ROW_SHARE_KEY], unsigned teller, unsigned chain);
/* Returns the size. */
size_t share_row_put(
    uint8_t out[ROW_SHARE], uint64_t batch, uint32_t leaf, const void *what, size_t len);
/* <0: the row is of an entry before that place; 0 the same. */
int share_row_order(const uint8_t *row, uint64_t batch, uint32_t leaf);
uint64_t share_row_batch(const uint8_t *row);

#endif
