/*
 * fuzz_evidence_file.c - evidence as anybody may be handed it, against a publisher's key whose
 * secret nobody has: nothing may verify.
 */
#include "libkms/kms.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kms_evidence_info info = { .size = sizeof(info) };

	MUST(kms_evidence_verify(data, size,
		 "RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &info) != KMS_OK);
	return 0;
}
