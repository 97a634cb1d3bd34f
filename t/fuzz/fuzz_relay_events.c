/*
 * fuzz_relay_events.c - any file as an export of a KMS host's log: what is found has a name and
 * lies in range, and each problem has a line of the file.
 */
#include <string.h>

#include "kmsctl/relay/event_log.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

struct seen {
	size_t count, timeless;
};

static int
look(const struct event_12290 *e, void *arg)
{
	struct seen *s = arg;
	size_t len = strlen(e->name);

	s->count++;
	s->timeless += e->time == 0 && e->status == 0;
	MUST(len > 0 && len <= 64 && wire_text_ok(e->name, len));
	MUST(e->time == 0 || (e->time > 946598399 && e->time < 4102531200));
	return 0;
}

static void
check(const uint8_t *data, size_t size, enum event_dates dates)
{
	struct event_log log = { .dates = dates };
	struct fault f = { 0 };
	struct seen s = { 0 };
	int rc = event_log_read((const char *)data, size, &log, look, &s, &f);

	MUST(rc == KMS_OK || (rc == KMS_E_FORMAT && f.text[0] != '\0' && s.count == 0));
	MUST(s.count == log.events && s.timeless == log.ambiguous);
	MUST(dates == EVENT_DATES_UNKNOWN || log.ambiguous == 0);
	MUST(log.named_count <= EVENT_LOG_NAMED && log.named_count <= log.unread + log.ambiguous);
	for (size_t i = 0; i < log.named_count; i++) {
		MUST(log.named[i].line > 0 && log.named[i].line <= size + 1);
		MUST(log.named[i].number > 0 && log.named[i].number <= log.events + log.unread);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(data, size, EVENT_DATES_UNKNOWN);
	check(data, size, EVENT_DATES_DMY);
	return 0;
}
