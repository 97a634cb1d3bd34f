/*
 * fuzz_exchange.c - statements of an exchange key. The signature is made to fit, so that what is
 * behind it is reached; what is accepted is encoded as the same bytes.
 */
#include <sodium.h>
#include <string.h>

#include "libkms/core/exchange_statement.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[32] = { 1 };
	uint8_t pk[32], sk[64], octets[EXCHANGE_SIZE], again[EXCHANGE_SIGNED];
	struct exchange e;

	MUST(sodium_init() >= 0);
	crypto_sign_seed_keypair(pk, sk, seed);
	MUST(exchange_verify(&e, data, size, pk) != KMS_OK || size == EXCHANGE_SIZE);
	if (size != EXCHANGE_SIZE)
		return 0;
	memcpy(octets, data, EXCHANGE_SIGNED);
	crypto_sign_detached(octets + EXCHANGE_SIGNED, NULL, octets, EXCHANGE_SIGNED, sk);
	if (exchange_verify(&e, octets, sizeof(octets), pk) != KMS_OK)
		return 0;
	MUST(e.made <= e.until && e.until <= e.ends && e.ends - e.made <= EXCHANGE_LIFE_MAX);
	MUST(e.lowest > 0 && e.lowest <= e.highest);
	exchange_encode(again, &e);
	MUST(memcmp(octets, again, sizeof(again)) == 0);
	return 0;
}
