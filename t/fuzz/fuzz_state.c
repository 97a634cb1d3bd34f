/*
 * fuzz_state.c - the client's two files. The checksum is put right first, as nobody would get
 * past it by chance.
 */
#include <sodium.h>
#include <string.h>

#include "libkms/client/secret.h"
#include "libkms/client/state.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static void
secret(const uint8_t *data)
{
	uint8_t file[SECRET_SIZE], again[SECRET_SIZE];
	struct secret s;

	memcpy(file, data, sizeof(file));
	crypto_generichash(file + sizeof(file) - 32, 32, file, sizeof(file) - 32, NULL, 0);
	if (secret_decode(&s, file, sizeof(file), NULL) != KMS_OK)
		return;
	secret_encode(again, &s);
	MUST(memcmp(again, file, sizeof(file)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[STATE_MAX], again[STATE_MAX];
	static struct state s;

	MUST(state_decode(&s, data, size, NULL) != KMS_OK || size <= STATE_MAX);
	if (size == SECRET_SIZE)
		secret(data);
	if (size < STATE_MIN || size > sizeof(file))
		return 0;
	memcpy(file, data, size);
	crypto_generichash(
	    file + size - STATE_CHECKSUM, STATE_CHECKSUM, file, size - STATE_CHECKSUM, NULL, 0);
	/* What is taken is written again as it was: nothing is ignored, nothing changed. */
	if (state_decode(&s, file, size, NULL) == KMS_OK) {
		MUST(state_encode(again, sizeof(again), &s) == size);
		MUST(memcmp(again, file, size) == 0);
	}
	return 0;
}
