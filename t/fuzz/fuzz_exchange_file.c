/*
 * fuzz_exchange_file.c - keys/exchange.key. What no digest fits is refused; with digest and seal
 * made to fit, what is accepted comes out again.
 */
#include <sodium.h>
#include <string.h>

#include "kmsd/activate/exchange_file.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[32] = { 1 };
	uint8_t file[EXCHANGE_FILE_MAX], again[EXCHANGE_FILE_MAX];
	struct exchange_pairs p, q;
	size_t len;

	MUST(sodium_init() >= 0);
	if (size < 88 || size > sizeof(file)) {
		MUST(exchange_file_decode(&p, data, size, key, key) == KMS_E_FORMAT);
		return 0;
	}
	memcpy(file, data, size);
	memcpy(file + 16, key, 16);
	if (size >= 88 + 16)
		crypto_aead_xchacha20poly1305_ietf_encrypt(
		    file + 56, NULL, data + 56, size - 88 - 16, file, 32, NULL, file + 32, key);
	crypto_hash_sha256(file + size - 32, file, size - 32);
	if (exchange_file_decode(&p, file, size, key, key) != KMS_OK)
		return 0;
	MUST(p.count >= 1 && p.count <= EXCHANGE_KEYS);
	len = exchange_file_encode(again, &p, key, key);
	MUST(len == size && exchange_file_decode(&q, again, len, key, key) == KMS_OK);
	MUST(q.count == p.count && memcmp(q.at, p.at, p.count * sizeof(p.at[0])) == 0);
	return 0;
}
