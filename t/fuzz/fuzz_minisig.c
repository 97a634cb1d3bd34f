/*
 * fuzz_minisig.c - minisign's text formats: public key and signature file.
 */
#include <stdlib.h>
#include <string.h>

#include "libkms/core/minisig.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct minisig_key key = { .id = { 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8 } },
			   again;
	char line[MINISIG_KEY_LINE + 1], comment[32], *text;

	minisig_verify(&key, "file", 4, (const char *)data, size, comment, sizeof(comment));
	if ((text = malloc(size + 1)) == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (minisig_key_parse(&key, text) == KMS_OK) {
		minisig_key_format(line, &key);
		MUST(strlen(line) == MINISIG_KEY_LINE);
		MUST(minisig_key_parse(&again, line) == KMS_OK);
		MUST(memcmp(&key, &again, sizeof(key)) == 0);
	}
	free(text);
	return 0;
}
