/*
 * ledger_ask.c - see ledger_ask.h.
 */
#include "kmsctl/ledger/ledger_ask.h"

#include <string.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/ledger/ledger_access.h"
#include "libkms/kms_error.h"

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
		len = reply_octets(row, "client", octets, sizeof(octets));
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
