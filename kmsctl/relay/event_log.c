/*
 * event_log.c - see event_log.h: decodes the file, finds the records in it, and hands on what the
 * others read.
 *
 * Records of XML and JSON have a beginning and an end, so that each is one event, whatever forms of
 * it are inside. What is between them is plain text.
 */
#include "kmsctl/relay/event_log.h"

#include <stdlib.h>

#include "kmsctl/relay/event_lines.h"
#include "kmsctl/relay/event_reader.h"
#include "kmsctl/relay/event_record.h"
#include "kmsctl/relay/event_text.h"
#include "libkms/kms_error.h"

#define TRIES 16 /* times the file's size */

static void
read_all(struct event_reader *r)
{
	const char *p = r->text, *begin, *after;
	json_t *json;

	while (p < r->end && !r->stop) {
		begin = event_record_next(r, p, &json, &after);
		event_lines(r, p, begin);
		if (begin == r->end)
			break;
		if (r->stop)
			json_decref(json);
		else
			event_record_read(r, begin, after, json);
		p = after;
	}
	if (!r->stop)
		event_reader_flush(r);
}

int
event_log_read(const char *text, size_t len, struct event_log *log,
    int (*fn)(const struct event_12290 *e, void *arg), void *arg, struct fault *f)
{
	const char *advice = event_text_refused(text, len);
	struct event_reader *r;
	char *decoded = NULL;
	int rc;

	if (advice != NULL)
		return fault_set(f, KMS_E_FORMAT, "%s", advice);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return fault_set(f, KMS_E_NO_MEMORY, "no memory");
	rc = event_text_decode(text, len, &decoded, &len);
	if (rc == KMS_OK) {
		*r = (struct event_reader){ .text = decoded,
			.end = decoded + len,
			.log = log,
			.fn = fn,
			.arg = arg,
			.given = log->dates,
			.seen = event_dates_of(decoded, len),
			.counted = decoded,
			.unclosed = decoded,
			.line = 1,
			.json_from = decoded,
			.left = len * TRIES };
		*log = (struct event_log){ .dates = r->seen };
		read_all(r);
		rc = r->rc;
	}
	free(decoded);
	free(r);
	return rc == KMS_OK ? KMS_OK : fault_set(f, rc, NULL);
}
