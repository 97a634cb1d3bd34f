/*
 * fuzz_host_key_file.c - keys/host.key. What no digest fits is refused; with the digest made to
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
	static const uint8_t machine[HOST_KEY_MACHINE_SECRET] = { 1, 2, 3 };
	const struct host_key_secret with = { machine, sizeof(machine) };
	uint8_t file[HOST_KEY_SIZE], again[HOST_KEY_SIZE], secret[HOST_KEY_SECRET];
	struct host_key_file f, g;
	size_t len;
	int r;

	MUST(sodium_init() >= 0);
	r = host_key_decode(&f, data, size);
	MUST(r == KMS_OK || r == KMS_E_FORMAT || r == KMS_E_SCHEMA);
	if (size < 48 || size > sizeof(file))
		return 0;
	memcpy(file, data, size);
	crypto_hash_sha256(file + size - 32, file, size - 32);
	if (host_key_decode(&f, file, size) != KMS_OK)
		return 0;
	MUST(size == (f.kind == HOST_KEY_PLAIN ? HOST_KEY_PLAIN_SIZE : HOST_KEY_SIZE));
	if (f.kind == HOST_KEY_PASSPHRASE) {
		MUST(f.passes >= 1 && f.passes <= HOST_KEY_PASSES_MAX);
		MUST(f.memory >= HOST_KEY_MEMORY_MIN && f.memory <= HOST_KEY_MEMORY_MAX);
		return 0;
	}
	if (host_key_open(secret, file, size, &with) != KMS_OK)
		return 0;
	MUST(host_key_encode(again, &len, &f, secret, &with) == KMS_OK && len == size);
	MUST(host_key_decode(&g, again, len) == KMS_OK && g.kind == f.kind && g.made == f.made);
	MUST(f.kind != HOST_KEY_PLAIN || memcmp(again, file, len) == 0);
	return 0;
}
