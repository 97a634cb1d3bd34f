/*
 * serving.c - see serving.h. The order is that of the decision (policy/decide.c), so that the
 * words are those of the status that clients get.
 */
#include "kmsctl/host/serving.h"

#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/output.h"
#include "libkms/kms_error.h"

static const char new_key[] = "ask the publisher for a new key, then kmsctl setup FILE.kmskey";

const struct reply_row *
serving_publisher(const struct reply *status, const char *name)
{
	const struct reply_row *row = NULL;
	const char *is;

	while (name != NULL && (row = reply_next(status, "publisher", row)) != NULL)
		if ((is = reply_text(row, "name")) != NULL && strcmp(is, name) == 0)
			break;
	return row;
}

/* Of a host that is confirmed. */
static uint32_t
certificate_refuses(
    char text[SERVING_TEXT], const char **next, const struct reply_row *row, uint64_t now)
{
	const char *revoked = reply_text(row, "revoked");
	uint64_t from = 0, until = 0;
	char when[OUTPUT_WHEN];

	reply_number(row, "not-before", &from);
	reply_number(row, "not-after", &until);
	*next = new_key;
	if (revoked != NULL) {
		snprintf(text, SERVING_TEXT, "the publisher revoked the key: %s", revoked);
		return KMS_E_KEY_INVALID;
	}
	if (until != 0 && now > until) {
		snprintf(text, SERVING_TEXT, "the key expired at %s", output_when(when, until));
		return KMS_E_KEY_EXPIRED;
	}
	if (now < from) {
		*next = "wait, or set the clock: timedatectl";
		snprintf(
		    text, SERVING_TEXT, "the key becomes valid at %s", output_when(when, from));
		return KMS_E_KEY_EXPIRED;
	}
	*next = NULL;
	return KMS_OK;
}

uint32_t
serving_refuses(
    char text[SERVING_TEXT], const char **next, const struct reply_row *publisher, uint64_t now)
{
	uint64_t installed = 1, confirmed = 1;

	text[0] = '\0';
	*next = NULL;
	if (publisher == NULL)
		return KMS_OK;
	reply_number(publisher, "installed", &installed);
	reply_number(publisher, "confirmed", &confirmed);
	if (confirmed)
		return certificate_refuses(text, next, publisher, now);
	if (installed) {
		*next = "kmsctl key request, then kmsctl setup FILE.kmscert";
		snprintf(text, SERVING_TEXT, "the host is not confirmed yet");
		return KMS_E_NOT_CONFIRMED;
	}
	*next = "kmsctl key install FILE.kmskey";
	snprintf(text, SERVING_TEXT, "no KMS host key is installed");
	return KMS_E_NOT_ENABLED;
}
