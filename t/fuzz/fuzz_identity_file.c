/*
 * fuzz_identity_file.c - keys/host.key. What no digest fits is refused; with the digest made to
 * fit, what is accepted keeps to the bounds, and is opened when that costs nothing.
 */
#include <sodium.h>
#include <string.h>

#include "kmsd/activate/identity_file.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t machine[IDENTITY_MACHINE_SECRET] = { 1, 2, 3 };
	const struct identity_secret with = { machine, sizeof(machine) };
	uint8_t file[IDENTITY_SIZE], again[IDENTITY_SIZE], secret[IDENTITY_SECRET];
	struct identity_file f, g;
	size_t len;
	int r;

	MUST(sodium_init() >= 0);
	r = identity_file_decode(&f, data, size);
	MUST(r == KMS_OK || r == KMS_E_FORMAT || r == KMS_E_SCHEMA);
	if (size < 48 || size > sizeof(file))
		return 0;
	memcpy(file, data, size);
	crypto_hash_sha256(file + size - 32, file, size - 32);
	if (identity_file_decode(&f, file, size) != KMS_OK)
		return 0;
	MUST(size == (f.kind == IDENTITY_PLAIN ? IDENTITY_PLAIN_SIZE : IDENTITY_SIZE));
	if (f.kind == IDENTITY_PASSPHRASE) {
		MUST(f.passes >= 1 && f.passes <= IDENTITY_PASSES_MAX);
		MUST(f.memory >= IDENTITY_MEMORY_MIN && f.memory <= IDENTITY_MEMORY_MAX);
		return 0;
	}
	if (identity_file_open(secret, file, size, &with) != KMS_OK)
		return 0;
	MUST(identity_file_encode(again, &len, &f, secret, &with) == KMS_OK && len == size);
	MUST(
	    identity_file_decode(&g, again, len) == KMS_OK && g.kind == f.kind && g.made == f.made);
	MUST(f.kind != IDENTITY_PLAIN || memcmp(again, file, len) == 0);
	return 0;
}
