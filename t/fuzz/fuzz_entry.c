/*
 * fuzz_entry.c - journal entries of both layouts: no bytes are an entry of
 * both, and what decodes encodes to the same bytes up to its TLV tail.
 */
#include <string.h>

#include "libkms/core/entry.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[ENTRY_MAX];
	struct entry_client c;
	struct entry_admin a;
	int kind = entry_kind(data, size);
	size_t len;

	if (entry_client_decode(&c, data, size) == KMS_OK) {
		MUST(entry_kind_is_client(kind) && c.kind == kind);
		len = entry_client_encode(again, sizeof(again), &c);
		MUST(len >= ENTRY_CLIENT_FIXED && len <= size && memcmp(again, data, len) == 0);
	}
	if (entry_admin_decode(&a, data, size) == KMS_OK) {
		MUST(kind != 0 && !entry_kind_is_client(kind) && a.kind == kind);
		len = entry_admin_encode(again, sizeof(again), &a);
		MUST(len > 0 && len <= size && memcmp(again, data, len) == 0);
	}
	return 0;
}
