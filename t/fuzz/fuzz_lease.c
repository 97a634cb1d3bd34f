/*
 * fuzz_lease.c - the lease bundle against a fixed certificate. The fuzzer
 * cannot sign, so nothing it makes up may verify: the certificate's host
 * key is one whose secret nobody has.
 */
#include <string.h>

#include "libkms/core/lease.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[LEASE_MAX];
	static struct certificate cert = { .sign_pk = { 9 }, .not_after = UINT64_MAX };
	struct entry_client e;
	struct lease l;

	if (lease_decode(&l, data, size) == KMS_OK) {
		MUST(lease_encode(again, sizeof(again), &l) == size);
		MUST(memcmp(again, data, size) == 0);
	}
	MUST(lease_verify(&e, data, size, &cert, NULL, NULL) != KMS_OK);
	return 0;
}
