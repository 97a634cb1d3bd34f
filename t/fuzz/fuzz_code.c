/*
 * fuzz_code.c - codes as they are typed. A wrong one says what is wrong with it; what is
 * accepted is written again as a code that says the same.
 */
#include <string.h>

#include "policy/code.h"
#include "t/fuzz/fuzz.h"

static void
host_key(const char *text, size_t size)
{
	uint8_t signature[64], again_signature[64];
	struct host_key key, again;
	struct fault err;
	char code[CODE_TEXT];

	if (host_key_code_parse(&key, signature, text, size, &err) != KMS_OK) {
		MUST(err.text[0] != '\0');
		return;
	}
	MUST(host_key_code(code, &key, signature) == KMS_OK);
	MUST(host_key_code_parse(&again, again_signature, code, strlen(code), &err) == KMS_OK);
	MUST(memcmp(&key, &again, sizeof(key)) == 0);
	MUST(memcmp(signature, again_signature, sizeof(signature)) == 0);
}

static void
confirmation(const char *text, size_t size)
{
	uint8_t octets[CODE_OCTETS], again[CODE_OCTETS];
	struct confirm_code c;
	struct fault err;
	size_t len;

	if (code_parse(octets, &len, CODE_CONFIRMATION, text, size, &err) != KMS_OK) {
		MUST(err.text[0] != '\0');
		return;
	}
	if (confirm_code_decode(&c, octets, len) == KMS_OK) {
		MUST(confirm_code_octets(again, &c) == len);
		MUST(memcmp(octets, again, len) == 0);
	}
}

/* Past the checks: any bytes in a code that is right. */
static void
inside(const uint8_t *data, size_t size)
{
	uint8_t octets[CODE_OCTETS];
	char code[CODE_TEXT];
	struct fault err;
	size_t len;

	if (size == 0 || size > CODE_OCTETS)
		return;
	MUST(code_format(code, sizeof(code), CODE_HOST_KEY, data, size) > 0);
	MUST(code_parse(octets, &len, CODE_HOST_KEY, code, strlen(code), &err) == KMS_OK);
	MUST(len == size && memcmp(octets, data, size) == 0);
	host_key(code, strlen(code));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct confirm_code c;
	char text[64];

	inside(data, size);
	host_key((const char *)data, size);
	confirmation((const char *)data, size);
	confirm_code_decode(&c, data, size);
	if (size < sizeof(text)) {
		memcpy(text, data, size);
		text[size] = '\0';
		code_looks_like(text);
	}
	return 0;
}
