/*
 * fuzz_confirm_request.c - confirmation requests. What is read, signature
 * right or not, is written and read back as the same.
 */
#include <string.h>

#include "policy/host_key.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct confirm_request r, again;
	struct fault err;
	char text[4096];
	size_t len;
	int rc = confirm_request_parse(&r, (const char *)data, size, &err);

	if (rc != KMS_OK && rc != KMS_E_SIGNATURE) {
		MUST(err.text[0] != '\0');
		return 0;
	}
	len = confirm_request_format(text, sizeof(text), &r);
	MUST(len > 0);
	MUST(confirm_request_parse(&again, text, len, &err) == rc);
	MUST(memcmp(&r, &again, sizeof(r)) == 0);
	return 0;
}
