/*
 * fuzz_entry.c - journal entries of all layouts: no bytes are an entry of two, entry_check agrees
 * with the decoder of the kind, and what decodes encodes to the same bytes up to its TLV tail.
 */
#include <string.h>

#include "libkms/core/entry.h"
#include "libkms/core/entry_about.h"
#include "libkms/core/entry_blobs.h"
#include "libkms/core/entry_relayed.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static void
must_begin(const uint8_t *again, size_t len, const uint8_t *data, size_t size)
{
	MUST(len > 0 && len <= size && memcmp(again, data, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[ENTRY_MAX];
	struct entry_client c;
	struct entry_about b;
	struct entry_admin a;
	struct entry_relayed r;
	struct entry_relayed_name n;
	int kind = entry_kind(data, size), rc = entry_check(data, size);

	if (entry_client_decode(&c, data, size) == KMS_OK) {
		MUST(entry_kind_is_client(kind) && c.kind == kind && rc == KMS_OK);
		if (!c.bound || size == ENTRY_CLIENT_FIXED + 20)
			must_begin(
			    again, entry_client_encode(again, sizeof(again), &c), data, size);
	}
	if (entry_about_decode(&b, data, size) == KMS_OK) {
		MUST(entry_kind_is_about(kind) && b.kind == kind && rc == KMS_OK);
		must_begin(again, entry_about_encode(again, sizeof(again), &b), data, size);
	}
	if (entry_admin_decode(&a, data, size) == KMS_OK) {
		MUST(entry_blobs_kind(kind) && a.kind == kind && rc == KMS_OK);
		must_begin(again, entry_admin_encode(again, sizeof(again), &a), data, size);
	}
	if (entry_relayed_decode(&r, data, size) == KMS_OK)
		MUST(kind == ENTRY_RELAYED && rc == KMS_OK);
	if (entry_relayed_name_decode(&n, data, size) == KMS_OK)
		MUST(kind == ENTRY_RELAYED_NAME && rc == KMS_OK);
	return 0;
}
