/*
 * fuzz_beat.c - beats of a host. Its key and the signature are made to fit, so that what is behind
 * them is reached; what is accepted is written as the same bytes.
 */
#include <sodium.h>
#include <string.h>

#include "kmsd/activate/share/beat.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[32] = { 7 };
	uint8_t pk[32], sk[64], octets[SHARE_BEAT_MAX], again[SHARE_BEAT_MAX];
	struct beat b;
	unsigned left;
	size_t len = size < BEAT_SIGNATURE ? 0 : size - BEAT_SIGNATURE;

	MUST(sodium_init() >= 0);
	crypto_sign_seed_keypair(pk, sk, seed);
	(void)beat_open(&b, data, size);
	if (size > sizeof(octets) || len < 40)
		return 0;
	memcpy(octets, data, len);
	memcpy(octets + 8, pk, sizeof(pk));
	crypto_sign_detached(octets + len, NULL, octets, len, sk);
	if (beat_open(&b, octets, size) != KMS_OK)
		return 0;
	MUST(beat_of(octets, len, pk));
	MUST(b.heard_count <= BEAT_HEARD && b.want_count <= BEAT_WANTS);
	for (unsigned i = 0; i < b.certificate_count; i++)
		MUST(b.certificates[i].octets >= octets &&
		     b.certificates[i].octets + b.certificates[i].len <= octets + len);
	MUST(beat_write(again, &b, &left) == len && left == 0);
	MUST(memcmp(octets, again, len) == 0);
	return 0;
}
