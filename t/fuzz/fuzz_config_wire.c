/*
 * fuzz_config_wire.c - what kmsd hands a child: no bytes crash the decoder, and what it takes is
 * encoded to the same bytes again, but for the marks, which are of all of kms.ini.
 */
#include <string.h>

#include "kmsd/common/config_wire.h"
#include "t/fuzz/fuzz.h"

#define MARKS 4 /* where they are, and how long */
#define MARKS_SIZE 16

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum config_reader readers[] = { CONFIG_FRONT, CONFIG_ACTIVATE, CONFIG_RESOLVE,
		CONFIG_SHARE };
	uint8_t again[CONFIG_WIRE_MAX];
	struct config c;

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (config_decode(&c, data, size, readers[i]) != 0)
			continue;
		MUST(config_encode(again, &c, readers[i]) == size);
		memcpy(again + MARKS, data + MARKS, MARKS_SIZE);
		MUST(memcmp(again, data, size) == 0);
	}
	return 0;
}
