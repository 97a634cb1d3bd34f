/*
 * fuzz_hostkey.c - KMS host keys. What is accepted is written and read back as
 * the same.
 */
#include <string.h>

#include "policy/host_key.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host_key k, again;
	struct fault err;
	char text[4096];
	size_t len;

	if (host_key_parse(&k, (const char *)data, size, &err) != KMS_OK) {
		MUST(err.text[0] != '\0');
		return 0;
	}
	MUST(k.not_before <= k.not_after && k.hosts > 0 && k.confirmations > 0);
	len = host_key_format(text, sizeof(text), &k);
	MUST(len > 0);
	MUST(host_key_parse(&again, text, len, &err) == KMS_OK);
	MUST(memcmp(&k, &again, sizeof(k)) == 0);
	return 0;
}
