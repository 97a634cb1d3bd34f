/*
 * fuzz.h - what every fuzz target has: libFuzzer's entry, and a check that
 * stays when NDEBUG is set.
 */
#ifndef KMS_T_FUZZ_FUZZ_H
#define KMS_T_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that no input may break. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

#endif
