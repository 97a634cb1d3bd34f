/*
 * cmid_hash.h - where a CMID has its place in a table in memory. A stranger can choose the bits of
 * a CMID by trying keys, but does not know the seed.
 */
#ifndef KMSDB_CMID_HASH_H
#define KMSDB_CMID_HASH_H

#include <sodium.h>
#include <stdint.h>
#include <string.h>

struct cmid_hash {
	uint64_t seed[2];
};

/* Both halves of a product of 128 bits, folded into one. */
static inline uint64_t
cmid_folded(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX), high = (a >> 32) * (b >> 32);
	uint64_t middle = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
	uint64_t other = (a & UINT32_MAX) * (b >> 32) + (middle & UINT32_MAX);

	return (other << 32 | (low & UINT32_MAX)) ^ (high + (middle >> 32) + (other >> 32));
#endif
}

static inline void
cmid_hash_init(struct cmid_hash *h)
{
	randombytes_buf(h->seed, sizeof(h->seed));
}

static inline uint64_t
cmid_hash(const struct cmid_hash *h, const uint8_t cmid[16])
{
	uint64_t k[2];

	memcpy(k, cmid, sizeof(k));
	return cmid_folded(k[0] ^ h->seed[0], (k[1] ^ h->seed[1]) | 1);
}

#endif
