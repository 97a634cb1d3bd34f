/*
 * fuzz_frame.c - the outer frame and the ERROR payload: what is accepted
 * encodes to the same bytes.
 */
#include <string.h>

#include "libkms/core/frame.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[FRAME_ERROR_SIZE];
	struct frame f;
	struct frame_error e;

	if (size < FRAME_HEADER)
		return 0;
	if (frame_decode(&f, data, FRAME_MAX_REPLY) == KMS_OK) {
		MUST(f.length <= FRAME_MAX_REPLY);
		frame_encode(again, f.type, f.length);
		if (f.type == FRAME_ERROR)
			again[FRAME_VERSION_AT] = f.version;
		MUST(memcmp(again, data, FRAME_HEADER) == 0);
	}
	data += FRAME_HEADER;
	size -= FRAME_HEADER;
	if (frame_error_decode(&e, data, size) == KMS_OK) {
		frame_error_encode(again, &e);
		MUST(memcmp(again + FRAME_HEADER, data, size) == 0);
	}
	return 0;
}
