/*
 * fuzz_proxy.c - the PROXY header: what is accepted has a size within its bounds, and is the same
 * whatever follows it; no prefix of it is accepted.
 */
#include <string.h>

#include "kmsd/front/proxy.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h, again;

	if (size == 0)
		return 0;
	if (proxy_parse(&h, data, size) != KMS_OK)
		return 0;
	MUST(h.size >= 1 && h.size <= size && h.size <= PROXY_MAX);
	MUST(proxy_parse(&again, data, h.size) == KMS_OK && memcmp(&h, &again, sizeof(h)) == 0);
	for (size_t n = 1; n < h.size; n++)
		MUST(proxy_parse(&again, data, n) == KMS_E_TIMEOUT);
	return 0;
}
