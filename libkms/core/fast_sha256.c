/*
 * fast_sha256.c - see fast_sha256.h. The only file that includes a header of nettle.
 */
#include "libkms/core/fast_sha256.h"

#include <nettle/sha2.h>

_Static_assert(MERKLE_HASH == SHA256_DIGEST_SIZE, "SHA-256");

void
fast_sha256(uint8_t out[MERKLE_HASH], const void *a, size_t a_len, const void *b, size_t b_len)
{
	struct sha256_ctx state;

	sha256_init(&state);
	sha256_update(&state, a_len, a);
	sha256_update(&state, b_len, b);
	sha256_digest(&state, MERKLE_HASH, out);
}
