/*
 * fuzz_entitlement.c - entitlements. What is accepted is found by its keys, and added one by one
 * gives the same bytes.
 */
#include <stdio.h>
#include <string.h>

#include "libkms/core/entitlement.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char key[ENTITLEMENT_KEY + 1], value[ENTITLEMENT_VALUE + 1], text[ENTITLEMENTS_TEXT];
	struct entitlements again = { 0 };
	struct entitlement e, found;
	struct wire_reader r;

	if (entitlements_check(data, size) != KMS_OK)
		return 0;
	MUST(size > 0 && size <= ENTITLEMENTS_MAX);
	wire_reader_init(&r, data, size);
	while (entitlements_next(&r, &e)) {
		snprintf(key, sizeof(key), "%.*s", e.key_len, e.key);
		snprintf(value, sizeof(value), "%.*s", e.value_len, e.value);
		MUST(entitlements_add(&again, key, value) == KMS_OK);
		MUST(entitlements_find(&again, key, &found) && found.value_len == e.value_len);
	}
	MUST(again.len == size && memcmp(again.octets, data, size) == 0);
	MUST(strlen(entitlements_text(text, &again)) < sizeof(text));
	return 0;
}
