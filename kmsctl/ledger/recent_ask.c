/*
 * recent_ask.c - see recent_ask.h.
 */
#include "kmsctl/ledger/recent_ask.h"

#include <string.h>

#include "kmsctl/ledger/ledger_ask.h"
#include "libkms/kms_error.h"

static int
take_ended(const struct reply_row *row, const struct recent_calls *calls)
{
	uint8_t entry[1024];
	struct entry_about e;
	int rc = entry_about_decode(&e, entry, reply_octets(row, "entry", entry, sizeof(entry)));

	if (rc == KMS_OK && calls->ended != NULL)
		calls->ended(&e, calls->arg);
	return rc;
}

static int
take_entry(struct recent *t, const struct reply_row *row, const struct recent_calls *calls)
{
	uint8_t entry[1024], beside[ASIDE_MAX];
	struct entry_client e;
	struct aside names;
	uint64_t batch = 0;
	size_t len = reply_octets(row, "entry", entry, sizeof(entry));
	int rc = entry_client_decode(&e, entry, len);

	if (rc != KMS_OK)
		return rc;
	reply_number(row, "batch", &batch);
	aside_decode(&names, beside, reply_octets(row, "aside", beside, sizeof(beside)));
	t->entries++;
	calls->client(&e, &names, batch, calls->arg);
	return KMS_OK;
}

/* *from: where the next page begins, 0: there is none. */
static int
take_page(
    struct recent *t, const struct reply *reply, uint64_t *from, const struct recent_calls *calls)
{
	const struct reply_row *page = reply_next(reply, "page", NULL);
	uint64_t first, time, to, next, whole;
	int rc = KMS_OK;

	if (page == NULL || !reply_number(page, "from", &first) ||
	    !reply_number(page, "from-time", &time) || !reply_number(page, "to", &to) ||
	    !reply_number(page, "next", &next) || !reply_number(page, "whole", &whole) ||
	    (next != 0 && next <= *from))
		return KMS_E_FORMAT;
	if (*from == 0) {
		t->from_batch = first;
		t->from_time = time;
		t->whole = whole != 0;
	}
	if (to != 0)
		t->to_batch = to;
	for (unsigned i = 0; rc == KMS_OK && i < reply->count; i++) {
		const struct reply_row *row = &reply->rows[i];

		if (strcmp(row->kind, "entry") == 0)
			rc = take_entry(t, row, calls);
		else if (strcmp(row->kind, "ended") == 0)
			rc = take_ended(row, calls);
	}
	*from = next;
	return rc;
}

int
recent_ask_page(struct ctl *ctl, struct recent *t, uint64_t *from, uint64_t bytes,
    const struct recent_calls *calls, struct fault *fault)
{
	struct control_buf args = { 0 };
	struct reply reply;
	int rc;

	control_number(&args, "from", *from);
	control_number(&args, "octets", bytes);
	rc = ledger_ask(ctl, CONTROL_JOURNAL, &args, &reply, fault);
	control_buf_free(&args);
	if (rc != KMS_OK)
		return rc;
	if ((rc = take_page(t, &reply, from, calls)) != KMS_OK)
		fault_set(fault, rc, "the host's answer has a malformed part of the journal");
	reply_free(&reply);
	return rc;
}

int
recent_ask(struct ctl *ctl, struct recent *t, bool all, const struct recent_calls *calls,
    struct fault *fault)
{
	uint64_t from = 0;
	int rc;

	do {
		rc = recent_ask_page(ctl, t, &from, all ? UINT64_MAX : RECENT_BYTES, calls, fault);
	} while (rc == KMS_OK && from != 0);
	return rc;
}
