/*
 * fuzz_register_event.c - events of the publisher's register. What is accepted is written again
 * as the same bytes.
 */
#include <string.h>

#include "kmsctl/issue/register.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[EVENT_MAX];
	struct register_event e;

	if (register_event_decode(&e, data, size) != KMS_OK)
		return 0;
	MUST(register_event_name(e.kind) != NULL);
	MUST(register_event_encode(again, sizeof(again), &e) == size);
	MUST(memcmp(again, data, size) == 0);
	return 0;
}
