/*
 * recent_ask.c - see recent_ask.h.
 */
#include "kmsctl/ledger/recent_ask.h"

#include "kmsctl/host/ask_host.h"
#include "libkms/kms_error.h"

static int
take_entry(struct recent *t, const struct reply_row *row, recent_fn fn, void *arg)
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
	fn(&e, &names, batch, arg);
	return KMS_OK;
}

/* *from: where the next page begins, 0: there is none. */
static int
take_page(struct recent *t, const struct reply *reply, uint64_t *from, recent_fn fn, void *arg)
{
	const struct reply_row *row = NULL, *page = reply_next(reply, "page", NULL);
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
	while (rc == KMS_OK && (row = reply_next(reply, "entry", row)) != NULL)
		rc = take_entry(t, row, fn, arg);
	*from = next;
	return rc;
}

int
recent_ask(
    struct ctl *ctl, struct recent *t, bool all, recent_fn fn, void *arg, struct fault *fault)
{
	struct control_buf args;
	struct reply reply;
	uint64_t from = 0;
	int rc;

	do {
		args = (struct control_buf){ 0 };
		control_number(&args, "from", from);
		control_number(&args, "octets", all ? UINT64_MAX : RECENT_BYTES);
		rc = ask_quietly(ctl, CONTROL_JOURNAL, &args, &reply, fault);
		control_buf_free(&args);
		if (rc != KMS_OK)
			return rc;
		if ((rc = take_page(t, &reply, &from, fn, arg)) != KMS_OK)
			fault_set(
			    fault, rc, "the host's answer has a malformed part of the journal");
		reply_free(&reply);
	} while (rc == KMS_OK && from != 0);
	return rc;
}
