/*
 * fuzz_revocation.c - revocation lists. What is accepted is written and read back as the same.
 */
#include <string.h>

#include "policy/revocation.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct revocation_list list, again;
	static char text[REVOCATION_LIST_MAX];
	struct fault err;
	size_t len;

	if (revocation_list_parse(&list, (const char *)data, size, &err) != KMS_OK) {
		MUST(err.text[0] != '\0');
		return 0;
	}
	MUST(list.number > 0 && list.count <= REVOCATIONS);
	len = revocation_list_format(text, sizeof(text), &list);
	MUST(len > 0);
	MUST(revocation_list_parse(&again, text, len, &err) == KMS_OK);
	MUST(memcmp(&list, &again, sizeof(list)) == 0);
	return 0;
}
