/*
 * health.c - see health.h.
 */
#include "kmsd/web/health.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stddef.h>
#include <time.h>

#include "libkms/kms_error.h"

static bool
is(const struct reply_row *row, const char *name)
{
	uint64_t n;

	return reply_number(row, name, &n) && n != 0;
}

/* How far a publisher's products are from being activated: the least of all is said. */
enum lacks { LACKS_NOTHING, LACKS_TIME, LACKS_CONFIRMATION, LACKS_KEY, LACKS_PUBLISHER };

static const char *const clauses[] = {
	[LACKS_NOTHING] = NULL,
	[LACKS_TIME] =
	    "the publisher's confirmation has ended, has not begun or was revoked: see kmsctl key show",
	[LACKS_CONFIRMATION] =
	    "the host key is not confirmed by its publisher: see kmsctl key show",
	[LACKS_KEY] = "no host key is installed: see kmsctl key install",
	[LACKS_PUBLISHER] = "kms.ini names no publisher: see kmsctl setup",
};

static enum lacks
lack(const struct reply_row *publisher, uint64_t now)
{
	uint64_t from = 0, to = 0;

	if (!is(publisher, "installed"))
		return LACKS_KEY;
	if (!is(publisher, "confirmed"))
		return LACKS_CONFIRMATION;
	reply_number(publisher, "not-before", &from);
	reply_number(publisher, "not-after", &to);
	return now < from || now > to || reply_text(publisher, "revoked") != NULL ? LACKS_TIME
										  : LACKS_NOTHING;
}

const char *
health_why_not(const struct reply *status, uint64_t now)
{
	const struct reply_row *row = reply_next(status, "ledger", NULL);
	enum lacks least = LACKS_PUBLISHER;

	if (is(reply_next(status, "service", NULL), "locked"))
		return "the host is locked: kmsctl unlock";
	if (is(row, "failing-since"))
		return "the ledger cannot be written: see kmsctl doctor";
	for (row = NULL; (row = reply_next(status, "publisher", row)) != NULL;)
		if (lack(row, now) < least)
			least = lack(row, now);
	return clauses[least];
}

int
health_make(const struct known *k, int rc, struct evhttp_request *r, struct evbuffer *body)
{
	const char *why = rc != KMS_OK
			      ? "the activation process does not answer: see kmsctl status"
			      : health_why_not(known_reply(k, KNOWN_STATUS), (uint64_t)time(NULL));

	evbuffer_add_printf(body, "%s\n", why != NULL ? why : "ok");
	return why != NULL ? 503 : 200;
}
