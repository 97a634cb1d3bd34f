/*
 * fuzz_signed_file.c - a publisher's file and its signature in one text, as it comes in a mail:
 * where the signature begins, what kind of file it is, and what is in it when nobody asks who
 * signed it.
 */
#include <string.h>

#include "libkms/kms_error.h"
#include "policy/files/publisher_file.h"
#include "t/fuzz/fuzz.h"

static void
parse(enum publisher_file_kind kind, const struct signed_file *s)
{
	struct publisher_file c = publisher_file_of(kind, s);
	struct fault fault = { 0 };
	char what[256];

	MUST(publisher_file_name(kind)[0] != '\0');
	if (publisher_file_parse(&c, &fault) == KMS_OK) {
		publisher_file_describe(&c, what, sizeof(what));
		MUST(memchr(what, 0, sizeof(what)) != NULL);
	} else {
		MUST(fault.text[0] != '\0');
	}
	publisher_file_free(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signed_file s = { 0 };
	enum publisher_file_kind kind;
	char *text = malloc(size + 1);

	MUST(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (strlen(text) == size && signed_file_split(&s, text, size) == KMS_OK) {
		MUST(s.len + s.signature_len == size);
		kind = publisher_file_guess(s.text);
		MUST(kind <= FILE_KINDS);
		for (unsigned i = 0; i < FILE_KINDS; i++)
			parse(i, &s);
	}
	signed_file_free(&s);
	free(text);
	return 0;
}
