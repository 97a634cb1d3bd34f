/*
 * fuzz_rotation.c - rotation files. What is accepted is a statement that verifies, and is
 * written and read back as the same bytes. The statement in binary, too.
 */
#include <string.h>

#include "libkms/kms_error.h"
#include "policy/rotation_file.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t octets[ROTATION_SIZE], again[ROTATION_SIZE];
	struct rotation r;
	struct fault err;
	char text[4096];
	size_t len;

	if (rotation_verify(&r, data, size) == KMS_OK)
		MUST(size == ROTATION_SIZE);
	if (rotation_file_parse(&r, octets, (const char *)data, size, &err) != KMS_OK) {
		MUST(err.text[0] != '\0');
		return 0;
	}
	MUST(rotation_verify(&r, octets, sizeof(octets)) == KMS_OK);
	len = rotation_file_format(text, sizeof(text), octets);
	MUST(len > 0);
	MUST(rotation_file_parse(&r, again, text, len, &err) == KMS_OK);
	MUST(memcmp(octets, again, sizeof(octets)) == 0);
	return 0;
}
