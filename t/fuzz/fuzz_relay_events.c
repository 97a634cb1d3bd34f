/*
 * fuzz_relay_events.c - any file as an export of a KMS host's log: what is found has a name and
 * lies in range.
 */
#include <string.h>

#include "kmsctl/relay/event_log.h"
#include "t/fuzz/fuzz.h"

static int
look(const struct event_12290 *e, void *arg)
{
	size_t *count = arg;

	(*count)++;
	MUST(strlen(e->name) > 0 && strlen(e->name) <= 64);
	MUST(e->time > 946684799 && e->time < 253402300800u);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	size_t count = 0;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	MUST(event_log_each(text, size, look, &count) == count);
	free(text);
	return 0;
}
