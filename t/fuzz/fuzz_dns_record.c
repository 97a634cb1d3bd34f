/*
 * fuzz_dns_record.c - lines of dns.published. What is accepted is written as a line that reads back
 * as the same record, and holds nothing that nsupdate could take for another command.
 */
#include <string.h>

#include "kmsctl/dns/records.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[RECORD_TEXT], text[RECORD_TEXT];
	struct record r, again;

	if (size >= sizeof(line))
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (!record_parse(&r, line))
		return 0;
	record_text(text, &r);
	MUST(strpbrk(text, "\r\n;\"\\") == NULL);
	MUST(record_parse(&again, text));
	MUST(record_same(&r, &again) && r.ttl == again.ttl);
	return 0;
}
