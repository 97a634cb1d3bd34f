/*
 * batch.h - the header of a batch: one signature for all entries of its tree,
 * chained to the batch before.
 *
 *   0   8  "KMSBATCH" (keeps this signature apart from every other)
 *   8  16  host id
 *  24   8  batch number, from 1, without gaps
 *  32  32  SHA-256 of the header before (its 108 bytes), zero for batch 1
 *  64   4  tree size: number of entries
 *  68  32  Merkle root
 * 100   8  time, seconds since 1970 UTC
 * = 108; the Ed25519 signature is over these bytes.
 */
#ifndef KMS_LIBKMS_CORE_BATCH_H
#define KMS_LIBKMS_CORE_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/core/limits.h"

struct batch_header {
	uint8_t host_id[16];
	uint64_t number;
	uint8_t previous[32];
	uint32_t size;
	uint8_t root[32];
	uint64_t time;
};

/* The time of an entry, and that of its header, which may differ by so much. */
#define BATCH_SKEW (4 * 3600) /* seconds */
bool batch_time_near(uint64_t entry, uint64_t header);

void batch_header_encode(uint8_t out[BATCH_HEADER], const struct batch_header *h);
/* KMS_E_FORMAT */
int batch_header_decode(struct batch_header *h, const uint8_t in[BATCH_HEADER]);
void batch_header_hash(uint8_t out[32], const uint8_t header[BATCH_HEADER]);
/* KMS_OK or KMS_E_SIGNATURE. */
int batch_verify(const uint8_t header[BATCH_HEADER], const uint8_t sig[BATCH_SIGNATURE],
    const uint8_t sign_pk[32]);

#endif
