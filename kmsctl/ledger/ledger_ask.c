/*
 * ledger_ask.c - see ledger_ask.h.
 */
#include "kmsctl/ledger/ledger_ask.h"

#include <string.h>

#include "kmsctl/cli/fail.h"
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

int
ledger_ask(
    struct ctl *ctl, uint16_t verb, struct control_buf *args, struct reply *reply, struct fault *f)
{
	int rc = ask_quietly(ctl, verb, args, reply, f);

	if (rc == KMS_E_NOT_RUNNING)
		fault_prefix(
		    f, "while kmsd is not running, only root can read the ledger (sudo kmsctl): ");
	return rc;
}

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
	rc = ledger_ask(ctl, CONTROL_CLIENT_LIST, &args, &reply, fault);
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

int
ledger_failed(struct ctl *ctl, int rc, const struct fault *fault)
{
	return fail(ctl, (uint32_t)rc, "the ledger cannot be read: %s", fault_text(fault, rc));
}

struct wanted {
	const uint8_t *cmid;
	struct kmsdb_client *c;
	struct kmsdb_cold *cold;
	bool found;
};

/* The first of a page that begins with it. */
static int
take_wanted(const struct kmsdb_client *c, const struct kmsdb_cold *cold, void *arg)
{
	struct wanted *w = arg;

	if (memcmp(c->cmid, w->cmid, 16) == 0) {
		*w->c = *c;
		*w->cold = *cold;
		w->found = true;
	}
	return 1;
}

static int
ask_client(struct ctl *ctl, struct wanted *w, struct fault *fault)
{
	uint8_t from[16];
	unsigned count;
	int rc;

	memcpy(from, w->cmid, 16);
	rc = ask_page(ctl, from, &count, take_wanted, w, fault);
	if (rc != KMS_OK && rc != 1)
		return rc;
	return w->found ? KMS_OK : fault_set(fault, KMS_E_NOT_FOUND, "no client has that CMID");
}

int
ledger_one_client(struct ctl *ctl, const uint8_t cmid[16], struct kmsdb_client *c,
    struct kmsdb_cold *cold, struct fault *fault)
{
	struct wanted w = { .cmid = cmid, .c = c, .cold = cold };
	struct kmsdb *db;
	int rc;

	memset(cold, 0, sizeof(*cold));
	if (!ledger_access_may(ctl))
		return ask_client(ctl, &w, fault);
	if ((rc = ledger_access_open(ctl, &db, fault)) != KMS_OK)
		return rc;
	rc = kmsdb_client_get(db, cmid, c);
	if (rc == KMS_OK && kmsdb_cold_get(db, cmid, cold) != KMS_OK)
		memset(cold, 0, sizeof(*cold));
	ledger_access_close(db, -1);
	return rc == KMS_OK ? KMS_OK : fault_set(fault, rc, "no client has that CMID");
}
