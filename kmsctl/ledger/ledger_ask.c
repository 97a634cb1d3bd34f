/*
 * ledger_ask.c - see ledger_ask.h.
 */
#include "kmsctl/ledger/ledger_ask.h"

#include <stdlib.h>
#include <string.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/ledger/ledger_access.h"
#include "libkms/base/hex.h"
#include "libkms/core/aside.h"
#include "libkms/kms_error.h"

/* The bytes of a field; 0: it is missing, or longer than that. */
static size_t
octets_of(const struct reply_row *row, const char *name, uint8_t *out, size_t size)
{
	const struct reply_field *f = reply_field(row, name);
	size_t len = f != NULL && f->type == 'b' ? strlen(f->text) / 2 : 0;

	return len > 0 && len <= size && hex_parse(out, len, f->text) ? len : 0;
}

/* The next CMID after that one; false: it was the last possible. */
static bool
next_cmid(uint8_t cmid[16])
{
	int i = 15;

	while (i >= 0 && ++cmid[i] == 0)
		i--;
	return i >= 0;
}

typedef int (*client_fn)(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg);

/* One page, from that CMID on, which is moved. *count: how many there were. */
static int
ask_page(struct ctl *ctl, uint8_t from[16], unsigned *count, client_fn fn, void *arg,
    struct fault *fault)
{
	uint8_t octets[KMSDB_CLIENT_OCTETS];
	struct control_buf args = { 0 };
	const struct reply_row *row = NULL;
	struct kmsdb_client c;
	struct kmsdb_cold cold;
	struct reply reply;
	size_t len;
	int rc;

	control_octets(&args, "from", from, 16);
	rc = ask_quietly(ctl, CONTROL_CLIENT_LIST, &args, &reply, fault);
	control_buf_free(&args);
	if (rc != KMS_OK)
		return rc;
	for (*count = 0; rc == KMS_OK && (row = reply_next(&reply, "stored", row)) != NULL;
	     ++*count) {
		len = octets_of(row, "client", octets, sizeof(octets));
		if ((rc = kmsdb_client_decode(&c, &cold, octets, len)) != KMS_OK) {
			fault_set(fault, rc, "the host's answer has a malformed client");
			break;
		}
		memcpy(from, c.cmid, 16);
		rc = fn(&c, &cold, arg);
	}
	reply_free(&reply);
	return rc;
}

static int
ask_clients(struct ctl *ctl, client_fn fn, void *arg, struct fault *fault)
{
	unsigned count = CONTROL_CLIENTS;
	uint8_t from[16] = { 0 };
	bool more = true;
	int rc = KMS_OK;

	while (rc == KMS_OK && more && count == CONTROL_CLIENTS) {
		rc = ask_page(ctl, from, &count, fn, arg, fault);
		more = next_cmid(from);
	}
	return rc;
}

int
ledger_each_client(struct ctl *ctl, client_fn fn, void *arg, struct fault *fault)
{
	struct kmsdb *db;
	int rc;

	if (!ledger_access_may(ctl))
		return ask_clients(ctl, fn, arg, fault);
	if ((rc = ledger_access_open(ctl, &db, fault)) != KMS_OK)
		return rc;
	rc = kmsdb_each_client(db, fn, arg);
	ledger_access_close(db, -1);
	if (rc != KMS_OK)
		fault_set(fault, rc, NULL);
	return rc;
}

static int
take_entry(struct recent *t, const struct reply_row *row, recent_fn fn, void *arg)
{
	uint8_t entry[1024], beside[ASIDE_MAX];
	struct entry_client e;
	struct aside names;
	uint64_t batch = 0;
	size_t len = octets_of(row, "entry", entry, sizeof(entry));
	int rc = entry_client_decode(&e, entry, len);

	if (rc != KMS_OK)
		return rc;
	reply_number(row, "batch", &batch);
	aside_decode(&names, beside, octets_of(row, "aside", beside, sizeof(beside)));
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
ledger_ask_recent(
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
