/*
 * fuzz_state.c - the client state file. The checksum and the public key are
 * put right first, as nobody would get past them by chance.
 */
#include <sodium.h>
#include <string.h>

#include "libkms/client/state.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[STATE_MAX], again[STATE_MAX];
	static struct state s;

	MUST(state_decode(&s, data, size) != KMS_OK || size <= STATE_MAX);
	if (size < STATE_FIXED + 6 + STATE_CHECKSUM || size > sizeof(file))
		return 0;
	memcpy(file, data, size);
	MUST(crypto_scalarmult_base(file + 16, file + 48) == 0);
	crypto_generichash(
	    file + size - STATE_CHECKSUM, STATE_CHECKSUM, file, size - STATE_CHECKSUM, NULL, 0);
	/* What is taken is written again as it was: nothing is ignored, nothing changed. */
	if (state_decode(&s, file, size) == KMS_OK) {
		MUST(state_encode(again, sizeof(again), &s) == size);
		MUST(memcmp(again, file, size) == 0);
	}
	return 0;
}
