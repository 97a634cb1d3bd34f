/*
 * fuzz_lease_file.c - a lease file as anybody may be handed one, against a
 * publisher's key whose secret nobody has: nothing may verify.
 */
#include "libkms/kms.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kms_lease_info info = { .size = sizeof(info) };

	MUST(kms_lease_verify(data, size,
		 "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, &info) != KMS_OK);
	return 0;
}
