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
secret(const uint8_t *data, size_t size)
{
	uint8_t file[SECRET_MAX], again[SECRET_MAX];
	struct secret s;
	uint16_t version;

	memcpy(file, data, size);
	crypto_generichash(file + size - 32, 32, file, size - 32, NULL, 0);
	if (secret_decode(&s, file, size, &version) != KMS_OK || version == SECRET_OLD)
		return;
	MUST(secret_encode(again, &s) == size);
	MUST(memcmp(again, file, size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t file[STATE_MAX], again[STATE_MAX];
	static struct state s;

	MUST(state_decode(&s, data, size, NULL) != KMS_OK || size <= STATE_MAX);
	if (size >= SECRET_OLD_SIZE && size <= SECRET_MAX)
		secret(data, size);
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
