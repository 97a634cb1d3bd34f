/*
 * seeded.h - the random numbers of a test that can be repeated: KMS_SEED=n in the environment
 * begins with n, otherwise chance decides. The seed is printed.
 */
#ifndef KMS_T_UNIT_SEEDED_H
#define KMS_T_UNIT_SEEDED_H

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t seed;

/* A number from 0 to below - 1. */
static inline uint32_t
pick(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((seed >> 33) % below);
}

static inline void
start_seed(const char *test)
{
	const char *given = getenv("KMS_SEED");

	if (given != NULL)
		seed = strtoull(given, NULL, 10);
	else
		randombytes_buf(&seed, sizeof(seed));
	print_message("# %s: KMS_SEED=%llu\n", test, (unsigned long long)seed);
}

#endif
