/*
 * fuzz_ini.c - the ini file: no text crashes the parser, every error has words, and what is
 * accepted prints and parses back to the same.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/common/config_text.h"
#include "t/fuzz/fuzz.h"

#define FAULTS 4

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fault e[FAULTS];
	struct config a, b;
	char *text = NULL;
	size_t len = 0;
	unsigned n, i;
	FILE *f;

	n = config_parse(&a, (const char *)data, size, e, FAULTS);
	for (i = 0; i < n && i < FAULTS; i++)
		MUST(e[i].text[0] != '\0' && memchr(e[i].text, '\0', sizeof(e[i].text)) != NULL);
	if (n > 0)
		return 0;
	f = open_memstream(&text, &len);
	MUST(f != NULL);
	config_print(&a, f);
	MUST(fclose(f) == 0);
	MUST(config_parse(&b, text, len, e, FAULTS) == 0);
	MUST(memcmp(&a, &b, sizeof(a)) == 0);
	free(text);
	return 0;
}
